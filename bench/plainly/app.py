"""``payment_cancel`` without ``refunds.loading``: on all processors, collecting garbage from the start."""

from refunds.application import LambdaFunction

handler = LambdaFunction("payment_cancel")
