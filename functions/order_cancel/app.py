"""Lambda function of the cancel type ``order_cancel``."""

from refunds.application import LambdaFunction

handler = LambdaFunction("order_cancel")
