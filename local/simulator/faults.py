"""Faults as data: what goes wrong, for whom, in which operation, how often."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from local.simulator.currencies import money
from local.simulator.fault_kinds import (
    DECIDING,
    RULES,
    VARIANTS,
    FaultKind,
    KindRule,
    Operation,
    Stage,
    kind_named,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

__all__ = ["ANY", "Fault", "FaultBoard", "FaultKind", "Operation", "Stage", "Struck"]

ANY = "*"

_REQUIRED = {FaultKind.SLOW: "seconds", FaultKind.BALANCE_GREW: "amount"}
_PARAMETERS = ("seconds", "lookups", "loss", "status", "code", "message", "amount", "variant", "size")
_LOSSES = ("reset", "closed", "hang")


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
    amount: int | float | Decimal | None = None
    variant: str | None = None
    size: int | None = None
    fired: int = 0
    rule: KindRule = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.kind = kind_named(self.kind)
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
        if self.amount is not None:
            money(self.amount)
        if self.variant is not None and self.variant not in VARIANTS[self.kind]:
            raise ValueError(f"variant of {self.kind} is one of {VARIANTS[self.kind]}")

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
    def chosen_variant(self) -> str:
        """The variant, or its kind's default one."""
        return self.variant or VARIANTS[self.kind][0]

    @property
    def exact_amount(self) -> Decimal | None:
        """The amount as money; None: not told."""
        return None if self.amount is None else money(self.amount)

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
