"""``vbank_revoke`` and ``cvs_revoke``: void an unpaid number (docs/providers.md)."""

from __future__ import annotations

from typing import ClassVar

from refunds.contracts.fields import ImpUid
from refunds.contracts.inbound import Cancellation, PortOneRequest


class NumberRevokeRequest(PortOneRequest):
    """The payment whose virtual account or convenience-store number is to be voided."""

    imp_uid: ImpUid
    """PortOne's id of the payment whose number is voided; it must not be paid yet."""


class VbankRevocation(Cancellation[NumberRevokeRequest]):
    """The detail of a ``VbankRevokeRequested`` event: void a virtual account that nobody has paid into."""

    detail_type: ClassVar[str] = "VbankRevokeRequested"


class CvsRevocation(Cancellation[NumberRevokeRequest]):
    """The detail of a ``CvsRevokeRequested`` event: void a convenience-store number that nobody has paid."""

    detail_type: ClassVar[str] = "CvsRevokeRequested"
