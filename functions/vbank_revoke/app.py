"""Lambda function of the cancel type ``vbank_revoke``."""

from refunds.loading import lambda_function

handler = lambda_function("vbank_revoke")
