"""``vbank_revoke`` and ``cvs_revoke``: void an unpaid number (documents 003 and 000)."""

from __future__ import annotations

from refunds.contracts.fields import ImpUid
from refunds.contracts.inbound import Cancellation, PortOneRequest


class NumberRevokeRequest(PortOneRequest):
    """The payment whose virtual account or convenience-store number is to be voided."""

    imp_uid: ImpUid


class VbankRevocation(Cancellation[NumberRevokeRequest]):
    """The detail of a ``VbankRevokeRequested`` event."""


class CvsRevocation(Cancellation[NumberRevokeRequest]):
    """The detail of a ``CvsRevokeRequested`` event."""
