"""Puts together what operators and scheduled functions work with, from one deployment's settings."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from refunds.cancel_types import MODULES, all_cancel_types, cancel_type, provider_of
from refunds.domain.entry import Key
from refunds.domain.provider_call import ProviderCall
from refunds.ledger.audit import AuditTrail
from refunds.ledger.claims import Ledger
from refunds.ledger.queries import LedgerQueries
from refunds.messaging.publisher import Publisher
from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.carry_over import CarryOver
from refunds.operators.dead_letters import DeadLetters
from refunds.operators.discarding import Discarding
from refunds.operators.pause import SendingSwitch
from refunds.operators.reconciliation import DUE_AFTER, Reconciliation
from refunds.operators.replay import Replay
from refunds.operators.replay_verdicts import Judge, Judging
from refunds.operators.republication import Republication
from refunds.operators.resolution import Resolver
from refunds.operators.status_inquiry import StatusInquiry
from refunds.operators.sweeper import Sweeper, SweepRules
from refunds.operators.telling import DeadLetterTelling
from refunds.providers.clients import ProviderClients, provider_clients
from refunds.service.parts import Timing
from refunds.service.refund_service import RefundService
from refunds.settings import Settings


def _unobserved(_call: ProviderCall) -> None:
    """For questions asked by people: nobody counts them."""


@dataclass
class Operations:
    """Everything of one deployment; parts are made when they are first needed.

    As a context manager it closes its connections at the end.

    Attributes:
        make_aws_client: makes a botocore client of a service.
        all_queues: where the messages of each cancel type wait.
        hold: seconds for which a dead letter that was read stays hidden from others, at least.
        clock: UNIX seconds, as AWS and the functions tell them.
        observe: learns of every request to a provider.
    """

    make_aws_client: Callable[[str], Any]
    settings: Settings
    all_queues: tuple[CancelQueues, ...]
    hold: int = 120
    clock: Callable[[], float] = time.time
    observe: Callable[[ProviderCall], None] = _unobserved
    asked_elsewhere: Judging | None = None
    """Judges where providers may be asked, in the place of this process; ``None`` to ask from here."""
    indexes: str = "current"
    """Which indexes the ledger has: the template's ``LedgerIndexes``."""
    unreadable: dict[Key, None] = field(default_factory=dict)
    """Ledger items that could not be read and were passed over, in the order in which they were found."""
    _closing: ExitStack = field(default_factory=ExitStack, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def aws(self, service: str) -> Any:
        """A client of an AWS service."""
        return self._closing.enter_context(closing(self.make_aws_client(service)))

    @cached_property
    def ledger_queries(self) -> LedgerQueries:
        """What the ledger knows."""
        return LedgerQueries(
            self._dynamodb,
            self.settings.ledger_table,
            MODULES,
            indexes=self.indexes,
            unreadable=self._note_unreadable,
        )

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """The dead-letter queues."""
        return DeadLetters(self.aws("sqs"), clock=self.clock, hold=self.hold)

    @cached_property
    def audit(self) -> AuditTrail:
        """Who did what."""
        return AuditTrail(
            self._dynamodb,
            self.settings.ledger_table,
            clock=self.clock,
            ttl_days=self.settings.ledger_ttl_days,
        )

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, for the conditional writes of a resolution."""
        return Ledger(
            self._dynamodb,
            self.settings.ledger_table,
            clock=self.clock,
            ttl_days=self.settings.ledger_ttl_days,
            provider_of=provider_of,
        )

    @cached_property
    def resolver(self) -> Resolver:
        """Ends what is open, without its message."""
        under_way = self.settings.under_way
        return Resolver(
            self.ledger, self._publisher, self._status_inquiry, clock=self.clock, under_way=under_way
        )

    @cached_property
    def discarding(self) -> Discarding:
        """Throws dead letters away that never moved money."""
        return Discarding(self.dead_letters, self.ledger, self.resolver, self.audit, clock=self.clock)

    @cached_property
    def republication(self) -> Republication:
        """Publishes again."""
        return Republication(self.ledger_queries, self._publisher)

    def judge(self, *, asks: bool) -> Judging:
        """Judges dead letters, with or without asking the providers."""
        if asks and self.asked_elsewhere is not None:
            return self.asked_elsewhere
        return Judge(self.ledger_queries, self._status_inquiry if asks else None, clock=self.clock)

    def replay(self, *, asks: bool, stopped: Callable[[], bool] = lambda: False) -> Replay:
        """Replays dead letters."""
        return Replay(self.dead_letters, self.judge(asks=asks), self.audit, stopped=stopped)

    def reconciliation(
        self, tiers: Iterable[str] = (), due_after: Sequence[int] = DUE_AFTER
    ) -> Reconciliation:
        """Compares PortOne with the ledger."""
        return Reconciliation(
            self.ledger_queries,
            self._providers.portone(),
            patience=self._patience,
            tiers=tiers,
            status_inquiry=self._status_inquiry,
            due_after=due_after,
            clock=self.clock,
        )

    def sweeper(self, rules: SweepRules, passed_over: Callable[[Key, str], None]) -> Sweeper:
        """Brings open requests to their end, without sending."""
        return Sweeper(
            self.ledger,
            self.ledger_queries,
            self.resolver,
            rules,
            clock=self.clock,
            passed_over=passed_over,
        )

    def telling(self, passed_over: Callable[[str, str], None]) -> DeadLetterTelling:
        """Tells of dead letters that nobody has told of."""
        return DeadLetterTelling(
            self.dead_letters,
            {name: self._service(name) for name in MODULES},
            self._publisher,
            self.aws("sqs"),
            clock=self.clock,
            passed_over=passed_over,
        )

    @cached_property
    def sending(self) -> SendingSwitch:
        """Pauses and resumes."""
        return SendingSwitch(self.aws("lambda"), self.aws("sqs"))

    @cached_property
    def carry_over(self) -> CarryOver:
        """Renews the waiting messages of paused queues."""
        return CarryOver(self.aws("sqs"), self.sending, clock=self.clock, hold=self.hold)

    def _service(self, name: str) -> RefundService[Any]:
        """What tells of a message without working on it; it never sends."""
        return RefundService(
            cancel_type(name).policy,
            self._status_inquiry.operations[name],
            self.ledger,
            timing=Timing(self.clock, send_budget=0.0, lease_margin=0.0),
            new_owner=lambda: uuid.uuid4().hex,
        )

    def _note_unreadable(self, key: Key) -> None:
        self.unreadable.setdefault(key)

    @cached_property
    def _dynamodb(self) -> Any:
        return self.aws("dynamodb")

    @cached_property
    def _publisher(self) -> Publisher:
        return Publisher(self.aws("events"), self.settings.accounting_bus)

    @cached_property
    def _providers(self) -> ProviderClients:
        clients = provider_clients(self.settings, self.aws, self.observe)
        self._closing.callback(clients.provider_http.close)
        return clients

    @cached_property
    def _status_inquiry(self) -> StatusInquiry:
        operations = {kind.policy.cancel_type: kind.operation(self._providers) for kind in all_cancel_types()}
        return StatusInquiry(operations, self.ledger, self._patience)

    @property
    def _patience(self) -> float:
        """Seconds for an access token and up to two lookups."""
        timeouts = self.settings.timeouts
        return 3 * (timeouts.connect + timeouts.lookup)
