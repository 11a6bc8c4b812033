"""Lambda function of the cancel type ``order_cancel``."""

from refunds.loading import lambda_function

handler = lambda_function("order_cancel")
