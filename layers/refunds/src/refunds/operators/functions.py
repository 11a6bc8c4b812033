"""The scheduled and invoked functions: the same work as ``refundctl``, for automation.

Nothing happens at import: the environment is read when the first event arrives.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any, ClassVar, Final, Protocol, TypeVar

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from refunds.aws import AwsClients
from refunds.contracts.trigger import LambdaContext
from refunds.domain.deadline import Deadline
from refunds.domain.entry import Entry, Key
from refunds.domain.redaction import redact
from refunds.errors import ConfigurationError, LookupFailed, NotSent, RefundsError
from refunds.ledger.audit import Actor
from refunds.operators.asking_schedule import AskingSchedule
from refunds.operators.cancel_queues import chosen, queues_of_url
from refunds.operators.dead_letters import DeadLetterMessage, Selection
from refunds.operators.operations import Operations
from refunds.operators.rate_limiter import RateLimiter
from refunds.operators.reconciliation import DUE_AFTER, Kind, Reconciliation, Stop, Window
from refunds.operators.replay import USUAL, Judged, Plan
from refunds.operators.replay_verdicts import ReplayVerdict, in_words
from refunds.operators.resolution import ResolutionReport, Resolver
from refunds.operators.sweeper import Sweep, SweepRules
from refunds.operators.walk import Place
from refunds.settings import Settings
from refunds.telemetry.logs import quiet_libraries
from refunds.telemetry.metrics import Metrics

_CONNECTIONS: Final = 20
_FINISH: Final = 10.0  # seconds kept back for showing messages again and for answering
_SHOWN: Final = 100  # messages named in an answer; Lambda's answer is limited to 6 MB
_TELLING: Final = 0.25  # of a run's time, kept for the dead letters
_MOST_JUDGED: Final = 10  # messages judged in one invocation: as many as one receive brings
_MOST_ASKED: Final = 100  # requests asked about in one invocation
_MOST_PIECES: Final = 100  # runs of one pass, so that a mistake never runs for ever
_DAY: Final = 86_400.0

_LedgerKey = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}#[A-Za-z0-9._:-]{1,64}$")]
RequestT = TypeVar("RequestT", bound=BaseModel)

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class OperatorContext(LambdaContext, Protocol):
    """What these functions use of Lambda's context besides."""

    invoked_function_arn: str


class OperatorFunction:
    """What the three functions have in common: operations, a log and metrics, made on the first event.

    Args:
        environment: as the other functions', and for the replay ``OPERATOR_QUEUE_URL``
            (see ``queues_of_url``).
    """

    service: ClassVar[str]

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._operations: Operations | None = None

    def operations(self) -> Operations:
        """The deployment's parts."""
        if self._operations is None:
            quiet_libraries()
            settings = Settings.from_environment(self._environment)
            url = self._environment.get("OPERATOR_QUEUE_URL")
            all_queues = queues_of_url(url) if url else ()
            self._operations = Operations(
                AwsClients(connections=_CONNECTIONS).client,
                settings,
                all_queues,
                indexes=self._environment.get("LEDGER_INDEXES") or "current",
            )
        return self._operations

    def metrics(self) -> Metrics:
        """Metrics of one run."""
        return Metrics(self.operations().settings.metrics_namespace)

    def _go_on(self, context: OperatorContext, event: Mapping[str, object], piece: int) -> bool:
        """Invoke this function again for the rest; false if it was in too many pieces already."""
        if piece >= _MOST_PIECES:
            self.logger().error("too many pieces", extra={"piece": piece})
            return False
        self.operations().aws("lambda").invoke(
            FunctionName=context.invoked_function_arn,
            InvocationType="Event",
            Payload=json.dumps({**event, "piece": piece + 1}).encode(),
        )
        return True

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


class JudgedMessage(BaseModel):
    """One message that somebody has received from a dead-letter queue and wants to be judged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cancel_type: str
    body: str


class JudgeRequest(BaseModel):
    """The event that asks ``dlq_replay`` about messages that the caller has; nothing is replayed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    judge: tuple[JudgedMessage, ...] = Field(min_length=1, max_length=_MOST_JUDGED)


