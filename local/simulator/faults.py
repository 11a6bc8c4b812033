"""Faults as data: what goes wrong, for whom, in which operation, how often."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ANY = "*"


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
    HTTP_429 = "http_429"

    TOKEN_EXPIRED = "token_expired"  # noqa: S105 a fault
    REFUSE = "refuse"
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
    ERROR_ANSWER_AFTER_COMMIT = "error_answer_after_commit"
    WRONG_ECHO = "wrong_echo"

    SLOW = "slow"
    SOMEBODY_ELSE = "somebody_else"
    DEPOSIT = "deposit"
    STALE_LOOKUP = "stale_lookup"
    BALANCE_GREW = "balance_grew"


class Stage(Enum):
    """When a fault strikes. The first three decide the answer: a request suffers at most one of those."""

    BEFORE = "before the request is looked at"
    INSTEAD = "instead of carrying it out"
    AFTER = "after it was carried out"
    MEANWHILE = "the world changes right before it"
    VIEW = "what a lookup sees"
    DELAY = "how long it takes"


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
    FaultKind.HTTP_429: KindRule(Stage.BEFORE, parameters=frozenset({"seconds"})),
    FaultKind.TOKEN_EXPIRED: KindRule(Stage.INSTEAD, _EVERY - {Operation.TOKEN, Operation.DETAIL}),
    FaultKind.REFUSE: KindRule(Stage.INSTEAD, parameters=_ERROR),
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
    FaultKind.ERROR_ANSWER_AFTER_COMMIT: KindRule(Stage.AFTER, _CHANGES, _ERROR),
    FaultKind.WRONG_ECHO: KindRule(Stage.AFTER, _EVERY - {Operation.TOKEN}, frozenset({"variant"})),
    FaultKind.SLOW: KindRule(Stage.DELAY, parameters=frozenset({"seconds"})),
    FaultKind.SOMEBODY_ELSE: KindRule(Stage.MEANWHILE, _EVERY - {Operation.TOKEN}, frozenset({"amount"})),
    FaultKind.DEPOSIT: KindRule(Stage.MEANWHILE, frozenset({Operation.REVOKE, Operation.LOOKUP})),
    FaultKind.STALE_LOOKUP: KindRule(Stage.VIEW, _LOOKS),
    FaultKind.BALANCE_GREW: KindRule(Stage.VIEW, _LOOKS, frozenset({"amount"})),
}

_REQUIRED = {FaultKind.SLOW: "seconds", FaultKind.BALANCE_GREW: "amount"}
_PARAMETERS = ("seconds", "lookups", "loss", "status", "code", "message", "amount", "variant")
_LOSSES = ("reset", "closed", "hang")
_VARIANTS = ("identity", "amount", "history", "items")


@dataclass(slots=True)
class Fault:
    """One fault.

    `subject` is an imp_uid, merchant_uid or orderNo, or "*"; `operation` one of `Operation`, or "*". It
    strikes `times` times (None: for ever), after letting the first `skip` matching requests pass. A kind
    that strikes after the commit is not used up by a request that was refused. Raises ValueError when a
    combination makes no sense.
    """

    kind: FaultKind
    subject: str = ANY
    operation: str = ANY
    times: int | None = 1
    skip: int = 0
    seconds: float | None = None
    lookups: int | None = None
    loss: str | None = None
    status: int | None = None
    code: str | int | None = None
    message: str | None = None
    amount: int | None = None
    variant: str | None = None
    fired: int = 0
    rule: KindRule = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.kind = FaultKind(self.kind)
        self.rule = RULES[self.kind]
        self._check_target()
        self._check_parameters()

    def _check_target(self) -> None:
        if self.operation != ANY and Operation(self.operation) not in self.rule.operations:
            raise ValueError(f"{self.kind} cannot strike operation {self.operation}")
        if self.times is not None and self.times < 1:
            raise ValueError("times must be at least 1, or null for ever")

    def _check_parameters(self) -> None:
        for name in _PARAMETERS:
            if getattr(self, name) is not None and name not in self.rule.parameters:
                raise ValueError(f"{self.kind} takes no {name}; it takes {sorted(self.rule.parameters)}")
        required = _REQUIRED.get(self.kind)
        if required and getattr(self, required) is None:
            raise ValueError(f"{self.kind} needs {required}")
        if self.kind is FaultKind.LATE_APPLY and (self.seconds is None) == (self.lookups is None):
            raise ValueError("late_apply needs either seconds or lookups")
        if self.loss is not None and self.loss not in _LOSSES:
            raise ValueError(f"loss is one of {_LOSSES}")
        if self.variant is not None and self.variant not in _VARIANTS:
            raise ValueError(f"variant is one of {_VARIANTS}")

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> Fault:
        """A fault from its JSON form. Raises ValueError naming what is wrong."""
        known = {f.name for f in fields(cls) if f.init and f.name != "fired"}
        unknown = set(data) - known
        if unknown or "kind" not in data:
            raise ValueError(f"a fault needs kind and takes {sorted(known)}; got {sorted(data)}")
        return cls(**data)

    def as_mapping(self, *, state: bool = True) -> dict[str, Any]:
        """Its JSON form, with how often it has fired unless `state` is False."""
        hidden = {"rule"} if state else {"rule", "fired"}
        shown = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in hidden}
        return {name: value for name, value in shown.items() if value is not None or name == "times"}

    @property
    def exhausted(self) -> bool:
        """Whether it has struck as often as it should."""
        return self.times is not None and self.fired >= self.times

    def matches(self, operation: Operation, subjects: Iterable[str]) -> bool:
        """Whether it concerns a request with these ids."""
        return (
            not self.exhausted
            and operation in self.rule.operations
            and self.operation in (ANY, operation)
            and (self.subject == ANY or self.subject in subjects)
        )


@dataclass(slots=True)
class Struck:
    """The faults of one request: at most one that decides the answer, and any number beside it."""

    deciding: Fault | None = None
    beside: list[Fault] = field(default_factory=list)


@dataclass(slots=True)
class FaultBoard:
    """The faults switched on, in the order they were posted; the oldest matching one decides."""

    faults: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Switch a fault on."""
        self.faults.append(fault)

    def clear(self, subject: str | None = None) -> None:
        """Switch off all faults, or those of one subject."""
        self.faults = [] if subject is None else [f for f in self.faults if f.subject != subject]

    def strike(self, operation: Operation, subjects: Iterable[str]) -> Struck:
        """The faults that concern a request. None counts as fired yet."""
        struck = Struck()
        for fault in self.faults:
            if not fault.matches(operation, subjects):
                continue
            if fault.skip:
                fault.skip -= 1
            elif fault.rule.stage not in DECIDING:
                struck.beside.append(fault)
            elif struck.deciding is None:
                struck.deciding = fault
        return struck
