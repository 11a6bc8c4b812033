"""Long random histories: several requests, payments and queues, with faults at random rates.

A history is a function of its seed and of nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any, Final

from refunds.domain.limits import Limits
from tests.simulation import faults, operating
from tests.simulation.gate import Call, Fault
from tests.simulation.invariants import Watch
from tests.simulation.knowledge import carries_its_mark
from tests.simulation.poison import plant
from tests.simulation.requests import Wanted, line, order_cancel, refund, revoke, unwritable
from tests.simulation.simulation import Setting, Simulation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_FAULT_RATES: Final = (0.0, 0.02, 0.05, 0.1, 0.25)
_SKEWS: Final = (0.0, 0.0, 0.0, 0.0, 0.3, -0.3, 5.0, -5.0, 150.0)
_INDEX_LAGS: Final = (0.03, 0.03, 0.03, 1.0, 30.0, 1_800.0)
_LIMITS: Final = (
    Limits(largest={"KRW": Decimal(3_000)}),
    Limits(per_hour=2),
    Limits(largest={"KRW": Decimal(10**6)}, amount_per_hour={"KRW": Decimal(6_000)}),
)
_RARELY: Final = 0.12
_PAUSED: Final = 0.03
_KEPT_REASONS: Final = ("verbatim", "verbatim", "verbatim", "dropped", "truncated:12", "replaced:PG 취소")
_AMOUNTS: Final = (1_000, 2_000, 3_000, 3_000, 5_000)
_CENTS: Final = (Decimal("30.25"), Decimal("60.5"), Decimal("60.5"), Decimal("99.99"))
_BOOKINGS: Final[tuple[Any, ...]] = (
    {"lookups": 1},
    {"lookups": 2},
    {"seconds": 400},
    {"lookups": 1, "balance": "moved"},
    {},
    {"lookups": 2, "end": "refused"},
    {"end": "never"},
)
_LATE: Final[tuple[Mapping[str, Any], ...]] = (
    {"pg_provider": "paypal_v2", "currency": "USD"},
    {"pg_provider": "paypal_v2", "currency": "USD"},
    {"pg_provider": "smartro_v2", "pay_method": "vbank"},
    {"pg_provider": "daou", "pay_method": "vbank"},
    {"pg_provider": "heard_of_by_nobody"},
)
_AT_ONCE: Final[tuple[Mapping[str, Any], ...]] = (
    {},
    {},
    {"pg_provider": "nice_v2"},
    {"pg_provider": "naverpay"},
    {"pg_provider": "kcp_v2", "currency": "USD"},
)
_ACCOUNT: Final[Mapping[str, Any]] = {
    "refund_holder": "홍길동",
    "refund_bank": "04",
    "refund_account": "11012345678",
    "refund_tel": "01000000000",
}
_QUESTIONS_AND_ORDERS: Final = frozenset({Call.LOOKUP, Call.DETAIL, Call.CANCEL, Call.REVOKE})


class Dice:
    """Lets a fault strike at a call with a probability that is the history's own."""

    def __init__(self, random: Random) -> None:
        self.simulation: Simulation
        self._random = random
        self._rate = random.choice(_FAULT_RATES)
        # Lying twice cannot be survived: a history has the one lie or the other.
        self._spared = random.choice((faults.DENIALS, faults.CONCEALMENTS))

    def choose(self, _index: int, call: Call) -> Fault | None:
        """Roll."""
        if self._random.random() >= self._rate:
            return None
        fault = self._pick(call)
        return None if fault in self._spared or self._is_undetectable(fault, call) else fault

    def _pick(self, call: Call) -> Fault | None:
        roll = self._random.random()
        own = faults.BY_CALL[call]
        if roll < 0.6 and own:
            return self._random.choice((*own, *faults.EBP_DENIALS) if self._at_ebp(call) else own)
        if roll < 0.7:
            return faults.DEATH
        if roll < 0.9:
            return self._other_delivery()
        return self._somebody() if call in _QUESTIONS_AND_ORDERS else None

    def _other_delivery(self) -> Fault:
        if self._random.random() < 0.5:
            return self._random.choice((*faults.DELIVERIES, faults.SWEPT, faults.RIVAL))
        whose = self._random.choice(("duplicate", "redelivery", "rival"))
        return faults.held(whose, self._random.randrange(9), self._random.choice(_SKEWS))

    def _somebody(self) -> Fault:
        return self._random.choice(
            (
                faults.somebody_cancels(self._random.choice(_AMOUNTS)),
                faults.somebody_cancels_silently(self._random.choice(_AMOUNTS)),
                faults.somebody_cancels_in_our_words(self._random.choice(_AMOUNTS)),
                faults.SOMEBODY_CANCELS_ALL,
                faults.SOMEBODY_VOIDS,
                faults.SOMEBODY_PAYS,
                *faults.WORLD,
            )
        )

    def _is_undetectable(self, fault: Fault | None, call: Call) -> bool:
        """EBP's answer is the only proof there is of a part: one that lies in every detail is believed.

        So is a lookup that shows money on a number: nobody voids a number that was paid to.
        """
        if fault is faults.WRONG_AMOUNT and call is Call.LOOKUP:
            process = self.simulation.process
            return process is not None and process.watcher.key.startswith(("vbank_revoke", "cvs_revoke"))
        return fault is faults.FALSE_SUCCESS and self._at_ebp(call)

    def _at_ebp(self, call: Call) -> bool:
        process = self.simulation.process
        return call is Call.CANCEL and process is not None and process.kind.policy.provider == "ebp"


