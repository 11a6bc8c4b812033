"""External cash receipts. A merchant_uid may get another receipt after its first one was revoked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from local.simulator.records import checked_seed, shown_without

if TYPE_CHECKING:
    from collections.abc import Mapping

RECEIPT_PG_PROVIDERS = frozenset(
    [
        "html5_inicis",
        "kcp",
        "settle",
        "nice",
        "kicc",
        "tosspayments",
        "nice_v2",
        "ksnet",
        "smartro_v2",
        "welcome",
    ]
)
"""PGs that revoke external receipts (portone-v1.openapi.json, DELETE /receipts/external); others: 501."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A cash receipt issued outside PortOne (ExternalReceiptAnnotation), in won.

    `revocation_fails`: the PG refuses to revoke it, for ever (HTTP 500); `omits` names fields that no answer
    shows. `receipt_tid`, `apply_num` and `applied_at` are this receipt's own. With `keeps_revocation` one
    that is issued again shows when the former one was revoked (`former_end`), until it is revoked itself.
    """

    merchant_uid: str
    amount: int
    vat: int = 0
    type: str = "person"
    pg_provider: str = "kcp"
    receipt_tid: str = ""
    apply_num: str = "000000001"
    applied_at: int = 0
    revocation_fails: bool = False
    omits: tuple[str, ...] = ()
    keeps_revocation: bool = False
    cancelled_at: int = 0
    former_end: int = 0

    def voided(self, at: int) -> Receipt:
        """The receipt after its revocation."""
        return replace(self, cancelled_at=at)

    def annotation(self) -> dict[str, Any]:
        """ExternalReceiptAnnotation."""
        shown = {
            "merchant_uid": self.merchant_uid,
            "receipt_tid": self.receipt_tid,
            "apply_num": self.apply_num,
            "type": self.type,
            "amount": self.amount,
            "vat": self.vat,
            "receipt_url": f"https://receipts.invalid/cash/{self.merchant_uid}",
            "applied_at": self.applied_at,
            "cancelled_at": self.cancelled_at or self.former_end,
        }
        return shown_without(shown, self.omits)


def receipt_from_seed(seed: Mapping[str, Any], now: int) -> Receipt:
    """A receipt from its JSON form: `merchant_uid`, `amount`, any field of `Receipt`. Raises ValueError."""
    chosen = checked_seed(Receipt, seed, internal=frozenset({"cancelled_at", "former_end"}))
    if not {"merchant_uid", "amount"} <= set(chosen):
        raise ValueError("a receipt needs merchant_uid and amount")
    chosen["omits"] = tuple(chosen.get("omits", ()))
    return Receipt(**{"receipt_tid": f"receipt-{chosen['merchant_uid']}", "applied_at": now, **chosen})
