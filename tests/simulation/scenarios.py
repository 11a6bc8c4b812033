"""The situations in which faults are enumerated."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from refunds.domain.limits import Limits
from refunds.domain.tag import tag_of
from tests.simulation.invariants import Watch
from tests.simulation.knowledge import carries_its_mark
from tests.simulation.poison import plant
from tests.simulation.reconciling import days_pass
from tests.simulation.requests import REASON, Wanted, line, order_cancel, refund, revoke, unwritable
from tests.simulation.simulation import Setting, Simulation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.simulation.gate import Chooser

COLD: Final = Setting()
PAID: Final = 10_000
PART: Final = 3_000
LESS: Final = 2_000


@dataclass(frozen=True)
class Scenario:
    """What is there, and what is asked for.

    Attributes:
        name: unique, as counterexamples write it.
        wanted: the requests, published at the same moment in this order.
        payment, receipt, order: the record at the provider, as the simulator is seeded; absent if unknown.
        cancelled_before: won that somebody else has cancelled long before.
        retry_later: requests published when the others have been delivered for the last time.
        restored: before that, the table loses the items of what PortOne shows with its mark.
        quietly: the events come from a replay that is silent about what was published.
        malformed: what is published first has a number that nobody can represent; operators mend it.
        poisoned: the ledger holds items that nobody can read, judge or write.
        largest: won that one request may move at most, until the faults stop.
        left_alone: no operator redrives anything.
        rejected_later: days after it was booked, the bank rejects what it was to pay out.
        settings: what is changed of the setting.
    """

    name: str
    wanted: tuple[Wanted, ...]
    payment: Mapping[str, Any] | None = None
    receipt: Mapping[str, Any] | None = None
    order: Mapping[str, Any] | None = None
    cancelled_before: int = 0
    retry_later: tuple[Wanted, ...] = ()
    restored: bool = False
    quietly: bool = False
    malformed: bool = False
    poisoned: bool = False
    largest: int | None = None
    left_alone: bool = False
    rejected_later: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    def simulate(self, chooser: Chooser, setting: Setting = COLD) -> Simulation:
        """Play the whole history: up to three deliveries with faults, then what follows once they stop."""
        watch = Watch()
        simulation = Simulation(chooser, watch, self._changed(setting))
        watch.simulation = simulation
        self._seed(simulation)
        for requests in (self.wanted, self.retry_later):
            if self.restored and requests is self.retry_later:
                simulation.restore({one.key for one in requests if carries_its_mark(simulation, one)})
            for wanted in requests:
                self._publish(simulation, wanted)
            simulation.run()
        simulation.faulty_calls = len(simulation.gate.calls)
        simulation.finish(left_alone=self.left_alone)
        watch.at_rest()
        if self.rejected_later:
            days_pass(simulation, self.wanted[0].subject)
            watch.at_rest()
        return simulation

    def _changed(self, setting: Setting) -> Setting:
        if self.largest is not None:
            setting = replace(setting, limits=Limits(largest={"KRW": Decimal(self.largest)}))
        return replace(setting, **self.settings) if self.settings else setting

    def _publish(self, simulation: Simulation, wanted: Wanted) -> None:
        simulation.wanted[wanted.key] = wanted
        body = wanted.quiet_body if self.quietly else wanted.body
        simulation.queues[wanted.cancel_type].send(unwritable(body) if self.malformed else body)

    def _seed(self, simulation: Simulation) -> None:
        if self.poisoned:
            plant(simulation)
        world = simulation.world
        if self.payment:
            world.seed_payment(self.payment)
        if self.receipt:
            world.seed_receipt(self.receipt)
        if self.order:
            world.seed_order(self.order)
        if self.cancelled_before:
            world.somebody_else(self.wanted[0].subject, "cancel", self.cancelled_before)
            simulation.clock.advance(86_400)


def _payment(**switches: Any) -> dict[str, Any]:
    return {"imp_uid": "imp_1", "merchant_uid": "ORD1", "amount": PAID, **switches}


def _number(pay_method: str, **switches: Any) -> dict[str, Any]:
    return _payment(status="ready", pay_method=pay_method, **switches)


_CENTS: Final = {"currency": "USD", "amount": Decimal("726.24")}
_SOME_CENTS: Final = Decimal("60.5")


def _late(**switches: Any) -> dict[str, Any]:
    """A payment at a PG that books later: after one lookup has seen nothing, unless it is said otherwise."""
    return _payment(**{"pg_provider": "paypal_v2", **_CENTS, "booking": {"lookups": 1}, **switches})


_REFUND_ACCOUNT: Final[dict[str, Any]] = {
    "refund_holder": "홍길동",
    "refund_bank": "04",
    "refund_account": "11012345678",
}
_LINES: Final = [line(1, 2, 50_000), line(2, 1, 3_000, "DELIVERY")]
_ORDER: Final = {"orderNo": "O1", "items": _LINES}
_ONE: Final = [line(1, 1, 50_000)]
_PART_OF_ONE: Final = [line(1, 1, 20_000)]

PART_LOOKED: Final = Scenario("part", (refund(1, "imp_1", PART),), _payment())
FULL_LOOKED: Final = Scenario("full", (refund(1, "imp_1", None),), _payment())
PART_CHECKED: Final = Scenario("part, checksum", (refund(1, "imp_1", PART, checksum=PAID),), _payment())
FULL_CHECKED: Final = Scenario("full, checksum", (refund(1, "imp_1", None, checksum=PAID),), _payment())
VBANK: Final = Scenario("vbank", (revoke(1, "vbank_revoke", "imp_1"),), _number("vbank"))
CVS: Final = Scenario("cvs", (revoke(1, "cvs_revoke", "imp_1"),), _number("cvs", revoked_status="failed"))
RECEIPT: Final = Scenario(
    "receipt",
    (revoke(1, "receipt_revoke", "R1"),),
    receipt={"merchant_uid": "R1", "amount": PAID, "keeps_revocation": True},
)
ORDER_FULL: Final = Scenario("order, full", (order_cancel(1, "O1", _LINES),), order=_ORDER)
ORDER_PART: Final = Scenario("order, an item", (order_cancel(1, "O1", _ONE),), order=_ORDER)

CORE: Final = (
    PART_LOOKED,
    FULL_LOOKED,
    PART_CHECKED,
    FULL_CHECKED,
    VBANK,
    CVS,
    RECEIPT,
    ORDER_FULL,
    ORDER_PART,
)
"""Every cancel type, full and partial, with and without a checksum in the event."""


def _dropped(name: str, keeps: str) -> tuple[Scenario, ...]:
    payment = _payment(keeps_reason=keeps)
    return (
        Scenario(f"part, reason {name}", (refund(1, "imp_1", PART),), payment),
        Scenario(f"full, reason {name}", (refund(1, "imp_1", None),), payment),
        Scenario(f"part, checksum, reason {name}", (refund(1, "imp_1", PART, checksum=PAID),), payment),
        Scenario(
            f"part, checksum, reason {name}, an equal one long before",
            (refund(1, "imp_1", PART, checksum=PAID - PART),),
            payment,
            cancelled_before=PART,
        ),
    )


FORGETFUL: Final = (
    *_dropped("dropped", "dropped"),
    *_dropped("cut", "truncated:12"),
    *_dropped("replaced", "replaced:PG 취소"),
)
"""PGs that do not keep what was sent as the reason."""

VARIANTS: Final = (
    Scenario("part by merchant_uid", (refund(1, "imp_1", PART, merchant_uid="ORD1"),), _payment()),
    Scenario(
        "part by merchant_uid, checksum",
        (refund(1, "imp_1", PART, merchant_uid="ORD1", checksum=PAID),),
        _payment(),
    ),
    Scenario("part shown as cancelled", (refund(1, "imp_1", PART),), _payment(partial_status="cancelled")),
    Scenario(
        "part to a bank account",
        (refund(1, "imp_1", PART, **_REFUND_ACCOUNT),),
        _payment(pay_method="vbank"),
    ),
    Scenario("part after another", (refund(1, "imp_1", PART),), _payment(), cancelled_before=PART),
    Scenario("part, checksum too high", (refund(1, "imp_1", PART, checksum=PAID + 1),), _payment()),
    Scenario("part, checksum too low", (refund(1, "imp_1", PART, checksum=PAID - PART),), _payment()),
    Scenario(
        "part, checksum from before another",
        (refund(1, "imp_1", PART, checksum=PAID),),
        _payment(keeps_reason="dropped"),
        cancelled_before=PART,
    ),
    Scenario("too much", (refund(1, "imp_1", PAID + 1),), _payment()),
    Scenario("unknown payment", (refund(1, "imp_1", PART),)),
    Scenario("unknown payment, checksum", (refund(1, "imp_1", PART, checksum=PAID),)),
    Scenario("cancelled already", (refund(1, "imp_1", PART),), _payment(), cancelled_before=PAID),
    Scenario(
        "cancelled already, checksum",
        (refund(1, "imp_1", PART, checksum=PAID),),
        _payment(),
        cancelled_before=PAID,
    ),
    Scenario("not paid", (refund(1, "imp_1", PART),), _number("vbank")),
    Scenario("vbank, unknown", (revoke(1, "vbank_revoke", "imp_1"),)),
    Scenario("vbank, paid", (revoke(1, "vbank_revoke", "imp_1"),), _payment(pay_method="vbank")),
    Scenario("vbank, a card", (revoke(1, "vbank_revoke", "imp_1"),), _payment()),
    Scenario("cvs, unknown", (revoke(1, "cvs_revoke", "imp_1"),)),
    Scenario("cvs, a virtual account", (revoke(1, "cvs_revoke", "imp_1"),), _number("vbank")),
    Scenario("receipt, unknown", (revoke(1, "receipt_revoke", "R1"),)),
    Scenario(
        "receipt, unsupported",
        (revoke(1, "receipt_revoke", "R1"),),
        receipt={"merchant_uid": "R1", "amount": PAID, "pg_provider": "danal"},
    ),
    Scenario("order, part of an item", (order_cancel(1, "O1", _PART_OF_ONE),), order=_ORDER),
    Scenario("order, unknown", (order_cancel(1, "O1", _ONE),)),
    Scenario("order, not captured", (order_cancel(1, "O1", _ONE),), order={**_ORDER, "captured": False}),
)
"""Everything else a request can meet."""


LATE_PART: Final = Scenario("booked later, part", (refund(1, "imp_1", _SOME_CENTS, currency="USD"),), _late())
LATE_CHECKED: Final = Scenario(
    "booked later, part, checksum",
    (refund(1, "imp_1", _SOME_CENTS, checksum=Decimal("726.24"), currency="USD"),),
    _late(),
)
LATE: Final = (
    LATE_PART,
    LATE_CHECKED,
    Scenario("booked later, full", (refund(1, "imp_1", None, currency="USD"),), _late(booking={})),
    Scenario(
        "refused in the end",
        (refund(1, "imp_1", _SOME_CENTS, currency="USD"),),
        _late(booking={"lookups": 2, "end": "refused"}),
    ),
    Scenario(
        "never booked", (refund(1, "imp_1", _SOME_CENTS, currency="USD"),), _late(booking={"end": "never"})
    ),
    Scenario(
        "booked later, a virtual account",
        (refund(1, "imp_1", PART, refund_tel="01000000000", **_REFUND_ACCOUNT),),
        _payment(pg_provider="smartro_v2", pay_method="vbank"),
    ),
    Scenario(
        "booked later by a PG nobody has heard of",
        (refund(1, "imp_1", PART),),
        _payment(pg_provider="heard_of_by_nobody", booking={"seconds": 300}),
    ),
)
"""PGs that accept a cancellation and book it later, or never."""

PART_IN_CENTS: Final = Scenario(
    "part in cents", (refund(1, "imp_1", _SOME_CENTS, currency="USD"),), _payment(**_CENTS)
)
ORDER_IN_CENTS: Final = Scenario(
    "order in cents",
    (order_cancel(1, "O1", [line(1, 1, Decimal("50.25"))], currency="USD"),),
    order={"orderNo": "O1", "currency": "USD", "items": [line(1, 2, Decimal("50.25"))]},
    settings={"ebp_currency": "USD"},
)
CURRENCIES: Final = (
    PART_IN_CENTS,
    Scenario(
        "full in cents, checksum",
        (refund(1, "imp_1", None, checksum=Decimal("726.24"), currency="USD"),),
        _payment(**_CENTS),
    ),
    Scenario("part of a payment in another currency", (refund(1, "imp_1", PART),), _payment(**_CENTS)),
    ORDER_IN_CENTS,
)
"""Money that is not won."""

REUSED: Final = Scenario(
    "part by a merchant_uid that is used again", (refund(1, "imp_1", PART, merchant_uid="ORD1"),), _payment()
)
QUIET: Final = Scenario("part, a quiet replay", (refund(1, "imp_1", PART),), _payment(), quietly=True)
MALFORMED: Final = Scenario(
    "part, a number nobody can represent", (refund(1, "imp_1", PART),), _payment(), malformed=True
)
BESIDE_POISON: Final = Scenario(
    "part, beside items nobody can read", (refund(1, "imp_1", PART),), _payment(), poisoned=True
)
BEYOND_A_LIMIT: Final = Scenario(
    "part, beyond a limit", (refund(1, "imp_1", PART),), _payment(), largest=LESS
)
ASKED_TWICE: Final = Scenario(
    "part, asked for twice, one receive",
    (refund(1, "imp_1", PART),),
    _payment(),
    retry_later=(refund(1, "imp_1", PART),),
    settings={"max_receives": 1},
)
ITEM_LOST: Final = Scenario(
    "part, asked for again, its item lost",
    (refund(1, "imp_1", PART),),
    _payment(),
    retry_later=(refund(1, "imp_1", PART),),
    restored=True,
)
UNINDEXED: Final = Scenario(
    "two equal parts, reasons dropped, indexes half an hour late",
    (refund(1, "imp_1", PART), refund(2, "imp_1", PART)),
    _payment(keeps_reason="dropped"),
    settings={"index_lag": 1_800.0},
)
LEFT_ALONE: Final = Scenario(
    "part, one receive, no operator",
    (refund(1, "imp_1", PART),),
    _payment(),
    left_alone=True,
    settings={"max_receives": 1},
)
REJECTED_LATER: Final = Scenario(
    "part to a bank account, rejected days later",
    (refund(1, "imp_1", PART, **_REFUND_ACCOUNT),),
    _payment(pay_method="vbank"),
    rejected_later=True,
)
TROUBLES: Final = (
    REUSED,
    QUIET,
    MALFORMED,
    BESIDE_POISON,
    BEYOND_A_LIMIT,
    ASKED_TWICE,
    UNINDEXED,
    LEFT_ALONE,
)
"""What happens around a request."""


def _pair(name: str, one: Wanted, other: Wanted, **switches: Any) -> Scenario:
    return Scenario(name, (one, other), _payment(**switches))


RIVALS: Final = (
    _pair("two equal parts", refund(1, "imp_1", PART), refund(2, "imp_1", PART)),
    _pair("two unequal parts", refund(1, "imp_1", PART), refund(2, "imp_1", LESS)),
    _pair("a part and all", refund(1, "imp_1", PART), refund(2, "imp_1", None)),
    _pair("two parts, one fits", refund(1, "imp_1", PAID - PART), refund(2, "imp_1", PAID - PART)),
    _pair(
        "two equal parts, checksums in order",
        refund(1, "imp_1", PART, checksum=PAID),
        refund(2, "imp_1", PART, checksum=PAID - PART),
    ),
    _pair(
        "two equal parts, equal checksums",
        refund(1, "imp_1", PART, checksum=PAID),
        refund(2, "imp_1", PART, checksum=PAID),
    ),
    _pair(
        "two equal parts, reasons dropped",
        refund(1, "imp_1", PART),
        refund(2, "imp_1", PART),
        keeps_reason="dropped",
    ),
    _pair(
        "two unequal parts, reasons dropped",
        refund(1, "imp_1", PART),
        refund(2, "imp_1", LESS),
        keeps_reason="dropped",
    ),
    _pair(
        "a part and all, reasons dropped",
        refund(1, "imp_1", PART),
        refund(2, "imp_1", None),
        keeps_reason="dropped",
    ),
    _pair(
        "two equal parts, checksums in order, reasons dropped",
        refund(1, "imp_1", PART, checksum=PAID),
        refund(2, "imp_1", PART, checksum=PAID - PART),
        keeps_reason="dropped",
    ),
    _pair(
        "two equal parts, the words of one hold the other's mark",
        refund(1, "imp_1", PART),
        replace(refund(2, "imp_1", PART), reason=f"{REASON} {tag_of('payment_cancel', 'cr-1')}"),
    ),
    Scenario(
        "a part whose checksum comes true later",
        (refund(1, "imp_1", PART, checksum=PAID - LESS),),
        _payment(),
        retry_later=(refund(2, "imp_1", LESS),),
    ),
    Scenario(
        "a part, later an equal one",
        (refund(1, "imp_1", PART),),
        _payment(),
        retry_later=(refund(2, "imp_1", PART),),
    ),
    Scenario(
        "order, two equal parts",
        (order_cancel(1, "O1", _PART_OF_ONE), order_cancel(2, "O1", _PART_OF_ONE)),
        order=_ORDER,
    ),
    Scenario(
        "order, full and part", (order_cancel(1, "O1", _LINES), order_cancel(2, "O1", _ONE)), order=_ORDER
    ),
    Scenario(
        "order, full twice", (order_cancel(1, "O1", _LINES), order_cancel(2, "O1", _LINES)), order=_ORDER
    ),
    Scenario(
        "vbank, twice",
        (revoke(1, "vbank_revoke", "imp_1"), revoke(2, "vbank_revoke", "imp_1")),
        _number("vbank"),
    ),
    Scenario(
        "booked later, two equal parts",
        (
            refund(1, "imp_1", _SOME_CENTS, currency="USD"),
            refund(2, "imp_1", _SOME_CENTS, currency="USD"),
        ),
        _late(booking={"lookups": 2}),
        settings={"max_receives": 2},  # the second one waits for the first one at each receive
    ),
)
"""A second request on the same payment or order."""

ALL: Final = (*CORE, *FORGETFUL, *VARIANTS, *LATE, *CURRENCIES, *TROUBLES, *RIVALS)
BY_NAME: Final = {scenario.name: scenario for scenario in ALL}
