"""Lambda function that settles open requests by asking their provider, on a schedule."""

from refunds.operators.functions import SweeperFunction

handler = SweeperFunction()
