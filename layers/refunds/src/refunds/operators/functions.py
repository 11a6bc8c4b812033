"""The scheduled and invoked functions: the same work as ``refundctl``, for automation.

Nothing happens at import: the environment is read when the first event arrives.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Annotated, Any, ClassVar, Final

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from refunds.aws import AwsClients
from refunds.contracts.trigger import LambdaContext
from refunds.domain.deadline import Deadline
from refunds.domain.redaction import redact
from refunds.errors import ConfigurationError
from refunds.ledger.audit import Actor
from refunds.operators.cancel_queues import chosen, queues_of_url
from refunds.operators.dead_letters import Selection
from refunds.operators.operations import Operations
from refunds.operators.rate_limiter import RateLimiter
from refunds.operators.reconciliation import Kind, Window
from refunds.operators.replay import USUAL, Judged, Plan
from refunds.operators.replay_verdicts import ReplayVerdict
from refunds.operators.sweeper import Sweeper
from refunds.settings import Settings
from refunds.telemetry.logs import quiet_libraries
from refunds.telemetry.metrics import Metrics

_CONNECTIONS: Final = 20
_FINISH: Final = 10.0  # seconds kept back for showing messages again and for answering
_SHOWN: Final = 100  # messages named in an answer; Lambda's answer is limited to 6 MB

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class OperatorFunction:
    """What the three functions have in common: a desk, a log and metrics, made on the first event.

    Args:
        environment: as the other functions', and for the replay ``OPERATOR_QUEUE_URL``
            (see ``queues_of_url``).
    """

    service: ClassVar[str]

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._desk: Operations | None = None

    def operations(self) -> Operations:
        """The deployment's parts."""
        if self._desk is None:
            quiet_libraries()
            settings = Settings.from_environment(self._environment)
            url = self._environment.get("OPERATOR_QUEUE_URL")
            all_queues = queues_of_url(url) if url else ()
            self._desk = Operations(AwsClients(connections=_CONNECTIONS).client, settings, all_queues)
        return self._desk

    def logger(self) -> Logger:
        """Structured log lines."""
        return Logger(service=self.service)

    def number(self, name: str, default: float) -> float:
        """A number from the environment.

        Raises:
            ConfigurationError: it is none.
        """
        try:
            return float(self._environment.get(name, default))
        except ValueError:
            raise ConfigurationError(f"environment variable {name} is not a number") from None


