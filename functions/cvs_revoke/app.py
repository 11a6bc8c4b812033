"""Lambda function of the cancel type ``cvs_revoke``."""

from refunds.loading import lambda_function

handler = lambda_function("cvs_revoke")
