"""Replays dead letters: back into the queue of their type, one by one, with a verdict and a trace.

Per message: send it to its queue, note who did so and why, delete it from the DLQ. A crash in between
leaves it in both queues, which is harmless (the ledger knows it), and never in none. What has been
replayed is gone from the DLQ, so that starting again goes on where the last run stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from refunds.operators.audit import Actor, AuditTrail
from refunds.operators.dead_letters import DeadLetters, Letter, Look, Selection
from refunds.operators.lanes import Lane
from refunds.operators.pace import Pace
from refunds.operators.verdicts import Judge, Judgement, Verdict

#: What is replayed unless the operator asks for more: whatever ends well or brings clarity.
USUAL: Final = frozenset({Verdict.DONE, Verdict.SAFE, Verdict.UNKNOWN})


@dataclass(frozen=True)
class Judged:
    """A message with its verdict, whether it was replayed, and why not if that failed."""

    letter: Letter = field(repr=False)
    judgement: Judgement
    replayed: bool = False
    failure: str | None = None


class Replay:
    """Carries a replay out.

    Args:
        audit: where each replay is noted, before its message leaves the DLQ.
        stopped: asked before each receive; a ``True`` ends the run early.
    """

    def __init__(
        self,
        dead_letters: DeadLetters,
        judge: Judge,
        audit: AuditTrail,
        *,
        pace: Pace,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._dead_letters = dead_letters
        self._judge = judge
        self._audit = audit
        self._pace = pace
        self._stopped = stopped

    def forecast(self, lanes: Iterable[Lane], selection: Selection) -> Iterator[Judged]:
        """A verdict for each message meant; nothing is changed."""
        for letters in self._dead_letters.letters(lanes, selection):
            for letter, judgement in zip(letters, self._judge.judge(letters), strict=True):
                yield Judged(letter, judgement)
            if self._stopped():
                return

    def run(
        self, lanes: Iterable[Lane], selection: Selection, verdicts: frozenset[Verdict], actor: Actor
    ) -> Iterator[Judged]:
        """Replay the messages meant whose verdict, made anew, is among ``verdicts``."""
        for lane in lanes:
            with self._dead_letters.look(lane, self._pace.burst(10)) as look:
                for letters in look:
                    yield from self._replay(
                        look, self._dead_letters.among(letters, selection), verdicts, actor
                    )
                    if self._stopped():
                        return

    def _replay(
        self, look: Look, letters: Sequence[Letter], verdicts: frozenset[Verdict], actor: Actor
    ) -> Iterator[Judged]:
        judgements = dict(
            zip((letter.message_id for letter in letters), self._judge.judge(letters), strict=True)
        )
        wanted = [letter for letter in letters if judgements[letter.message_id].verdict in verdicts]
        failures: dict[str, str | None] = {}
        if wanted:
            self._pace.wait(len(wanted))
            sent = self._dead_letters.send(wanted[0].lane, [letter.body for letter in wanted])
            failures = {letter.message_id: failure for letter, failure in zip(wanted, sent, strict=True)}
        gone = [letter for letter in wanted if failures[letter.message_id] is None]
        for letter in gone:
            verdict = judgements[letter.message_id].verdict
            self._audit.append(audit_subject(letter), actor, f"replayed ({verdict}, {letter.error_code})")
        look.remove(gone)
        for letter in letters:
            failure = failures.get(letter.message_id)
            replayed = letter.message_id in failures and failure is None
            yield Judged(letter, judgements[letter.message_id], replayed, failure)


def audit_subject(letter: Letter) -> str:
    """What a message is noted under: its ledger key, or its message id where it has none."""
    return f"{letter.lane.cancel_type}#{letter.cancel_request_id or f'message {letter.message_id}'}"
