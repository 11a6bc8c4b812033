"""Lambda function of the cancel type ``payment_cancel``."""

from refunds.loading import lambda_function

handler = lambda_function("payment_cancel")
