"""Lambda function of the cancel type ``receipt_revoke``."""

from refunds.application import LambdaFunction

handler = LambdaFunction("receipt_revoke")
