"""Lambda function that compares PortOne's cancellations with the ledger's, daily."""

from refunds.operators.functions import ReconcileFunction

handler = ReconcileFunction()