class ReplayRequest(BaseModel):
    """The event that invokes ``dlq_replay``. Without ``execute`` it only tells the verdicts.

    Ages are seconds, ``rate`` is messages per second; ``by`` and ``reason`` end up in the audit trail.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: _Text
    reason: _Text
    execute: bool = False
    cancel_types: tuple[str, ...] = ()
    error_codes: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    older_than_seconds: float | None = Field(default=None, ge=0)
    younger_than_seconds: float | None = Field(default=None, ge=0)
    verdicts: frozenset[ReplayVerdict] = USUAL
    limit: int | None = Field(default=None, ge=1, le=10_000)
    rate: float = Field(default=10, gt=0, le=1000)
    ask: bool = True

    def selection(self) -> Selection:
        """Which messages are meant."""
        return Selection(
            error_codes=self.error_codes,
            orders=self.orders,
            ids=self.ids,
            older_than=self.older_than_seconds,
            younger_than=self.younger_than_seconds,
        )


class ReplayFunction(OperatorFunction):
    """``dlq_replay``: invoked by hand or from automation, for people without queue permissions."""

    service = "dlq_replay"

    def __call__(self, event: object, context: LambdaContext) -> dict[str, Any]:
        """Judge, and with ``execute`` replay, as many messages as the time allows; ``complete`` says if all.

        Raises:
            ValueError: the event is no ``ReplayRequest``; the text names the fields.
        """
        request = _parse(event)
        deadline = _deadline(context)
        judged = self._work(request, deadline, context)
        verdicts: Counter[str] = Counter()
        replayed = failed = 0
        shown: list[dict[str, Any]] = []
        with closing(judged):
            for one in judged:
                verdicts[one.judgement.verdict] += 1
                replayed += one.replayed
                failed += one.failure is not None
                if len(shown) < _SHOWN:
                    shown.append(_shown(one))
        summary = {
            "executed": request.execute,
            "complete": deadline.remaining() > _FINISH,
            "verdicts": dict(verdicts),
            "replayed": replayed,
            "failed": failed,
        }
        who = {"by": redact(request.by), "reason": redact(request.reason)}
        self.logger().info("dead letters", extra={**who, **summary})
        return {**summary, "messages": shown}

    def _work(
        self, request: ReplayRequest, deadline: Deadline, context: LambdaContext
    ) -> Generator[Judged, None, None]:
        operations = self.operations()
        all_queues = chosen(operations.all_queues, request.cancel_types)
        selection = request.selection()
        if request.limit is not None:
            ids = operations.dead_letters.oldest(all_queues, selection, request.limit)
            if not ids:
                return
            selection = Selection(ids=ids)
        replay = operations.replay(asks=request.ask, stopped=lambda: deadline.remaining() < _FINISH)
        if not request.execute:
            yield from replay.forecast(all_queues, selection)
            return
        # Lambda does not tell a function who invokes it: CloudTrail does, by this request id.
        actor = Actor(request.by, f"invocation {context.aws_request_id}", request.reason)
        yield from replay.run(all_queues, Plan(selection, actor, request.verdicts), RateLimiter(request.rate))


class SweeperFunction(OperatorFunction):
    """``sweeper``: on a schedule, settles what the provider can be asked about."""

    service = "sweeper"

    def __call__(self, _event: object, context: LambdaContext) -> dict[str, object]:
        """One run; returns what it found and did."""
        operations = self.operations()
        sweeper = Sweeper(
            operations.ledger_queries,
            operations.resolver,
            min_age=self.number("SWEEP_MIN_AGE_SECONDS", 900),
            most=int(self.number("SWEEP_MOST", 500)),
            clock=time.time,
        )
        sweep = sweeper.run(_deadline(context, keep=_FINISH))
        metrics = Metrics(operations.settings.metrics_namespace)
        for kind, age in sweep.oldest.items():
            dimensions = {"cancel_type": kind}
            metrics.add("UnresolvedAge", age, "Seconds", dimensions)
            metrics.add("Unresolved", sweep.unresolved[kind], "Count", dimensions)
            metrics.add("Swept", sweep.resolved[kind], "Count", dimensions)
        metrics.flush()
        self.logger().info("swept", extra=sweep.summary())
        return sweep.summary()


class ReconcileFunction(OperatorFunction):
    """``reconcile``: daily, PortOne's cancellations against the ledger's."""

    service = "reconcile"

    def __call__(self, event: object, _context: LambdaContext) -> dict[str, Any]:
        """Compare the day ``{"date": "2026-11-20"}`` names, or the one that ended last.

        Raises:
            LookupFailed: PortOne could not be asked to the end; the schedule tries again.
        """
        operations = self.operations()
        zone = offset(self._environment.get("RECONCILE_UTC_OFFSET", "+09:00"))
        day = _day(event, zone)
        tiers = [tier for tier in self._environment.get("RECONCILE_TIERS", "").split(",") if tier]
        logger, found = self.logger(), Counter(dict.fromkeys(Kind, 0))
        shown: list[dict[str, Any]] = []
        for difference in operations.reconciliation(tiers).run(Window.of_days(day, 1, zone)):
            found[difference.kind] += 1
            logger.warning("difference", extra=asdict(difference))
            if len(shown) < _SHOWN:
                shown.append(asdict(difference))
        metrics = Metrics(operations.settings.metrics_namespace)
        for kind, count in found.items():
            metrics.add("ReconcileDifferences", count, "Count", {"kind": kind})
        metrics.flush()
        return {"date": day.isoformat(), "differences": dict(found), "shown": shown}


def offset(text: str) -> tzinfo:
    """A fixed offset from UTC, ``+09:00``; Lambda's images carry no time zone data.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        zone = datetime.strptime(text, "%z").tzinfo
    except ValueError:
        zone = None
    if zone is None:
        raise ConfigurationError(f"{text!r} is no offset from UTC such as +09:00")
    return zone


def _parse(event: object) -> ReplayRequest:
    try:
        return ReplayRequest.model_validate(event)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        text = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problems)
    raise ValueError(f"not a replay request: {text}")


def _day(event: object, zone: tzinfo) -> date:
    if isinstance(event, dict) and isinstance(event.get("date"), str):
        return date.fromisoformat(event["date"])
    return (datetime.now(UTC).astimezone(zone) - timedelta(days=1)).date()


def _deadline(context: LambdaContext, keep: float = 0.0) -> Deadline:
    left = context.get_remaining_time_in_millis() / 1000 - keep
    return Deadline(time.monotonic() + left, time.monotonic)


def _shown(one: Judged) -> dict[str, Any]:
    return {
        "cancel_type": one.dead_letter.queues.cancel_type,
        "cancel_request_id": one.dead_letter.cancel_request_id,
        "message_id": one.dead_letter.message_id,
        "error_code": one.dead_letter.error_code,
        "verdict": one.judgement.verdict.value,
        "why": one.judgement.why,
        "replayed": one.replayed,
        "failure": one.failure,
    }
