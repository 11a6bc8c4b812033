"""Lambda function that judges and replays dead letters, for people without queue permissions."""

from refunds.operators.functions import ReplayFunction

handler = ReplayFunction()
