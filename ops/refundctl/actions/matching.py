"""Chooses dead letters by what they say."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from refundctl.endings import NothingMatches
from refundctl.parameters import Filters, duration
from refunds.operators.dead_letters import DeadLetterMessage, Selection

_FIELD: Final = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*)=(.*)", re.DOTALL)


@dataclass(frozen=True)
class MatchingSelection(Selection):
    """A selection by words as well: ``TEXT`` anywhere, or ``FIELD=TEXT``; all of them must hold."""

    matches: tuple[str, ...] = ()

    def takes(self, dead_letter: DeadLetterMessage, now: float) -> bool:
        """Whether ``dead_letter`` is meant; ``now`` is UNIX seconds."""
        return super().takes(dead_letter, now) and all(_says(dead_letter, text) for text in self.matches)


def selection(filters: Filters) -> Selection:
    """The selection that the options describe."""
    chosen: dict[str, Any] = {
        "error_codes": frozenset(filters.error_codes or ()),
        "orders": frozenset(filters.orders or ()),
        "ids": frozenset(filters.ids or ()),
        "older_than": duration(filters.older_than) if filters.older_than else None,
        "younger_than": duration(filters.younger_than) if filters.younger_than else None,
    }
    if filters.matches:
        return MatchingSelection(**chosen, matches=tuple(filters.matches))
    return Selection(**chosen)


class Seen:
    """Which of the ids and orders that were asked for a look has shown."""

    def __init__(self, filters: Filters) -> None:
        self._filters = filters
        self._missing = {
            "--id": dict.fromkeys(filters.ids or ()),
            "--order": dict.fromkeys(filters.orders or ()),
        }
        self._any = False

    def add(self, dead_letter: DeadLetterMessage) -> None:
        """One message that matched everything."""
        self._any = True
        for name in (dead_letter.message_id, dead_letter.cancel_request_id):
            if name is not None:
                self._missing["--id"].pop(name, None)
        if dead_letter.order_id is not None:
            self._missing["--order"].pop(dead_letter.order_id, None)

    def check(self) -> None:
        """After the look.

        Raises:
            NothingMatches: a filter, or one of the ids, has no message.
        """
        if self._filters.narrows and not self._any:
            raise NothingMatches(f"no messages match {_typed(self._filters)}")
        missing = [f"{option} {name}" for option, names in self._missing.items() for name in names]
        if missing:
            raise NothingMatches(f"no messages match {', '.join(missing)}")


def _typed(filters: Filters) -> str:
    """The filters as they were typed."""
    several = {
        "--type": filters.cancel_types,
        "--error-code": filters.error_codes,
        "--order": filters.orders,
        "--id": filters.ids,
        "--match": filters.matches,
    }
    single = {"--older-than": filters.older_than, "--younger-than": filters.younger_than}
    words = [f"{option} {value}" for option, values in several.items() for value in values or ()]
    return ", ".join([*words, *(f"{option} {value}" for option, value in single.items() if value)])


def _says(dead_letter: DeadLetterMessage, text: str) -> bool:
    event = _event(dead_letter.body)
    field = _FIELD.fullmatch(text)
    if field and _is(_found(event, field[1].split(".")), field[2]):
        return True
    written = dead_letter.body if event is None else json.dumps(event, ensure_ascii=False)
    return text.casefold() in f"{written}\n{dead_letter.error_message}".casefold()


def _event(body: str) -> Any:
    """The event's detail, or whatever else the body holds; ``None`` if that cannot be read."""
    try:
        event = json.loads(body, parse_float=str)
    except (ValueError, RecursionError):
        return None
    for envelope in ("requestPayload", "detail"):
        if isinstance(event, dict) and isinstance(event.get(envelope), dict):
            event = event[envelope]
    return event


def _found(event: Any, path: list[str]) -> Any:
    for name in path:
        if not isinstance(event, dict):
            return None
        event = event.get(name)
    return event


def _is(found: Any, text: str) -> bool:
    if isinstance(found, str):
        return found == text
    return found is not None and json.dumps(found) == text
