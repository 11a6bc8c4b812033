"""The world a client meets: both providers, their faults and outages, and the oracle that counts money."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from local.simulator import effects
from local.simulator.calls import Call, Plan, Provider
from local.simulator.currencies import NOTHING, money
from local.simulator.ebp import Ebp, EbpKeys, EbpState
from local.simulator.fault_actions import INSTEAD, MEANWHILE
from local.simulator.faults import Fault, FaultBoard, FaultKind, Operation, Stage
from local.simulator.movements import Actor, MoneyLedger
from local.simulator.orders import Order, order_from_seed
from local.simulator.payments import Payment, payment_from_seed
from local.simulator.portone import PortOne, PortOneKeys
from local.simulator.portone_state import PortOneState
from local.simulator.receipts import Receipt, receipt_from_seed
from local.simulator.records import CLEAR_SIGHT, Sight
from local.simulator.reversal import SHAPES
from local.simulator.tokens import AccessTokens
from local.simulator.wire import JSON_HEADERS, Answer, LossKind, Lost, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

UNKNOWN_ROUTE = Answer(404, JSON_HEADERS, b'{"code": -1, "message": "no such route", "response": null}')
OUTAGE_ANSWER = Answer(503, JSON_HEADERS, b'{"code": -1, "message": "service unavailable", "response": null}')
OUTAGE_MODES = ("unavailable", "close", "refuse")
OK = 200
LOOKS = (Operation.LOOKUP, Operation.DETAIL)


@dataclass(frozen=True, slots=True)
class Outage:
    """Every request to `provider` ("*": both) fails until `until` (UNIX seconds; None: until ended)."""

    mode: str
    provider: str = "*"
    until: float | None = None


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One provider request as it was handled. Holds no query, header or body: secrets travel in those.

    `subjects` are the ids it concerned, `outcome` the HTTP status or how the answer got lost, `committed`
    whether it changed the provider's state, `faults` the kinds that struck it, `tier` the Tier header.
    """

    at: float
    provider: str
    method: str
    path: str
    operation: str
    subjects: tuple[str, ...]
    outcome: str
    committed: bool
    faults: tuple[str, ...]
    tier: str


@dataclass(slots=True)
class LateApplication:
    """An accepted call that will be carried out at `due` (UNIX seconds) or after `lookups_left` lookups."""

    call: Call
    due: float | None
    lookups_left: int | None


@dataclass(slots=True)
class _Handling:
    """What became of one request so far."""

    delay: float = 0.0
    committed: bool = False
    struck: list[Fault] = field(default_factory=list)

    def strike(self, fault: Fault) -> None:
        fault.fired += 1
        self.struck.append(fault)


