"""Replays dead letters: back into the queue of their type, one by one, with a verdict and a trace.

Per message: send it to its queue, note who did so and why, delete it from the DLQ. A crash in between
leaves it in both queues, which is harmless (the ledger knows it), and never in none. What has been
replayed is gone from the DLQ, so that starting again goes on where the last run stopped.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from refunds.ledger.audit import Actor, AuditTrail
from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.dead_letters import DeadLetterMessage, DeadLetters, Peek, Selection
from refunds.operators.fan_in import fan_in
from refunds.operators.rate_limiter import RateLimiter
from refunds.operators.replay_verdicts import Judgement, Judging, ReplayVerdict

#: What is replayed unless the operator asks for more: what ends, or is asked about.
USUAL: Final = frozenset({ReplayVerdict.DONE, ReplayVerdict.SAFE, ReplayVerdict.UNKNOWN})


@dataclass(frozen=True)
class Judged:
    """A message with its verdict, whether it was replayed, and why not if that failed."""

    dead_letter: DeadLetterMessage = field(repr=False)
    judgement: Judgement
    replayed: bool = False
    failure: str | None = None


@dataclass(frozen=True)
class Plan:
    """What somebody wants replayed: which messages, with which verdicts, and who wants it."""

    selection: Selection
    actor: Actor
    verdicts: frozenset[ReplayVerdict] = USUAL


class Replay:
    """Carries a replay out.

    Args:
        audit: where each replay is noted, before its message leaves the DLQ.
        stopped: asked after each receive; a ``True`` ends the run early.
    """

    def __init__(
        self,
        dead_letters: DeadLetters,
        judge: Judging,
        audit: AuditTrail,
        *,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._dead_letters = dead_letters
        self._judge = judge
        self._audit = audit
        self._stopped = stopped

    def forecast(
        self, all_queues: Iterable[CancelQueues], selection: Selection
    ) -> Generator[Judged, None, None]:
        """A verdict for each message meant; nothing is changed."""
        with closing(self._dead_letters.letters(all_queues, selection)) as receives:
            for messages in receives:
                for dead_letter, judgement in zip(messages, self._judge.judge(messages), strict=True):
                    yield Judged(dead_letter, judgement)
                if self._stopped():
                    return

    def run(
        self, all_queues: Iterable[CancelQueues], plan: Plan, rate_limiter: RateLimiter
    ) -> Generator[Judged, None, None]:
        """Replay the messages meant whose verdict, made anew, is wanted; all queues at once."""
        return fan_in([partial(self._run, queues, plan, rate_limiter) for queues in all_queues])

    def _run(
        self, queues: CancelQueues, plan: Plan, rate_limiter: RateLimiter
    ) -> Generator[Judged, None, None]:
        with self._dead_letters.peek(queues, rate_limiter.burst(10)) as peek:
            for messages in peek:
                meant = peek.meant(messages, plan.selection)
                yield from self._replay(peek, meant, plan, rate_limiter)
                if self._stopped():
                    return
            self._dead_letters.note_unseen(queues, peek)

    def replace(
        self, dead_letter: DeadLetterMessage, body: str, actor: Actor, changed: Sequence[str]
    ) -> Judged:
        """Replay ``body`` in the place of ``dead_letter``, an invalid one (see ``refunds.operators.repair``).

        ``changed`` names the fields that were corrected, for the audit trail.
        """
        selection = Selection(ids=frozenset({dead_letter.message_id}))
        with self._dead_letters.peek(dead_letter.queues) as peek:
            for messages in peek:
                for found in peek.meant(messages, selection):
                    repaired = dataclasses.replace(found, body=body)
                    (judgement,) = self._judge.judge([repaired])
                    if judgement.verdict is ReplayVerdict.INVALID:
                        return Judged(repaired, judgement)
                    what = f"replayed corrected in {', '.join(changed)}"
                    return self._move(peek, [Judged(repaired, judgement)], actor, what)[0]
        gone = Judgement(ReplayVerdict.INVALID, "the message is no longer in the dead-letter queue")
        return Judged(dead_letter, gone, failure=gone.why)

    def _replay(
        self, peek: Peek, messages: Sequence[DeadLetterMessage], plan: Plan, rate_limiter: RateLimiter
    ) -> Iterator[Judged]:
        judged = [Judged(*pair) for pair in zip(messages, self._judge.judge(messages), strict=True)]
        wanted = [one for one in judged if one.judgement.verdict in plan.verdicts]
        yield from (one for one in judged if one not in wanted)
        if wanted:
            rate_limiter.wait(len(wanted))
            yield from self._move(peek, wanted, plan.actor, "replayed")

    def _move(self, peek: Peek, wanted: Sequence[Judged], actor: Actor, what: str) -> list[Judged]:
        """Send, note, delete; in that order."""
        messages = [one.dead_letter for one in wanted]
        failures = self._dead_letters.send(messages[0].queues, [dead_letter.body for dead_letter in messages])
        moved = [
            dataclasses.replace(one, replayed=failure is None, failure=failure)
            for one, failure in zip(wanted, failures, strict=True)
        ]
        noted = [self._note(one, actor, what) for one in moved]
        peek.remove([one.dead_letter for one in noted if one.replayed and one.failure is None])
        return noted

    def _note(self, one: Judged, actor: Actor, what: str) -> Judged:
        """Note a replay; one that cannot be noted stays in the DLQ, and does not end the others."""
        if not one.replayed:
            return one
        verdict = f"{one.judgement.verdict}, {one.dead_letter.error_code}"
        try:
            self._audit.append(audit_subject(one.dead_letter), actor, f"{what} ({verdict})")
        except Exception as error:  # noqa: BLE001 - whatever AWS answered about this one
            return dataclasses.replace(
                one,
                failure=f"sent, but not noted ({type(error).__name__}), so it stays in the DLQ as well",
            )
        return one


def audit_subject(dead_letter: DeadLetterMessage) -> str:
    """What a message is noted under: its ledger key, or its message id where it has none."""
    request = dead_letter.cancel_request_id or f"message {dead_letter.message_id}"
    return f"{dead_letter.queues.cancel_type}#{request}"
