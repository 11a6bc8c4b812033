"""The kinds of faults: when each strikes, which operations, and with which parameters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING

from local.simulator.echoes import ECHOES
from local.simulator.reversal import SHAPES

if TYPE_CHECKING:
    from collections.abc import Mapping


class Operation(StrEnum):
    """What a request asks a provider to do, across both providers."""

    TOKEN = "token"  # noqa: S105 an operation
    CANCEL = "cancel"
    REVOKE = "revoke"
    RECEIPT = "receipt"
    LOOKUP = "lookup"
    DETAIL = "detail"


class FaultKind(StrEnum):
    """Every fault there is; README.md describes each."""

    REFUSE_CONNECTION = "refuse_connection"
    DROP_BEFORE_COMMIT = "drop_before_commit"
    HANG_BEFORE_COMMIT = "hang_before_commit"
    HTTP_5XX_BEFORE_COMMIT = "http_5xx_before_commit"
    HTML_BEFORE_COMMIT = "html_before_commit"
    TRUNCATED_BODY_BEFORE_COMMIT = "truncated_body_before_commit"
    EMPTY_BODY_BEFORE_COMMIT = "empty_body_before_commit"
    NOT_JSON_BEFORE_COMMIT = "not_json_before_commit"
    MALFORMED_HEAD_BEFORE_COMMIT = "malformed_head_before_commit"
    HTTP_429 = "http_429"

    TOKEN_EXPIRED = "token_expired"  # noqa: S105 a fault
    REFUSE = "refuse"
    UNSETTLED = "unsettled"
    LOOKUP_404 = "lookup_404"
    LATE_APPLY = "late_apply"
    FALSE_SUCCESS = "false_success"

    DROP_AFTER_COMMIT = "drop_after_commit"
    HANG_AFTER_COMMIT = "hang_after_commit"
    HTTP_5XX_AFTER_COMMIT = "http_5xx_after_commit"
    HTML_AFTER_COMMIT = "html_after_commit"
    TRUNCATED_BODY_AFTER_COMMIT = "truncated_body_after_commit"
    EMPTY_BODY_AFTER_COMMIT = "empty_body_after_commit"
    NOT_JSON_AFTER_COMMIT = "not_json_after_commit"
    MALFORMED_HEAD_AFTER_COMMIT = "malformed_head_after_commit"
    ERROR_ANSWER_AFTER_COMMIT = "error_answer_after_commit"
    WRONG_ECHO = "wrong_echo"

    SLOW = "slow"
    SOMEBODY_ELSE = "somebody_else"
    DEPOSIT = "deposit"
    PAID_AGAIN = "paid_again"
    REISSUED = "reissued"
    REVERSED = "reversed"
    STALE_LOOKUP = "stale_lookup"
    BALANCE_GREW = "balance_grew"
    GZIP = "gzip"
    HUGE_BODY = "huge_body"


class Stage(Enum):
    """When a fault strikes. The first three decide the answer: a request suffers at most one of those."""

    BEFORE = "before the request is looked at"
    INSTEAD = "instead of carrying it out"
    AFTER = "after it was carried out"
    MEANWHILE = "the world changes right before it"
    VIEW = "what a lookup sees"
    DELAY = "how long it takes"
    WIRE = "how a complete answer is sent"


DECIDING = frozenset({Stage.BEFORE, Stage.INSTEAD, Stage.AFTER})

_EVERY = frozenset(Operation)
_CHANGES = frozenset({Operation.CANCEL, Operation.REVOKE, Operation.RECEIPT})
_LOOKS = frozenset({Operation.LOOKUP, Operation.DETAIL})
_ERROR = frozenset({"status", "code", "message"})


@dataclass(frozen=True, slots=True)
class KindRule:
    """Where a kind strikes, which operations it can strike and which parameters it takes."""

    stage: Stage
    operations: frozenset[Operation] = _EVERY
    parameters: frozenset[str] = frozenset()


RULES: Mapping[FaultKind, KindRule] = {
    FaultKind.REFUSE_CONNECTION: KindRule(Stage.BEFORE),
    FaultKind.DROP_BEFORE_COMMIT: KindRule(Stage.BEFORE, parameters=frozenset({"loss"})),
    FaultKind.HANG_BEFORE_COMMIT: KindRule(Stage.BEFORE, parameters=frozenset({"seconds"})),
    FaultKind.HTTP_5XX_BEFORE_COMMIT: KindRule(Stage.BEFORE, parameters=_ERROR),
    FaultKind.HTML_BEFORE_COMMIT: KindRule(Stage.BEFORE, parameters=frozenset({"status"})),
    FaultKind.TRUNCATED_BODY_BEFORE_COMMIT: KindRule(Stage.BEFORE),
    FaultKind.EMPTY_BODY_BEFORE_COMMIT: KindRule(Stage.BEFORE, parameters=frozenset({"status"})),
    FaultKind.NOT_JSON_BEFORE_COMMIT: KindRule(Stage.BEFORE, parameters=frozenset({"status"})),
    FaultKind.MALFORMED_HEAD_BEFORE_COMMIT: KindRule(Stage.BEFORE),
    FaultKind.HTTP_429: KindRule(Stage.BEFORE, parameters=frozenset({"seconds"})),
    FaultKind.TOKEN_EXPIRED: KindRule(Stage.INSTEAD, _EVERY - {Operation.TOKEN, Operation.DETAIL}),
    FaultKind.REFUSE: KindRule(Stage.INSTEAD, parameters=_ERROR),
    FaultKind.UNSETTLED: KindRule(Stage.INSTEAD, frozenset({Operation.CANCEL})),
    FaultKind.LOOKUP_404: KindRule(Stage.INSTEAD, _LOOKS),
    FaultKind.LATE_APPLY: KindRule(Stage.INSTEAD, _CHANGES, frozenset({"seconds", "lookups", "loss"})),
    FaultKind.FALSE_SUCCESS: KindRule(Stage.INSTEAD, _CHANGES),
    FaultKind.DROP_AFTER_COMMIT: KindRule(Stage.AFTER, parameters=frozenset({"loss"})),
    FaultKind.HANG_AFTER_COMMIT: KindRule(Stage.AFTER, parameters=frozenset({"seconds"})),
    FaultKind.HTTP_5XX_AFTER_COMMIT: KindRule(Stage.AFTER, parameters=_ERROR),
    FaultKind.HTML_AFTER_COMMIT: KindRule(Stage.AFTER, parameters=frozenset({"status"})),
    FaultKind.TRUNCATED_BODY_AFTER_COMMIT: KindRule(Stage.AFTER),
    FaultKind.EMPTY_BODY_AFTER_COMMIT: KindRule(Stage.AFTER, parameters=frozenset({"status"})),
    FaultKind.NOT_JSON_AFTER_COMMIT: KindRule(Stage.AFTER, parameters=frozenset({"status"})),
    FaultKind.MALFORMED_HEAD_AFTER_COMMIT: KindRule(Stage.AFTER),
    FaultKind.ERROR_ANSWER_AFTER_COMMIT: KindRule(Stage.AFTER, _CHANGES, _ERROR),
    FaultKind.WRONG_ECHO: KindRule(Stage.AFTER, _EVERY - {Operation.TOKEN}, frozenset({"variant"})),
    FaultKind.SLOW: KindRule(Stage.DELAY, parameters=frozenset({"seconds"})),
    FaultKind.SOMEBODY_ELSE: KindRule(Stage.MEANWHILE, _EVERY - {Operation.TOKEN}, frozenset({"amount"})),
    FaultKind.DEPOSIT: KindRule(Stage.MEANWHILE, frozenset({Operation.REVOKE, Operation.LOOKUP})),
    FaultKind.PAID_AGAIN: KindRule(
        Stage.MEANWHILE, frozenset({Operation.CANCEL, Operation.LOOKUP}), frozenset({"variant"})
    ),
    FaultKind.REISSUED: KindRule(Stage.MEANWHILE, frozenset({Operation.RECEIPT, Operation.LOOKUP})),
    FaultKind.REVERSED: KindRule(Stage.MEANWHILE, _LOOKS, frozenset({"variant"})),
    FaultKind.STALE_LOOKUP: KindRule(Stage.VIEW, _LOOKS),
    FaultKind.BALANCE_GREW: KindRule(Stage.VIEW, _LOOKS, frozenset({"amount"})),
    FaultKind.GZIP: KindRule(Stage.WIRE),
    FaultKind.HUGE_BODY: KindRule(Stage.WIRE, parameters=frozenset({"size"})),
}

VARIANTS: Mapping[FaultKind, tuple[str, ...]] = {
    FaultKind.WRONG_ECHO: ECHOES,
    FaultKind.PAID_AGAIN: ("cancelled", "kept"),
    FaultKind.REVERSED: SHAPES,
}
"""The first one is the default."""


def kind_named(name: str) -> FaultKind:
    """The kind of that name. Raises ValueError listing all of them."""
    try:
        return FaultKind(name)
    except ValueError:
        raise ValueError(f"no fault kind {name!r}; there are {', '.join(FaultKind)}") from None
