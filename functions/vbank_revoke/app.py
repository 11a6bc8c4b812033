"""Lambda function of the cancel type ``vbank_revoke``."""

from refunds.application import LambdaFunction

handler = LambdaFunction("vbank_revoke")
