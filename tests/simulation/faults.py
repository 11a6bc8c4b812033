"""Everything that can go wrong, by the call at which it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.simulation.gate import Call, Fault, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

_FAR_AWAY: Final = 10**9


def _provider(name: str, kind: str, **parameters: Any) -> Fault:
    return Fault(name, Kind.PROVIDER, provider=({"kind": kind, **parameters},))


def _late(name: str, unit: str, argument: int) -> Fault:
    """The request is on its way for long, and checked by the provider when it arrives."""
    return Fault(name, Kind.PROVIDER, effect=f"late {unit}", argument=argument)


def _aws(name: str, effect: str) -> Fault:
    return Fault(name, Kind.AWS, effect=effect)


def _meanwhile(name: str, effect: str, argument: int = 0, skew: float = 0.0) -> Fault:
    return Fault(name, Kind.MEANWHILE, effect=effect, argument=argument, skew=skew)


DEATH: Final = Fault("death", Kind.DEATH)

# --- another delivery, from this call on

DUPLICATE: Final = _meanwhile("a duplicate is delivered", "duplicate")
ZOMBIE: Final = _meanwhile("frozen until the message has been redelivered", "redelivery")
LATER_DUPLICATE: Final = Fault(
    "a duplicate is delivered 25 s later", Kind.MEANWHILE, effect="duplicate", sleep=25.0
)
SKEWED: Final = _meanwhile("a duplicate whose clock is 150 s ahead", "duplicate", skew=150)
RIVAL: Final = _meanwhile("the other request is delivered", "rival")
SWEPT: Final = Fault("frozen until the sweeper asks", Kind.MEANWHILE, effect="sweep", sleep=700.0)
DELIVERIES: Final = (DUPLICATE, LATER_DUPLICATE, ZOMBIE, SKEWED)


def held(whose: str, stop_at: int, skew: float = 0.0) -> Fault:
    """Another delivery starts, is held before its ``stop_at``-th call, and goes on when this one has ended.

    Args:
        whose: ``duplicate``, ``redelivery`` or ``rival``.
        stop_at: from 0.
        skew: seconds by which its clock is ahead.
    """
    clock = f", its clock {skew:.0f} s ahead" if skew else ""
    return _meanwhile(f"a {whose} starts, held at its call {stop_at}{clock}", f"{whose} held", stop_at, skew)


# --- somebody else

SOMEBODY_CANCELS_ALL: Final = _meanwhile("somebody else cancels all", "somebody cancel")
SOMEBODY_VOIDS: Final = _meanwhile("somebody else voids it", "somebody void")
SOMEBODY_PAYS: Final = _meanwhile("the customer pays", "somebody deposit")

# --- the world goes on

_MINUTES: Final = 130.0
"""Seconds: more than two clocks may differ, so that what is made then is younger than the event."""


def _later(name: str, effect: str) -> Fault:
    return Fault(name, Kind.MEANWHILE, effect=effect, sleep=_MINUTES)


PAID_AGAIN: Final = _later(
    "cancelled at the console and paid again under its merchant_uid", "world pay_again"
)
PAID_AGAIN_EARLIER: Final = _later(
    "cancelled and paid again, by a clock that is behind, before the event", "world pay_again earlier"
)
PAID_TWICE: Final = _later("paid a second time under its merchant_uid", "world pay_again keep")
REISSUED: Final = _later("the receipt is revoked and issued anew", "world reissue")
BOOKED: Final = _meanwhile("what the PG accepted is booked", "world book")
REFUSED_IN_THE_END: Final = _meanwhile("what the PG accepted is refused in the end", "world refuse")
ROTATED: Final = _meanwhile("the secret rotates", "world rotate")
ROLLED_BACK: Final = _meanwhile("items are as the previous version writes them", "world roll_back")


def somebody_cancels(amount: int) -> Fault:
    """Somebody else cancels ``amount`` won, and says why."""
    return _meanwhile(f"somebody else cancels {amount}", "somebody cancel", amount)


def somebody_cancels_silently(amount: int) -> Fault:
    """Somebody else cancels ``amount`` won without a reason, as a PG shows ours that drops reasons."""
    return _meanwhile(f"somebody else cancels {amount}, no reason given", "somebody cancel silently", amount)


def somebody_cancels_in_our_words(amount: int) -> Fault:
    """Somebody else cancels ``amount`` won for the customer's own reason."""
    return _meanwhile(f"somebody else cancels {amount} for the same reason", "somebody cancel alike", amount)