class ReplayFunction(OperatorFunction):
    """``dlq_replay``: invoked by hand or from automation, for people without queue permissions.

    ``refundctl`` has it judge what it has received itself: only a function may ask a provider.
    """

    service = "dlq_replay"

    def __call__(self, event: object, context: LambdaContext) -> dict[str, Any]:
        """Judge, and with ``execute`` replay, as many messages as the time allows; ``complete`` says if all.

        ``unseen`` is about how many messages of a DLQ are there and were not shown by SQS. An event with
        ``judge`` brings the messages along, and the answer has a verdict for each.

        Raises:
            ValueError: the event is no ``ReplayRequest`` or ``JudgeRequest``; the text names the fields.
        """
        if isinstance(event, dict) and "judge" in event:
            return {"verdicts": self._judge(_parse(JudgeRequest, event, "judge"))}
        request = _parse(ReplayRequest, event, "replay")
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
        unseen = {kind: count for kind, count in self.operations().dead_letters.unseen.items() if count}
        summary = {
            "executed": request.execute,
            "complete": deadline.remaining() > _FINISH and not unseen,
            "unseen": unseen,
            "verdicts": dict(verdicts),
            "replayed": replayed,
            "failed": failed,
        }
        who = {"by": redact(request.by), "reason": redact(request.reason)}
        self.logger().info("dead letters", extra={**who, **summary})
        return {**summary, "messages": shown}

    def _judge(self, request: JudgeRequest) -> list[dict[str, object]]:
        operations = self.operations()
        messages = [
            DeadLetterMessage(queues, "", "", message.body, 0.0)
            for message in request.judge
            for queues in chosen(operations.all_queues, (message.cancel_type,))
        ]
        judgements = operations.judge(asks=True).judge(messages)
        return [
            {"verdict": one.verdict.value, "why": one.why, "unanswered": one.unanswered} for one in judgements
        ]

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


class SweepRequest(BaseModel):
    """The event that invokes ``sweeper``; a schedule's own event is an ordinary run.

    Attributes:
        daily: look for claims of the last two days that never got further, too.
        tell: tell of dead letters that nobody has told of.
        ask: ledger keys (``payment_cancel#cr-1``) to ask the provider about now; nothing else is done.
        record: with ``ask``, record what is proven; without it, only tell what the provider shows.
        place: where this run goes on; made by the run before it.
        piece: number of this run of the same pass.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    daily: bool = False
    tell: bool = True
    ask: tuple[_LedgerKey, ...] = Field(default=(), max_length=_MOST_ASKED)
    record: bool = True
    place: dict[str, Any] | None = None
    piece: int = Field(default=1, ge=1)


class SweeperFunction(OperatorFunction):
    """``sweeper``: on a schedule, brings open requests to their end; asks about single ones for operators."""

    service = "sweeper"

    def __call__(self, event: object, context: OperatorContext) -> dict[str, object]:
        """One run; returns what it found and did.

        Raises:
            ValueError: the event asks for something that is none of this; the text names the fields.
        """
        request = _parse(SweepRequest, event if isinstance(event, dict) else {}, "sweep")
        if request.ask:
            return {"findings": self._ask(request, _deadline(context, keep=_FINISH))}
        left = _deadline(context, keep=_FINISH).remaining()
        sweep = self._sweep(request, _deadline(context, keep=_FINISH + left * _TELLING))
        summary = sweep.summary()
        if sweep.place is not None:
            following = {"daily": request.daily, "tell": False, "place": sweep.place.to_json()}
            summary["goes_on"] = self._go_on(context, following, request.piece)
        try:
            if request.tell:
                summary |= self._tell(_deadline(context, keep=_FINISH))
        finally:
            self.logger().info("swept", extra=summary)
        return summary

    def _sweep(self, request: SweepRequest, deadline: Deadline) -> Sweep:
        logger = self.logger()

        def passed_over(key: Key, why: str) -> None:
            logger.warning("passed over", extra={"ledger_key": str(key), "why": why})

        sweeper = self.operations().sweeper(self._rules(), passed_over)
        sweep = sweeper.run(deadline, daily=request.daily, place=Place.of_json(request.place))
        metrics = self.metrics()
        for kind, age in sweep.oldest.items():
            dimensions = {"cancel_type": kind}
            metrics.add("UnresolvedAge", age, "Seconds", dimensions)
            metrics.add("Unresolved", sweep.unresolved[kind], "Count", dimensions)
            metrics.add("PendingOpen", sweep.pending[kind], "Count", dimensions)
            metrics.add("Swept", sweep.resolved[kind], "Count", dimensions)
        metrics.add("PassedOver", len(sweep.passed_over), "Count", {"service": self.service})
        metrics.flush()
        return sweep

    def _tell(self, deadline: Deadline) -> dict[str, object]:
        logger = self.logger()

        def passed_over(message_id: str, why: str) -> None:
            logger.warning("dead letter passed over", extra={"message_id": message_id, "why": why})

        operations = self.operations()
        telling = operations.telling(passed_over).run(operations.all_queues, deadline)
        metrics = self.metrics()
        metrics.add("PassedOver", len(telling.passed_over), "Count", {"service": self.service})
        for queues in operations.all_queues:
            kind = queues.cancel_type
            metrics.add("ToldFromDlq", telling.told[kind], "Count", {"cancel_type": kind})
        metrics.flush()
        return telling.summary()

    def _rules(self) -> SweepRules:
        sweeping = self.operations().settings.sweeping
        return SweepRules(
            min_age=sweeping.min_age,
            most=sweeping.most,
            pending_for=sweeping.pending_days * _DAY,
            abandoned_after=self.number("SWEEP_ABANDONED_SECONDS", 5 * _DAY),
            asking=AskingSchedule(
                base=sweeping.first_interval,
                longest=sweeping.longest_interval,
                every=self.number("SWEEP_EVERY_SECONDS", 600),
            ),
        )

    def _ask(self, request: SweepRequest, deadline: Deadline) -> list[dict[str, object]]:
        readings = self.operations().ledger_queries.readable(map(Key.of, request.ask))
        findings = []
        for text in request.ask:
            key = Key.of(text)
            entry = readings.entries.get(key)
            if entry is None:
                known = "cannot be read by this version" if key in readings.unreadable else "is not there"
                findings.append(_finding(text, f"its ledger item {known}"))
            elif deadline.remaining() <= 0:
                findings.append(_finding(text, "no time was left to ask: ask again", entry))
            else:
                findings.append(self._ask_one(text, entry, record=request.record))
        return findings

    def _ask_one(self, text: str, entry: Entry, *, record: bool) -> dict[str, object]:
        resolver = self.operations().resolver
        try:
            if record or entry.state.terminal or resolver.unaskable(entry) is not None:
                report = resolver.ask(entry) if record else unasked(resolver, entry)
                return _finding(
                    text, report.finding, report.entry, settled=report.settled, published=report.published
                )
            return _finding(text, in_words(resolver.answer(entry)), entry)
        except (LookupFailed, NotSent, ConfigurationError) as error:
            return _finding(text, f"the provider could not be asked now: {error}", entry, answered=False)
        except RefundsError as error:
            return _finding(text, str(error), entry)


def unasked(resolver: Resolver, entry: Entry) -> ResolutionReport:
    """What is known of an entry that the provider need not or cannot be asked about."""
    known = f"{entry.state}: {entry.proof}" if entry.state.terminal else resolver.unaskable(entry)
    return ResolutionReport(entry, known or "", settled=entry.state.terminal)


def _finding(
    key: str,
    finding: str,
    entry: Entry | None = None,
    *,
    settled: bool = False,
    published: bool = False,
    answered: bool = True,
) -> dict[str, object]:
    return {
        "key": key,
        "state": entry.state.value if entry else None,
        "revision": entry.revision if entry else None,
        "finding": finding,
        "settled": settled,
        "published": published,
        "answered": answered,
    }


class ReconcileRequest(BaseModel):
    """The event that invokes ``reconcile``; a schedule's own event compares the day that ended last.

    Attributes:
        date: the day, in ``RECONCILE_UTC_OFFSET``.
        start: where this run goes on; made by the run before it.
        piece: number of this run of the same day.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    date: dt.date | None = None
    start: dict[str, Any] | None = None
    piece: int = Field(default=1, ge=1)


