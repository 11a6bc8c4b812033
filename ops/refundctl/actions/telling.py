"""Tells what is known of a request, an order or a payment, and where its messages are."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import typer

from refundctl.actions.dead_letters import find, summary
from refundctl.actions.depths import depths
from refundctl.connection import Target
from refundctl.endings import EXIT_LEFT, NothingMatches
from refundctl.output import Output, iso, span, utc
from refunds.contracts import strict_json
from refunds.domain.entry import Entry, Key, State
from refunds.errors import ErrorCode
from refunds.operators.dead_letters import DeadLetterMessage, Selection
from refunds.operators.operations import Operations
from refunds.operators.sweeper import claimed_at

_POLL: Final = 3.0  # seconds between two looks
_LOOKS_AT_DLQ: Final = 5  # every so many looks: a look at a DLQ hides its messages for a moment


@dataclass(frozen=True)
class Known:
    """What was found of an identifier."""

    entries: list[Entry]
    letters: list[DeadLetterMessage]
    waiting: dict[str, int]
    """Messages in the queues by cancel type, where some may be its own."""

    @property
    def strays(self) -> list[DeadLetterMessage]:
        """Dead letters of requests that the ledger does not know."""
        known = {entry.key for entry in self.entries}
        return [dead_letter for dead_letter in self.letters if _key(dead_letter) not in known]

    def of(self, entry: Entry) -> list[DeadLetterMessage]:
        """The dead letters of one request."""
        return [dead_letter for dead_letter in self.letters if _key(dead_letter) == entry.key]

    @property
    def stands(self) -> bool:
        """Whether nothing more happens by itself within seconds."""
        moving = any(entry.state is State.STARTED and not self.of(entry) for entry in self.entries)
        return bool(self.entries or self.letters) and not moving


def status(
    identifier: str,
    target: Target,
    output: Output,
    *,
    dlq: bool,
    patience: float | None,
) -> None:
    """Look, and with ``patience`` (seconds) go on looking until nothing moves any more."""
    operations = target.operations()
    known = _look(operations, identifier, dlq=dlq)
    if patience is not None:
        known = _wait(operations, identifier, known, patience, dlq=dlq)
    for entry in known.entries:
        _show(operations, entry, known, output, looked=dlq)
    for dead_letter in known.strays:
        _show_stray(dead_letter, operations.clock(), output)
    if not known.entries and not known.strays:
        _not_there_yet(identifier, known, output, looked=dlq)
    ended = not known.strays and all(entry.state.terminal for entry in known.entries)
    if patience is not None and not ended:
        raise typer.Exit(EXIT_LEFT)


def _not_there_yet(identifier: str, known: Known, output: Output, *, looked: bool) -> None:
    """Nothing is found: it may be on its way.

    Raises:
        NothingMatches: nothing waits anywhere.
    """
    where = "no ledger item, no dead letter" if looked else "no ledger item (dead letters: --dlq)"
    if not known.waiting:
        raise NothingMatches(f"nothing is known of {identifier}: {where}, and no message waits in a queue")
    output.row("waiting", identifier=identifier, in_ledger=False, messages=known.waiting)
    output.say(f"{identifier} is not in the ledger yet; {_in_words(known.waiting)}. It may be one of them.")
    output.suggest("To wait for it:", f"refundctl status {identifier} --wait")
    raise typer.Exit(EXIT_LEFT)


def _in_words(waiting: dict[str, int]) -> str:
    parts = [f"{count} message{'s' if count > 1 else ''} in {kind}" for kind, count in waiting.items()]
    return f"waiting in the queues: {', '.join(parts)}"


def _look(operations: Operations, identifier: str, *, dlq: bool) -> Known:
    entries = operations.ledger_queries.find(identifier)
    names = frozenset({identifier, *(entry.key.cancel_request_id for entry in entries)})
    letters = find(operations, operations.all_queues, Selection(names=names)) if dlq else []
    found = {entry.key for entry in entries}
    # A message may carry the id of another order's request: then that request is part of its story.
    named = (key for key in map(_key, letters) if key and key not in found)
    entries += operations.ledger_queries.entries(named).values()
    moving = {entry.key.cancel_type for entry in entries if not entry.state.terminal}
    if entries or letters:
        queues = [one for one in operations.all_queues if one.cancel_type in moving]
    else:
        queues = list(operations.all_queues)
    return Known(entries, letters, depths(operations, queues))


def _wait(
    operations: Operations,
    identifier: str,
    known: Known,
    patience: float,
    *,
    dlq: bool,
) -> Known:
    until = operations.clock() + patience
    looks = 1
    while not known.stands and operations.clock() < until:
        time.sleep(_POLL)
        known = _look(operations, identifier, dlq=dlq and looks % _LOOKS_AT_DLQ == 0)
        looks += 1
    return _look(operations, identifier, dlq=dlq) if looks > 1 else known


def _key(dead_letter: DeadLetterMessage) -> Key | None:
    request_id = dead_letter.cancel_request_id
    return Key(dead_letter.queues.cancel_type, request_id) if request_id else None


def _whereabouts(entry: Entry, known: Known, now: float, *, looked: bool) -> str:
    letters = known.of(entry)
    if letters:
        oldest = min(letters, key=lambda dead_letter: dead_letter.sent_at)
        return f"in the dead-letter queue since {iso(oldest.sent_at)} ({oldest.error_code})"
    count = known.waiting.get(entry.key.cancel_type, 0)
    queued = f"{count} message{'s' if count > 1 else ''} in its queue" if count else "its queue is empty"
    if entry.state is State.STARTED:
        if entry.leased(now):
            return f"with a function ({queued})"
        return f"to be tried again: {queued}" if count else f"{queued}; {_elsewhere(looked=looked)}"
    if entry.state is State.PENDING:
        return "acknowledged: the sweeper asks what becomes of it"
    if not looked or not entry.state.terminal:
        return f"{_elsewhere(looked=looked)} ({queued})"
    return f"{_elsewhere(looked=looked)}: acknowledged, or still to be"


def _elsewhere(*, looked: bool) -> str:
    return "not in the dead-letter queue" if looked else "not looked for among dead letters (--dlq)"


def _next_step(entry: Entry, now: float, *, waits: bool) -> tuple[str, ...] | None:
    """What an operator may do about it: a sentence and commands. ``waits``: a message is in the DLQ."""
    request_id = entry.key.cancel_request_id
    replay = f"refundctl dlq replay --id {request_id}"
    if entry.state.terminal:
        return (
            ("It has ended. Replaying its message empties the dead-letter queue:", replay) if waits else None
        )
    if entry.state is State.STARTED or entry.leased(now):
        return None if waits else ("To wait for its end:", f"refundctl status {request_id} --wait")
    error = entry.outcome.error if entry.outcome else None
    if error is not None and error.code is ErrorCode.LIMIT_EXCEEDED:
        return ("A limit keeps it back:", "refundctl explain LIMIT_EXCEEDED")
    if entry.in_doubt:
        return (
            "Nobody knows yet whether it was carried out. To ask the provider:",
            f"refundctl resolve {request_id}",
        )
    if waits:
        return ("Nothing was sent. What replaying it would do:", replay)
    return ("Nothing was sent, and no message waits: the order service has to publish the event again.",)


def _show(operations: Operations, entry: Entry, known: Known, output: Output, *, looked: bool) -> None:
    now = operations.clock()
    where = _whereabouts(entry, known, now, looked=looked)
    story = [_event(line) for line in entry.timeline]
    audit = [_event(line) for line in operations.audit.of(str(entry.key))]
    facts = _facts(entry, now)
    waiting = known.waiting.get(entry.key.cancel_type, 0) if not entry.state.terminal else None
    output.row(
        "request", **facts, message=where, in_queue=waiting, **_details(entry), timeline=story, audit=audit
    )
    output.facts(str(entry.key), (_shown(facts) | {"message": where}).items())
    told = sorted([*story, *audit], key=lambda event: event["at"])
    output.facts("What happened", [(event["at"], event["event"]) for event in told])
    if entry.outcome is not None:
        text = entry.outcome.model_dump_json(indent=2, exclude_none=True)
        output.facts(f"Outcome{' (not published yet)' if entry.unpublished else ''}", ())
        output.say(text)
    step = _next_step(entry, now, waits=bool(known.of(entry)))
    if step is not None:
        output.suggest(*step)


def _event(line: str) -> dict[str, str]:
    moment, _, what = line.partition(" ")
    return {"at": utc(moment), "event": what}


def _facts(entry: Entry, now: float) -> dict[str, Any]:
    leased = entry.leased(now)
    return {
        "cancel_type": entry.key.cancel_type,
        "cancel_request_id": entry.key.cancel_request_id,
        "order_id": entry.order_id,
        "payment_ref": entry.payment_ref,
        "requested_at": utc(entry.requested_at),
        "requested_by": entry.requested_by,
        "age_seconds": max(int(now - claimed_at(entry)), 0),
        "state": entry.state.value,
        "attempts": entry.attempt,
        # Of what has ended it is settled, and while a worker has it, it is that worker's to say.
        "may_have_been_applied": None if entry.state.terminal or leased else entry.in_doubt,
        "lease_seconds": int(entry.lease_until - now) + 1 if leased else None,
        "proof": entry.proof,
    }


def _shown(facts: dict[str, Any]) -> dict[str, Any]:
    """The same for people."""
    lease = facts["lease_seconds"]
    words = {
        "age_seconds": ("age", span(facts["age_seconds"])),
        "lease_seconds": ("lease", None if lease is None else f"a worker has it for another {lease} s"),
    }
    return dict(words.get(name, (name, value)) for name, value in facts.items())


def _details(entry: Entry) -> dict[str, Any]:
    baseline = entry.baseline
    return {
        "request": dict(entry.request),
        "baseline": None if baseline is None else {k: v for k, v in vars(baseline).items() if v is not None},
        "limits_passed": entry.limits_passed,
        "unpublished": entry.unpublished,
        "outcome": outcome_row(entry),
    }


def outcome_row(entry: Entry) -> object:
    """The stored outcome as it is published, amounts as exact numbers; ``None`` if there is none."""
    return strict_json.loads(entry.outcome.to_json()) if entry.outcome else None


def _show_stray(dead_letter: DeadLetterMessage, now: float, output: Output) -> None:
    """A message that never got a ledger item: nothing was sent for it."""
    facts = summary(dead_letter, now)
    output.row("dead_letter", **facts)
    shown = {"age" if name == "age_seconds" else name: value for name, value in facts.items()}
    shown["age"] = span(facts["age_seconds"])
    output.facts("In the dead-letter queue, unknown to the ledger: nothing was sent", shown.items())
    output.suggest(
        "What the code means; what replaying it would do:",
        f"refundctl explain {dead_letter.error_code}",
        f"refundctl dlq replay --id {dead_letter.message_id}",
    )
