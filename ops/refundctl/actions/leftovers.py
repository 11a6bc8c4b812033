"""Messages that a replay leaves in the dead-letter queue: which, why, and what to type."""

from __future__ import annotations

from collections import Counter
from typing import Final

from refundctl.output import Output
from refunds.operators.replay import Judged

_SHOWN: Final = 20
_FAILED: Final = "failed"

#: By verdict: what it takes, and what to type; ``{id}`` is a message's.
_ADVICE: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "failed": ("They could not be sent or noted. Type the same command again.", ()),
    "stale": (
        "They would end as CancelFailed: ask the order service. So that accounting learns of it:",
        ('refundctl dlq replay --id {id} --verdict stale --yes --reason "…"',),
    ),
    "wait": ("The provider books them later, and the sweeper asks. Wait:", ("refundctl status {id}",)),
    "invalid": (
        "They would come back at once. Look, then correct or discard:",
        (
            "refundctl dlq show {id}",
            "refundctl dlq replay --id {id} --edit",
            'refundctl dlq discard --id {id} --by … --reason "…"',
        ),
    ),
    "unreadable": ("They cannot be judged. Look, and tell a developer:", ("refundctl dlq show {id}",)),
}
_OTHERWISE: Final = (
    "Their verdict was not asked for. To replay them, too:",
    ('refundctl dlq replay --id {id} --yes --reason "…"',),
)


class Leftovers:
    """Counts all of them and remembers the first few."""

    def __init__(self) -> None:
        self._first: dict[str, list[Judged]] = {}
        self._counts: Counter[str] = Counter()

    def add(self, one: Judged) -> None:
        """One message that was judged; nothing if it was replayed."""
        if one.replayed and one.failure is None:
            return
        what = _FAILED if one.failure is not None else one.judgement.verdict.value
        self._counts[what] += 1
        known = self._first.setdefault(what, [])
        if len(known) < _SHOWN:
            known.append(one)

    def show(self, output: Output) -> None:
        """For people; with ``--json`` every message has its own row."""
        for what, letters in self._first.items():
            rows = [
                (_name(one), one.dead_letter.queues.cancel_type, one.failure or one.judgement.why)
                for one in letters
            ]
            count = self._counts[what]
            title = f"{count} {what}" if count <= _SHOWN else f"{count} {what}, of which the first {_SHOWN}"
            output.table(title, ["cancel_request_id", "type", "why"], rows, words=True)
            advice, commands = _ADVICE.get(what, _OTHERWISE)
            output.suggest(advice, *(command.format(id=_name(letters[0])) for command in commands))


def _name(one: Judged) -> str:
    return one.dead_letter.cancel_request_id or one.dead_letter.message_id
