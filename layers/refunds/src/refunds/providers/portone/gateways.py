"""What is peculiar to each payment gateway (PG) behind PortOne V1, as data.

Source: docs/providers.md, "What PGs do with a cancellation".
Everything that depends on a PG is decided by a row of this table, by its name in ``pg_provider``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from refunds.contracts.outbound import Settles

_EVERY_METHOD: Final = frozenset({"*"})
_VIRTUAL_ACCOUNT: Final = frozenset({"vbank"})


@dataclass(frozen=True)
class Gateway:
    """One PG.

    Attributes:
        books_late: the pay methods (``*``: all) whose cancellations are accepted first and booked, or
            refused, hours or days later. Until then neither an unchanged balance nor a missing entry says
            anything.
        late_settlement: when the money of those arrives once they are booked.
        books_at_once: an answer means that it was booked, or was not. False for a PG that is in no row of
            the table, or has no name: what was lost there is never sent again.
        takes_tag: the reason may carry our tag; ``False`` where it must be the customer's alone.
    """

    books_late: frozenset[str] = frozenset()
    late_settlement: Settles = "immediate"
    books_at_once: bool = True
    takes_tag: bool = True

    def is_late(self, pay_method: str | None) -> bool:
        """Whether a cancellation of such a payment may be booked long after it was accepted."""
        return "*" in self.books_late or (pay_method or "*") in self.books_late

    def settles(self, pay_method: str | None, *, to_account: bool) -> Settles:
        """When the money arrives, once it is booked."""
        if self.is_late(pay_method):
            return self.late_settlement
        return "next_business_day" if to_account or pay_method == "vbank" else "immediate"


_ORDINARY: Final = Gateway()
_UNKNOWN: Final = Gateway(books_at_once=False)

_GATEWAYS: Final[Mapping[str, Gateway]] = {
    # Accepted first; PayPal approves later, or not at all. Once approved, the money has left.
    "paypal_v2": Gateway(books_late=_EVERY_METHOD),
    # The refund is complete when the PG's webhook says so; bank transfers take the same account fields.
    "smartro_v2": Gateway(books_late=frozenset({"vbank", "trans"}), late_settlement="later"),
    # A person at the PG checks the refund, which is paid out after seven business days or more.
    "daou": Gateway(books_late=_VIRTUAL_ACCOUNT, late_settlement="later"),
    # The reason has to be the real one, and the customer may see it.
    "naverpay": Gateway(takes_tag=False),
    "naverco": Gateway(takes_tag=False),
    **dict.fromkeys(
        (
            "bluewalnut",
            "chai",
            "danal",
            "danal_tpay",
            "galaxia",
            "html5_inicis",
            "hyphen",
            "inicis",
            "inicis_unified",
            "inicis_v2",
            "jtnet",
            "kakao",
            "kakaopay",
            "kcp",
            "kcp_billing",
            "kcp_direct",
            "kcp_quick",
            "kcp_v2",
            "kicc",
            "ksnet",
            "mobilians",
            "nice",
            "nice_v2",
            "payco",
            "payple",
            "settle",
            "settle_acc",
            "settle_firm",
            "smartro",
            "smilepay",
            "syrup",
            "toss_brandpay",
            "tosspay",
            "tosspay_v2",
            "tosspayments",
            "uplus",
            "welcome",
        ),
        _ORDINARY,
    ),
}


def gateway(pg_provider: str | None) -> Gateway:
    """The PG of that name; the worst is assumed of one that is not listed, or that no answer names."""
    return _GATEWAYS.get(pg_provider or "", _UNKNOWN)


def books_late(pg_provider: str | None, pay_method: str | None) -> bool:
    """Whether what such a payment shows proves nothing about what was accepted, or may not."""
    pg = gateway(pg_provider)
    return pg.is_late(pay_method) or not pg.books_at_once
