"""Lambda function of the cancel type ``receipt_revoke``."""

from refunds.loading import lambda_function

handler = lambda_function("receipt_revoke")