class History:
    """One history; ``play`` it once."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - must be repeatable
        dice = Dice(self._random)
        watch = Watch()
        setting = Setting(
            jitter=self._random.random,
            max_receives=self._random.choice((2, 3, 4)),
            index_lag=self._random.choice(_INDEX_LAGS),
            plain_http=True,
            warm=True,
            paused=lambda: self._random.random() < _PAUSED,
            limits=self._random.choice(_LIMITS) if self._random.random() < _RARELY else Limits(),
            circuit=3 if self._random.random() < _RARELY else 0,
            ebp_currency="USD" if self._random.random() < _RARELY else "KRW",
        )
        self.simulation = Simulation(dice, watch, setting)
        dice.simulation = watch.simulation = self.simulation
        self._watch = watch
        self._numbers = 0

    def play(self) -> Simulation:
        """Everything that happens, until all is quiet and after."""
        simulation = self.simulation
        if self._random.random() < _RARELY:
            plant(simulation)
        for wanted in self._requests():
            if self._random.random() < 0.02:
                self._publish_malformed(wanted)
                continue
            simulation.publish(wanted)
            self._repeat(wanted)
        self._deliver_everything()
        simulation.finish(left_alone=self._random.random() < 0.05)
        self._watch.at_rest()
        if self._random.random() < 0.2:
            self._replay_archive()
        return simulation

    # --- what is asked for

    def _requests(self) -> Sequence[Wanted]:
        makers: tuple[Callable[[], list[Wanted]], ...] = (
            self._refunds,
            self._refunds,
            self._refunds,
            self._order_cancels,
            self._revokes,
        )
        wanted = [
            one
            for _ in range(self._random.choice((1, 1, 1, 1, 2, 4)))
            for one in self._random.choice(makers)()
        ]
        self._random.shuffle(wanted)
        return wanted

    def _refunds(self) -> list[Wanted]:
        """One or more refunds of one payment."""
        imp_uid = f"imp_{self._number()}"
        late = self._random.random() < 0.25
        kind = self._random.choice(_LATE if late else _AT_ONCE)
        cents = kind.get("currency") == "USD"
        paid = self._random.choice((Decimal("726.24"), Decimal(100)) if cents else (5_000, 10_000))
        self.simulation.world.seed_payment(
            {
                "imp_uid": imp_uid,
                "merchant_uid": f"M-{imp_uid}",
                "amount": paid,
                "keeps_reason": self._random.choice(_KEPT_REASONS),
                "partial_status": self._random.choice(("paid", "cancelled")),
                **kind,
                **({"booking": self._random.choice(_BOOKINGS)} if late else {}),
            }
        )
        requested_at = _iso(self.simulation.clock.now)
        balance = paid
        if self._random.random() < 0.15:
            baseline = self._random.choice(_CENTS if cents else _AMOUNTS)
            self.simulation.world.somebody_else(imp_uid, "cancel", baseline)
            self.simulation.clock.advance(self._random.choice((1.0, 86_400.0)))
            balance -= min(baseline, paid)
        refunds = []
        for _ in range(self._random.choice((1, 1, 1, 2, 3))):
            amount = self._random.choice((None, *(_CENTS if cents else _AMOUNTS)))
            refunds.append(self._refund(imp_uid, amount, balance, requested_at, kind))
            balance = max(balance - (amount or balance), 0)
        return refunds

    def _refund(
        self, imp_uid: str, amount: Any, balance: Any, requested_at: str, kind: Mapping[str, Any]
    ) -> Wanted:
        number = self._number()
        checksum = balance if self._random.random() < 0.4 and balance >= max(amount or 1, 1) else None
        by_order = f"M-{imp_uid}" if self._random.random() < 0.2 else None
        account = _ACCOUNT if kind.get("pay_method") == "vbank" else {}
        return refund(
            number,
            imp_uid,
            amount,
            checksum=checksum,
            merchant_uid=by_order,
            currency=kind.get("currency"),
            requested_at=requested_at,
            **account,
        )

    def _revokes(self) -> list[Wanted]:
        """One or two revocations of one number or receipt."""
        kind = self._random.choice(("vbank_revoke", "cvs_revoke", "receipt_revoke"))
        subject = f"num-{self._number()}"
        if kind == "receipt_revoke":
            kept = self._random.random() < _RARELY
            self.simulation.world.seed_receipt(
                {"merchant_uid": subject, "amount": 10_000, "keeps_revocation": kept}
            )
        else:
            self.simulation.world.seed_payment(
                {
                    "imp_uid": subject,
                    "merchant_uid": f"M-{subject}",
                    "amount": 10_000,
                    "status": self._random.choice(("ready", "ready", "ready", "paid")),
                    "pay_method": kind.removesuffix("_revoke"),
                    "revoked_status": self._random.choice(("cancelled", "failed")),
                }
            )
        return [revoke(self._number(), kind, subject) for _ in range(self._random.choice((1, 1, 2)))]

    def _order_cancels(self) -> list[Wanted]:
        """One or two cancellations of one order."""
        order_no = f"O-{self._number()}"
        currency = self.simulation.setting.ebp_currency
        whole, part, sent = (
            (Decimal("50.25"), Decimal("20.1"), 3) if currency == "USD" else (5_000, 2_000, 3_000)
        )
        lines = [line(1, 2, whole), line(2, 1, sent, "DELIVERY")]
        self.simulation.world.seed_order({"orderNo": order_no, "items": lines, "currency": currency})
        some = ([line(1, 1, whole)], [line(2, 1, sent, "DELIVERY")], [line(1, 1, part)], lines, lines)
        return [
            order_cancel(self._number(), order_no, self._random.choice(some), currency=currency)
            for _ in range(self._random.choice((1, 1, 2)))
        ]

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    # --- what comes again

    def _repeat(self, wanted: Wanted) -> None:
        """The publisher repeats itself, contradicts itself, or sends something broken."""
        queue = self.simulation.queues[wanted.cancel_type]
        roll = self._random.random()
        if roll < 0.1:
            queue.send(wanted.body, delay=self._random.choice((0.0, 10.0, 1_000.0)))
        elif roll < 0.13:
            queue.send(_contradicting(wanted.body), delay=5.0)
        elif roll < 0.16:
            queue.send(self._random.choice((_broken, unwritable))(wanted.body), delay=5.0)
        elif roll < 0.22:
            queue.send(wanted.quiet_body, delay=self._random.choice((0.0, 10.0, 1_000.0)))

    def _publish_malformed(self, wanted: Wanted) -> None:
        """The publisher's first and only message is broken; operators mend it in the end."""
        self.simulation.wanted[wanted.key] = wanted
        broken = self._random.choice((_broken, unwritable))(wanted.body)
        self.simulation.queues[wanted.cancel_type].send(broken)

    def _deliver_everything(self) -> None:
        """Deliver in batches; now and then an operator redrives a DLQ while everything still goes wrong."""
        simulation = self.simulation
        redrives = self._random.choice((0, 0, 0, 1, 2))
        for _ in range(60):
            batch = self._next_batch()
            if batch:
                simulation.deliver(batch, skew=self._random.choice(_SKEWS))
            elif redrives:
                redrives -= 1
                simulation.clock.advance(600)
                self._operate()
            else:
                return

    def _operate(self) -> None:
        """The sweeper's turn comes, and operators do something."""
        simulation = self.simulation
        if self._random.random() < 0.8:
            simulation.sweep(daily=self._random.random() < 0.2)
        work = self._random.choice(
            (None, None, None, operating.replay, operating.mend, operating.resolve, operating.resolve_loosely)
        )
        if simulation.limits.hourly or simulation.limits.largest:
            simulation.run_scheduled("admit", operating.admit)
        if work is not None:
            simulation.run_scheduled("operator", work)
        if work is not operating.replay:
            for queue in simulation.queues.values():
                queue.redrive()

    def _next_batch(self) -> list[Any]:
        simulation = self.simulation
        waiting = [m for queue in simulation.queues.values() for m in queue.messages.values()]
        if not waiting:
            return []
        first = min(waiting, key=lambda message: (message.hidden_until, message.message_id))
        simulation.clock.now = max(simulation.clock.now, first.hidden_until)
        kind = first.queue
        ready = [
            m
            for m in simulation.queues[kind].messages.values()
            if m.hidden_until <= simulation.clock.now and m is not first
        ]
        return [first, *ready[: self._random.choice((0, 0, 1, 3))]]

    def _replay_archive(self) -> None:
        """Later everything is published once more: what has ended stays as it was, forgotten or not."""
        simulation = self.simulation
        weeks, forgotten, quiet = (self._random.random() < share for share in (1.0, 0.1, 0.3))
        simulation.clock.advance((500 if forgotten else 14 * weeks) * 86_400)
        simulation.forgotten |= simulation.table.forget(simulation.clock.now)
        if not forgotten and self._random.random() < 0.2:
            self._restore_the_table()
        for wanted in simulation.wanted.values():
            simulation.queues[wanted.cancel_type].send(wanted.quiet_body if quiet else wanted.body)
        simulation.run()
        simulation.sweep_up()  # a lookup for one request may have booked what another one waits for
        self._watch.at_rest()

    def _restore_the_table(self) -> None:
        """Lose items of requests: all of them under the guard rail, or what the provider's books name."""
        simulation = self.simulation
        guarded = self._random.random() < 0.5
        lost = {key for key in simulation.table.requests if key in simulation.wanted}
        if guarded:
            simulation.limits = replace(simulation.limits, restored_at=simulation.clock.now)
        else:
            lost = {key for key in lost if carries_its_mark(simulation, simulation.wanted[key])}
        simulation.restore(lost)


def _iso(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _contradicting(body: str) -> str:
    """The same key with another payload."""
    event = json.loads(body)
    event["detail"]["order_id"] = "another-order"
    return json.dumps(event)


def _broken(body: str) -> str:
    """The same key with a request that breaks the contract."""
    event = json.loads(body)
    event["detail"]["request"] = {}
    return json.dumps(event)
