"""Lambda function of the cancel type ``payment_cancel``."""

from refunds.application import LambdaFunction

handler = LambdaFunction("payment_cancel")