class World:
    """Both providers in memory. Deterministic: no threads, no sockets, no randomness.

    `clock` gives UNIX seconds; `run` prefixes every id, so that ids of two runs differ. Not thread-safe: a
    server calls it under a lock. Can be deep-copied if its clock can.
    """

    outage: Outage | None
    money: MoneyLedger
    faults: FaultBoard
    requests: list[LoggedRequest]
    late: list[LateApplication]

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        portone_keys: PortOneKeys | None = None,
        ebp_keys: EbpKeys | None = None,
        run: str = "",
    ) -> None:
        self.clock = clock
        self._run = run
        self._counter = 0
        self._tokens = AccessTokens(self._next_id)
        self._portone_keys = portone_keys or PortOneKeys()
        self._ebp_keys = ebp_keys or EbpKeys()
        self._empty()

    def reset(self, *, tokens: bool = False) -> None:
        """Forget all records, movements, faults and requests; access tokens only if `tokens`.

        Ids go on counting: a cancellation_id seen before the reset must not come back after it.
        """
        if tokens:
            self._tokens.clear()
        self._empty()

    def handle(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer | Lost:
        """Carry out one provider request. `headers` are asked for in lower case; `path` has no query."""
        request = Request(method, path, query, headers, body)
        self.apply_due()
        call = self.ebp.recognise(request) or self.portone.recognise(request)
        if call is None:
            self._log(request, None, _Handling(), UNKNOWN_ROUTE)
            return UNKNOWN_ROUTE
        handling = _Handling()
        answer = self._outage_answer(call.provider) or self._perform(call, handling)
        if handling.delay:
            answer = replace(answer, delay_seconds=answer.delay_seconds + handling.delay)
        self._log(request, call, handling, answer)
        if call.operation in LOOKS and isinstance(answer, Answer) and answer.status == OK:
            self._count_lookup(call)
            call.provider.count_lookup(call.subjects)
        return answer

    def seed_payment(self, seed: Mapping[str, Any]) -> Payment:
        """Put a payment (see `payment_from_seed`), replacing one with the same imp_uid. Raises ValueError."""
        payment = payment_from_seed(seed, int(self.clock()))
        self.portone_state.seed_payment(payment)
        return payment

    def seed_receipt(self, seed: Mapping[str, Any]) -> Receipt:
        """Put an external cash receipt (see `receipt_from_seed`). Raises ValueError."""
        receipt = receipt_from_seed(seed, int(self.clock()))
        self.portone_state.receipts.seed(receipt.merchant_uid, receipt)
        return receipt

    def seed_order(self, seed: Mapping[str, Any]) -> Order:
        """Put an EBP order (see `order_from_seed`). Raises ValueError."""
        order = order_from_seed(seed)
        self.ebp_state.orders.seed(order.order_no, order)
        return order

    def add_fault(self, fault: Fault) -> None:
        """Switch a fault on."""
        self.faults.add(fault)

    def start_outage(
        self, mode: str = "unavailable", *, seconds: float | None = None, provider: str = "*"
    ) -> None:
        """Fail every provider request: "unavailable" (503), "close" (FIN) or "refuse". Raises ValueError."""
        if mode not in OUTAGE_MODES or provider not in ("*", PortOne.name, Ebp.name):
            raise ValueError(f"mode is one of {OUTAGE_MODES}, provider *, portone or ebp")
        self.outage = Outage(mode, provider, None if seconds is None else self.clock() + seconds)

    def end_outage(self) -> None:
        """Let the providers work again."""
        self.outage = None

    def somebody_else(self, subject: str, action: str, amount: Any = None, reason: str = "") -> None:
        """Change a record through another channel than the API.

        `action` is "cancel" (`amount` of a payment or an order, None: all that is left), "void" (an unpaid
        number or a cash receipt) or "deposit" (into an unpaid payment). Raises ValueError for an unknown
        subject or action; what the record's state does not allow has no effect.
        """
        self._check_known(subject)
        exact = None if amount is None else money(amount)
        match action:
            case "cancel" if subject in self.ebp_state.orders.current:
                self.ebp.cancel_by_somebody_else(subject, exact)
            case "cancel":
                self.portone.console.cancel(subject, exact, reason)
            case "void":
                self.portone.console.void(subject)
            case "deposit":
                self.portone.deposit(subject, Actor.SOMEBODY_ELSE)
            case _:
                raise ValueError("action is cancel, void or deposit")

    def reverse(self, subject: str, cancellation_id: str | None = None, shape: str = SHAPES[0]) -> None:
        """A refund that had been booked (default: the last one) is rejected after all. Raises ValueError."""
        self._check_known(subject)
        if subject in self.ebp_state.orders.current:
            self.ebp.reverse_by_bank(subject, cancellation_id, shape)
        else:
            self.portone.console.reverse(subject, cancellation_id, shape)

    def end_bookings(self, subject: str, end: str | None = None) -> int:
        """End what waits of a payment, or one acceptance, as planned or as `end` says. Returns how many.

        Raises ValueError for an unknown end.
        """
        return self.portone.end_bookings(subject, end)

    def rotate_keys(self, *, tokens: bool = True, **keys: str) -> None:
        """Change keys (fields of `PortOneKeys` and `EbpKeys`): the old ones are refused from now on.

        `tokens`: access tokens end too. Raises ValueError for an unknown key.
        """
        portone = {name: keys.pop(name) for name in ("imp_key", "imp_secret", "pg_api_key") if name in keys}
        ebp = {name: keys.pop(name) for name in ("access_key", "hash_key") if name in keys}
        if keys:
            raise ValueError("keys are imp_key, imp_secret, pg_api_key, access_key and hash_key")
        self._portone_keys = replace(self._portone_keys, **portone)
        self._ebp_keys = replace(self._ebp_keys, **ebp)
        if portone:
            self.portone.rotate(self._portone_keys, tokens=tokens)
        self.ebp.rotate(self._ebp_keys)

    def calls(self, subject: str, operation: Operation | None = None) -> int:
        """How many requests a payment, receipt or order saw, of one operation or of all."""
        return sum(
            subject in logged.subjects and operation in (None, logged.operation) for logged in self.requests
        )

    def apply_due(self) -> None:
        """Carry out the late calls and book the accepted cancellations whose time has come."""
        now = self.clock()
        self.portone.book_due(now)
        if self.late:
            self._apply_late([late for late in self.late if late.due is not None and late.due <= now])

    def settle(self) -> None:
        """Carry out every late call and book what was accepted, as when no more requests come.

        What is accepted and meant to wait for ever goes on waiting.
        """
        self._apply_late(list(self.late))
        self.portone.book_all()

    def _empty(self) -> None:
        self.money = MoneyLedger()
        self.faults = FaultBoard()
        self.outage = None
        self.requests = []
        self.late = []
        self.portone_state = PortOneState(self.clock, self._next_id, self.money, self._tokens)
        self.ebp_state = EbpState(self.clock, self._next_id, self.money)
        self.portone = PortOne(self.portone_state, self._portone_keys)
        self.ebp = Ebp(self.ebp_state, self._ebp_keys)

    def _check_known(self, subject: str) -> None:
        known = (self.portone_state.payments, self.portone_state.receipts, self.ebp_state.orders)
        if not any(subject in records.current for records in known):
            raise ValueError(f"nothing is known as {subject!r}")

    def _next_id(self, prefix: str) -> str:
        self._counter += 1
        return f"{prefix}-{self._run}{self._counter:08d}"

    def _outage_answer(self, provider: Provider) -> Answer | Lost | None:
        outage = self.outage
        if outage is None or outage.provider not in ("*", provider.name):
            return None
        if outage.until is not None and outage.until <= self.clock():
            self.outage = None
            return None
        if outage.mode == "unavailable":
            return OUTAGE_ANSWER
        return Lost(LossKind.CLOSED if outage.mode == "close" else LossKind.REFUSED)

    def _perform(self, call: Call, handling: _Handling) -> Answer | Lost:
        struck = self.faults.strike(call.operation, call.subjects)
        deciding = struck.deciding
        for fault in struck.beside:
            if fault.rule.stage is Stage.DELAY:
                handling.strike(fault)
                handling.delay += fault.seconds or 0.0
        answer = self._answer(call, deciding, struck.beside, handling)
        if isinstance(answer, Answer):
            for fault in (one for one in struck.beside if one.rule.stage is Stage.WIRE):
                handling.strike(fault)
                answer = effects.sent(fault, answer)
        return answer

    def _answer(
        self, call: Call, deciding: Fault | None, beside: list[Fault], handling: _Handling
    ) -> Answer | Lost:
        if deciding and deciding.rule.stage is Stage.BEFORE:
            handling.strike(deciding)
            return effects.unheard(deciding, call)
        refusal = call.provider.refuse_credentials(call)
        if refusal:
            return refusal.encoded()
        sight = self._interfere(call, beside, handling)
        # Asked by merchant_uid, the same request may mean another payment now.
        if any(fault.kind is FaultKind.PAID_AGAIN for fault in handling.struck):
            call = call.provider.recognise(call.request) or call
        if deciding and deciding.kind in INSTEAD:
            handling.strike(deciding)
            return INSTEAD[deciding.kind](call, deciding).encoded()
        plan = call.plan(sight)
        if isinstance(plan, Reply):
            return plan.encoded()
        return self._carry_out(call, plan, deciding, handling)

    def _interfere(self, call: Call, beside: list[Fault], handling: _Handling) -> Sight:
        stale, grown_by = False, NOTHING
        for fault in beside:
            if fault.rule.stage is Stage.VIEW:
                handling.strike(fault)
                stale = stale or fault.kind is FaultKind.STALE_LOOKUP
                grown_by += fault.exact_amount or NOTHING
            elif fault.rule.stage is Stage.MEANWHILE:
                handling.strike(fault)
                MEANWHILE[fault.kind](call, fault)
        return Sight(stale, grown_by) if stale or grown_by else CLEAR_SIGHT

    def _carry_out(
        self, call: Call, plan: Plan, deciding: Fault | None, handling: _Handling
    ) -> Answer | Lost:
        if deciding:
            handling.strike(deciding)
        if deciding and deciding.kind is FaultKind.FALSE_SUCCESS:
            return plan.reply().encoded()
        if deciding and deciding.kind is FaultKind.LATE_APPLY:
            return self._postpone(call, deciding)
        if plan.commit:
            plan.commit()
            handling.committed = True
        reply = plan.reply()
        return effects.answered(deciding, call, reply) if deciding else reply.encoded()

    def _postpone(self, call: Call, fault: Fault) -> Lost:
        due = None if fault.seconds is None else self.clock() + fault.seconds
        self.late.append(LateApplication(call, due, fault.lookups))
        return effects.lost(fault)

    def _count_lookup(self, looked: Call) -> None:
        """A late call waits for lookups that were answered; one that arrives then finds it applied."""
        ripe = []
        for late in self.late:
            if late.lookups_left is not None and late.call.subject in looked.subjects:
                late.lookups_left -= 1
                if late.lookups_left <= 0:
                    ripe.append(late)
        self._apply_late(ripe)

    def _apply_late(self, ripe: list[LateApplication]) -> None:
        """A late call is checked against the state of now: what changed meanwhile can still refuse it."""
        for late in ripe:
            self.late.remove(late)
            plan = late.call.plan(CLEAR_SIGHT)
            if isinstance(plan, Plan) and plan.commit:
                plan.commit()

    def _log(self, request: Request, call: Call | None, handling: _Handling, answer: Answer | Lost) -> None:
        self.requests.append(
            LoggedRequest(
                at=self.clock(),
                provider=call.provider.name if call else "",
                method=request.method,
                path=request.path,
                operation=call.operation if call else "unknown",
                subjects=call.subjects if call else (),
                outcome=str(answer.status) if isinstance(answer, Answer) else f"lost: {answer.kind}",
                committed=handling.committed,
                faults=tuple(fault.kind for fault in handling.struck),
                tier=request.headers.get("tier") or "",
            )
        )