WORLD: Final = (PAID_AGAIN, PAID_TWICE, REISSUED, BOOKED, REFUSED_IN_THE_END, ROTATED, ROLLED_BACK)

# --- the way to the provider and back

NOT_SENT: Final = _provider("connection refused", "refuse_connection")
LOST_BEFORE: Final = _provider("lost, not applied", "drop_before_commit")
LOST_AFTER: Final = _provider("applied, answer lost", "drop_after_commit")
TIMEOUT_BEFORE: Final = _provider("read timeout, not applied", "hang_before_commit")
TIMEOUT_AFTER: Final = _provider("applied, read timeout", "hang_after_commit")
UNAVAILABLE: Final = _provider("503, not applied", "http_5xx_before_commit")
BROKEN_AFTER: Final = _provider("applied, 503", "http_5xx_after_commit")
HTML_AFTER: Final = _provider("applied, HTML", "html_after_commit")
TRUNCATED_AFTER: Final = _provider("applied, answer truncated", "truncated_body_after_commit")
EMPTY_AFTER: Final = _provider("applied, empty answer", "empty_body_after_commit")
TOO_MANY: Final = _provider("429", "http_429")
TOKEN_EXPIRED: Final = _provider("401", "token_expired")

# --- what the provider says

REFUSED: Final = _provider("refused", "refuse")
REFUSED_AS_DONE: Final = _provider(
    "refused as cancelled already, which is false", "refuse", code=1, message="이미 전액취소된 주문입니다."
)
REFUSED_LATER: Final = _provider(
    "refused for today", "refuse", message="[8178] 취소금액이 미정산 금액보다 큽니다"
)
DENIED: Final = _provider("applied, but refused", "error_answer_after_commit")
FALSE_SUCCESS: Final = _provider("success, not applied", "false_success")
WRONG_ID: Final = _provider("applied, another id in the answer", "wrong_echo", variant="identity")
WRONG_AMOUNT: Final = _provider("applied, another amount in the answer", "wrong_echo", variant="amount")
EBP_INTERNAL: Final = _provider(
    "applied, EBP-D-0001", "error_answer_after_commit", status=400, code="EBP-D-0001", message="internal"
)
EBP_UNHEARD_OF: Final = _provider(
    "applied, result code 1", "error_answer_after_commit", status=200, code="1", message="error"
)
EBP_OTHER_FAMILY: Final = _provider(
    "applied, EBP-E-0001", "error_answer_after_commit", status=500, code="EBP-E-0001", message="error"
)
EBP_DENIALS: Final = (EBP_INTERNAL, EBP_UNHEARD_OF, EBP_OTHER_FAMILY)
"""Codes that no list of refusals has, after the order was cancelled."""
NO_HISTORY: Final = _provider("applied, the answer's history lacks it", "wrong_echo", variant="history")
LATE_1: Final = _late("lost, arrives after the next lookup", "lookups", 1)
LATE_2: Final = _late("lost, arrives after two lookups", "lookups", 2)
LATE_BEFORE_REDELIVERY: Final = _late("lost, arrives a minute later", "seconds", 60)
SLOW: Final = Fault(
    "checked at once, carried out five minutes later, whatever has changed",
    Kind.PROVIDER,
    effect="late checked",
    argument=300,
)
LATEST: Final = _late("lost, arrives when everything is over", "seconds", _FAR_AWAY)

UNKNOWN_TO_LOOKUP: Final = _provider("404", "lookup_404")
STALE: Final = _provider("stale", "stale_lookup")

DENIALS: Final = (DENIED, *EBP_DENIALS)
"""The provider refuses what it has done."""
CONCEALMENTS: Final = (STALE, UNKNOWN_TO_LOOKUP)
"""A lookup does not show what was done. After a denial, nobody can know that anything was."""

