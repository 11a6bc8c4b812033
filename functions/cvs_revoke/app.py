"""Lambda function of the cancel type ``cvs_revoke``."""

from refunds.application import LambdaFunction

handler = LambdaFunction("cvs_revoke")