class ReconcileFunction(OperatorFunction):
    """``reconcile``: daily, PortOne's cancellations against the ledger's."""

    service = "reconcile"

    def __call__(self, event: object, context: OperatorContext) -> dict[str, Any]:
        """Compare the day ``{"date": "2026-11-20"}`` names, or the one that ended last, and what is due.

        Raises:
            ValueError: the event names something that is no day.
            LookupFailed: PortOne could not be asked to the end; the schedule tries again.
        """
        request = _parse(ReconcileRequest, event if isinstance(event, dict) else {}, "reconcile")
        zone = offset(self._environment.get("RECONCILE_UTC_OFFSET", "+09:00"))
        day = request.date or (datetime.now(UTC).astimezone(zone) - timedelta(days=1)).date()
        found: Counter[Kind] = Counter(dict.fromkeys(Kind, 0))
        shown: list[dict[str, Any]] = []
        comparison = self._reconciliation()
        differences = comparison.run(
            Window.of_days(day, 1, zone),
            deadline=_deadline(context, keep=_FINISH),
            start=Stop.of_json(request.start),
        )
        logger = self.logger()
        try:
            for difference in differences:
                found[difference.kind] += 1
                logger.warning("difference", extra=difference.to_json())
                if len(shown) < _SHOWN:
                    shown.append(difference.to_json())
        finally:
            metrics = self.metrics()
            for kind, count in found.items():
                metrics.add("ReconcileDifferences", count, "Count", {"kind": kind})
            metrics.flush()
        answer = {
            "date": day.isoformat(),
            "complete": comparison.stopped is None,
            "differences": dict(found),
            "shown": shown,
        }
        if comparison.stopped is not None:
            following = {"date": day.isoformat(), "start": comparison.stopped.to_json()}
            answer["goes_on"] = self._go_on(context, following, request.piece)
        return answer

    def _reconciliation(self) -> Reconciliation:
        tiers = [tier for tier in self._environment.get("RECONCILE_TIERS", "").split(",") if tier]
        due = self._environment.get("RECONCILE_DUE_DAYS", ",".join(map(str, DUE_AFTER)))
        try:
            days = tuple(int(day) for day in due.split(",") if day.strip())
        except ValueError:
            raise ConfigurationError("RECONCILE_DUE_DAYS is not a list of days such as 4,14") from None
        return self.operations().reconciliation(tiers, days)


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


def _parse(model: type[RequestT], event: object, name: str) -> RequestT:
    try:
        return model.model_validate(event)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        text = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problems)
    raise ValueError(f"not a {name} request: {text}")


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
