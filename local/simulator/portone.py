"""PortOne V1 as its V1 specification and docs/providers.md describe it.

Texts the sources document are used word for word; the others are this simulator's own and marked so, because
no client may depend on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from local.simulator.calls import Call, Plan
from local.simulator.echoes import distort_code, distort_payment
from local.simulator.faults import Fault, Operation
from local.simulator.movements import Actor
from local.simulator.pg_rules import unsettled
from local.simulator.portone_booking import BookingDesk
from local.simulator.portone_cancel import CancelDesk
from local.simulator.portone_console import PortOneConsole
from local.simulator.portone_lookup import LookupDesk
from local.simulator.portone_revoke import RevokeDesk
from local.simulator.portone_state import PortOneState, failure, success

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from decimal import Decimal

    from local.simulator.records import Sight
    from local.simulator.wire import Reply, Request

APPLIED_BUT_REFUSED = "결제취소에 실패하였습니다. [500626|기 취소 거래]"  # docs/providers.md
SERVER_ERROR = "일시적인 오류가 발생하였습니다."  # own text
REFUSED = "결제취소에 실패하였습니다."  # docs/providers.md, without a PG's part


@dataclass(frozen=True, slots=True)
class PortOneKeys:
    """What a caller must know: REST API key and secret, and KG Inicis' API key for virtual accounts."""

    imp_key: str = "simulator-imp-key"
    imp_secret: str = "simulator-imp-secret"  # noqa: S105 made up
    pg_api_key: str = "simulator-pg-api-key"