AWS_NOT_SENT: Final = _aws("AWS cannot be reached", "not sent")
AWS_LOST: Final = _aws("done, AWS's answer lost", "lost")
AWS_LOST_REPEATED: Final = _aws("done, AWS's answer lost, repeated by the client", "lost, repeated")
FIRST_ENTRY: Final = _aws("the first entry is refused", "first entry refused")
LAST_ENTRY: Final = _aws("the last entry is refused", "last entry refused")
THROTTLED: Final = _aws("throttled", "throttled")


def grown(amount: int) -> Fault:
    """A lookup that shows ``amount`` won too many."""
    return _provider(f"the balance shown grew by {amount}", "balance_grew", amount=amount)


_SENDING: Final = (
    NOT_SENT,
    LOST_BEFORE,
    LOST_AFTER,
    TIMEOUT_BEFORE,
    TIMEOUT_AFTER,
    UNAVAILABLE,
    BROKEN_AFTER,
    HTML_AFTER,
    TRUNCATED_AFTER,
    EMPTY_AFTER,
    TOO_MANY,
    REFUSED,
    REFUSED_AS_DONE,
    REFUSED_LATER,
    DENIED,
    FALSE_SUCCESS,
    WRONG_ID,
    WRONG_AMOUNT,
    NO_HISTORY,
    LATE_1,
    LATE_2,
    LATE_BEFORE_REDELIVERY,
    SLOW,
    LATEST,
)
_LOOKING: Final = (
    NOT_SENT,
    UNAVAILABLE,
    TIMEOUT_BEFORE,
    UNKNOWN_TO_LOOKUP,
    STALE,
    WRONG_ID,
    WRONG_AMOUNT,
    NO_HISTORY,
)

BY_CALL: Final[Mapping[Call, tuple[Fault, ...]]] = {
    Call.SECRET: (AWS_NOT_SENT,),
    Call.TOKEN: (NOT_SENT, UNAVAILABLE, HTML_AFTER),
    Call.LOOKUP: (*_LOOKING, TOKEN_EXPIRED, grown(3000)),
    Call.DETAIL: _LOOKING,
    Call.CANCEL: (*_SENDING, TOKEN_EXPIRED),
    Call.REVOKE: (*_SENDING, TOKEN_EXPIRED),
    Call.GET: (AWS_NOT_SENT,),
    Call.CLAIM: (AWS_NOT_SENT, AWS_LOST, AWS_LOST_REPEATED),
    Call.UPDATE: (AWS_NOT_SENT, AWS_LOST, AWS_LOST_REPEATED),
    Call.QUERY: (AWS_NOT_SENT,),
    Call.BATCH_GET: (AWS_NOT_SENT,),
    Call.PUBLISH: (AWS_NOT_SENT, THROTTLED, FIRST_ENTRY, LAST_ENTRY, AWS_LOST),
    Call.HIDE: (AWS_NOT_SENT, AWS_LOST),
    Call.HOLD: (AWS_NOT_SENT, AWS_LOST),
    Call.DEAD_LETTER: (AWS_NOT_SENT, AWS_LOST),
    Call.PEEK: (AWS_NOT_SENT,),
    Call.REMOVE: (AWS_NOT_SENT, AWS_LOST),
    Call.RETURN: (),
}
"""What can go wrong in each call itself; death and other deliveries can happen at every one."""

ESSENTIAL: Final[Mapping[Call, tuple[Fault, ...]]] = {
    **BY_CALL,
    Call.TOKEN: (NOT_SENT,),
    Call.LOOKUP: (NOT_SENT, STALE),
    Call.DETAIL: (NOT_SENT, STALE),
    Call.CANCEL: (NOT_SENT, LOST_BEFORE, LOST_AFTER, REFUSED, DENIED, LATE_1, LATEST, FALSE_SUCCESS),
    Call.REVOKE: (NOT_SENT, LOST_BEFORE, LOST_AFTER, REFUSED, DENIED, LATE_1, LATEST, FALSE_SUCCESS),
    Call.CLAIM: (AWS_NOT_SENT, AWS_LOST),
    Call.UPDATE: (AWS_NOT_SENT, AWS_LOST),
    Call.PUBLISH: (AWS_NOT_SENT, AWS_LOST),
}
"""One of each class of fault, for schedules with several faults."""