class PortOne:
    """Routes, credentials and lies of PortOne V1; the desks carry the calls out."""

    name = "portone"

    def __init__(self, state: PortOneState, keys: PortOneKeys) -> None:
        self._state = state
        self._keys = keys
        self._bookings = BookingDesk(state)
        self._cancels = CancelDesk(state, self._bookings)
        self._lookups = LookupDesk(state)
        self._revokes = RevokeDesk(state, keys.pg_api_key)
        self.console = PortOneConsole(state, self._cancels, self._revokes, self._bookings)

    def rotate(self, keys: PortOneKeys, *, tokens: bool) -> None:
        """Take `keys` from now on and no others; `tokens`: the access tokens end with the old ones."""
        self._keys = keys
        self._revokes.pg_api_key = keys.pg_api_key
        if tokens:
            self._state.tokens.clear()

    def recognise(self, request: Request) -> Call | None:
        """The call behind a request; faults can name a payment by imp_uid and by merchant_uid."""
        head, *rest = (unquote(part) for part in request.path.strip("/").split("/"))
        match (request.method, head, *rest):
            case ("POST", "payments", "cancel"):
                return self._cancel(request)
            case ("POST", "users", "getToken"):
                return Call(self, Operation.TOKEN, (), request, partial(self._token, request))
            case ("GET", "payments", *_):
                return self._recognise_lookup(request, rest)
            case ("GET", "receipts", "external", merchant_uid):
                return self._lookup(request, (merchant_uid,), self._lookups.receipt, merchant_uid)
            case ("DELETE", *_):
                return self._recognise_revocation(request, head, rest)
        return None

    def refuse_credentials(self, call: Call) -> Reply | None:
        """HTTP 401 for a missing, unknown or expired access token; `Bearer x` and bare `x` are both read."""
        if call.operation is Operation.TOKEN or self._state.tokens.valid(
            _token_of(call), self._state.clock()
        ):
            return None
        return failure(401, -1, "Unauthorized")

    def expire_credentials(self, call: Call) -> Reply:
        """Revoke the token, so that asking again gives another one, and answer 401."""
        self._state.tokens.revoke(_token_of(call))
        return failure(401, -1, "Unauthorized")

    def error(self, _call: Call, fault: Fault, status: int) -> Reply:
        """A technical error with code -1."""
        return _failure_as_told(fault, status, SERVER_ERROR)

    def refuse(self, _call: Call, fault: Fault) -> Reply:
        """HTTP 200 with a code other than 0: refused."""
        return _failure_as_told(fault, 200, REFUSED)

    def refuse_for_now(self, call: Call) -> Reply:
        """HTTP 200, code -1 and the PG's own words."""
        payment = self._state.payments.current.get(call.subject)
        return failure(200, -1, unsettled(payment.pg_provider if payment else ""))

    def applied_but_refused(self, _call: Call, fault: Fault) -> Reply:
        """HTTP 200, code -1 and a text that says it had been cancelled before."""
        return _failure_as_told(fault, 200, APPLIED_BUT_REFUSED)

    def not_found(self, _call: Call) -> Reply:
        """HTTP 404 with the documented text."""
        return self._lookups.not_found()

    def distort(self, reply: Reply, variant: str) -> None:
        """Change the id, an amount or the history of every record shown."""
        for shown in _shown_records(reply.payload.get("response")):
            distort_payment(shown, variant)
        distort_code(reply.payload, variant)

    def interfere(self, call: Call, amount: Decimal | None) -> None:
        """Somebody else cancels `amount` of a payment, or voids a number or a receipt."""
        if call.request.path.startswith("/receipts/"):
            self._revokes.void_receipt(call.subject, Actor.SOMEBODY_ELSE)
            return
        imp_uid = self._state.imp_uid_of(call.subject)
        if call.operation is Operation.REVOKE:
            self._revokes.void_number(imp_uid, Actor.SOMEBODY_ELSE)
        else:
            self._cancels.cancel_by_somebody_else(imp_uid, amount)

    def deposit(self, subject: str, who: Actor) -> None:
        """The customer pays into an unpaid number."""
        self._revokes.deposit(self._state.imp_uid_of(subject), who)

    def pay_again(self, subject: str, *, keep: bool) -> None:
        """Cancel the newest payment of an order at the console, unless `keep`, and pay it another time."""
        if self._state.imp_uid_of(subject) in self._state.payments.current:
            self.console.pay_again(subject, keep=keep)

    def reissue(self, subject: str) -> None:
        """Put another receipt in the place of one."""
        if subject in self._state.receipts.current:
            self.console.reissue(subject)

    def reverse(self, subject: str, shape: str) -> None:
        """The last booked refund of a payment is rejected after all."""
        payment = self._state.payments.current.get(self._state.imp_uid_of(subject))
        if payment is not None and payment.cancel_amount > 0:
            self._bookings.reverse(payment.imp_uid, None, shape)

    def book_due(self, now: float) -> None:
        """Book what was accepted and has waited long enough."""
        if self._state.waiting:
            self._bookings.book_due(now)

    def count_lookup(self, subjects: Iterable[str]) -> None:
        """A lookup of these ids was answered."""
        if self._state.waiting:
            self._bookings.count_lookup(tuple(subjects))

    def book_all(self) -> None:
        """Book everything accepted that is not meant to wait for ever."""
        self._bookings.settle()

    def end_bookings(self, subject: str, end: str | None) -> int:
        """End what waits of a payment, or one acceptance. Raises ValueError for an unknown end."""
        return self._bookings.end(self._state.imp_uid_of(subject), end)

    def _recognise_lookup(self, request: Request, rest: list[str]) -> Call | None:
        match rest:
            case [imp_uid]:
                return self._lookup(request, self._subjects(imp_uid), self._lookups.one, imp_uid)
            case ["status", status]:
                return self._lookup(request, (), self._lookups.by_status, status)
            case ["find", merchant_uid, *status]:
                return self._of_order(request, self._lookups.first, merchant_uid, status)
            case ["findAll", merchant_uid, *status]:
                return self._of_order(request, self._lookups.all, merchant_uid, status)
        return None

    def _recognise_revocation(self, request: Request, head: str, rest: list[str]) -> Call | None:
        match (head, *rest):
            case ("vbanks", imp_uid):
                plan = partial(self._revokes.vbank, request, imp_uid)
                return Call(self, Operation.REVOKE, self._subjects(imp_uid), request, plan)
            case ("cvs", imp_uid):
                plan = partial(self._revokes.cvs, imp_uid)
                return Call(self, Operation.REVOKE, self._subjects(imp_uid), request, plan)
            case ("receipts", "external", merchant_uid):
                plan = partial(self._revokes.receipt, merchant_uid)
                return Call(self, Operation.RECEIPT, (merchant_uid,), request, plan)
        return None

    def _subjects(self, imp_uid: str) -> tuple[str, ...]:
        payment = self._state.payments.current.get(imp_uid)
        return (imp_uid, payment.merchant_uid) if payment else (imp_uid,)

    def _lookup(
        self, request: Request, subjects: tuple[str, ...], look: Callable[..., Plan | Reply], key: str
    ) -> Call:
        return Call(self, Operation.LOOKUP, subjects, request, partial(look, request, key))

    def _of_order(
        self, request: Request, look: Callable[..., Plan | Reply], merchant_uid: str, rest: list[str]
    ) -> Call | None:
        if len(rest) > 1:
            return None
        status = rest[0] if rest else ""
        subjects = (merchant_uid, *self._state.by_merchant.get(merchant_uid, ()))
        return Call(self, Operation.LOOKUP, subjects, request, partial(look, request, merchant_uid, status))

    def _cancel(self, request: Request) -> Call:
        try:
            fields = request.fields()
        except ValueError:
            refusal = failure(400, -1, "요청 본문을 읽을 수 없습니다.")  # own text
            return Call(self, Operation.CANCEL, (), request, lambda _sight: refusal)
        imp_uid = self._cancels.target(fields)
        subjects = self._subjects(imp_uid) if imp_uid else ()
        return Call(self, Operation.CANCEL, subjects, request, partial(self._cancels.plan, imp_uid, fields))

    def _token(self, request: Request, _sight: Sight) -> Plan | Reply:
        try:
            fields = request.fields()
        except ValueError:
            fields = {}
        if (fields.get("imp_key"), fields.get("imp_secret")) != (self._keys.imp_key, self._keys.imp_secret):
            return failure(401, -1, "imp_key, imp_secret 인증에 실패하였습니다.")
        now = self._state.clock()
        token, expires = self._state.tokens.issue(now)
        answer = success({"access_token": token, "expired_at": int(expires), "now": int(now)})
        return Plan(reply=lambda: answer)


def _failure_as_told(fault: Fault, status: int, message: str) -> Reply:
    code = -1 if fault.code is None else int(fault.code)
    return failure(fault.status or status, code, fault.message or message)


def _token_of(call: Call) -> str:
    header = call.request.headers.get("authorization") or ""
    return header[7:] if header[:7].lower() == "bearer " else header


def _shown_records(response: Any) -> list[dict[str, Any]]:
    if not isinstance(response, dict):
        return []
    listed = response.get("list")
    return listed if isinstance(listed, list) else [response]
