"""Tables and words for people, JSON lines for scripts."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_GAP: Final = "  "
_INDENT: Final = "    "
_NARROWEST: Final = 20  # columns for words, however narrow the terminal is
_READABLE: Final = 100  # columns of prose, however wide the terminal is
_ENDLESS: Final = 1_000_000


@dataclass(frozen=True)
class Output:
    """How results are shown; every command takes it.

    With ``--json`` standard output carries JSON objects only, one per line, each with a ``type``;
    progress and remarks go to standard error either way. For people, nothing that is to be copied (an id, a
    code) is ever broken: a terminal wraps words only, and a pipe gets one line per row, without colour.
    """

    as_json: Annotated[bool, typer.Option("--json", help="JSON lines instead of tables.")] = False

    @cached_property
    def _console(self) -> Console:
        from rich.console import Console

        return Console(markup=False, highlight=False, soft_wrap=True)

    @cached_property
    def _remarks(self) -> Console:
        from rich.console import Console

        return Console(stderr=True, markup=False, highlight=False, soft_wrap=True)

    def row(self, kind: str, /, **values: Any) -> None:
        """One JSON line, numbers as numbers, absent things as null; nothing without ``--json``."""
        if self.as_json:
            print(as_json({"type": kind, **values}))

    def table(
        self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, words: bool = False
    ) -> None:
        """A table; nothing with ``--json``.

        ``words``: the last column is prose. Where it makes a line too long it stands beneath its row.
        """
        if self.as_json:
            return
        from rich.cells import cell_len

        lines = [[_text(cell) for cell in row] for row in rows]
        fixed = len(columns) - words
        widths = [max(map(cell_len, column)) for column in zip(columns, *lines, strict=True)]
        room = _width(self._console) - sum(widths[:fixed]) - len(_GAP) * fixed
        beside = not words or widths[-1] <= room
        self.say("")
        self._print(title, style="bold")
        self._print(_in_columns(columns if beside else columns[:fixed], widths), style="dim")
        for line in lines:
            self._print(_in_columns(line if beside else line[:fixed], widths))
            if not beside and line[-1]:
                self._hanging(_INDENT, line[-1])

    def facts(self, title: str, facts: Iterable[tuple[str, object]]) -> None:
        """What is known of one thing, a name and a value a line; nothing with ``--json``."""
        if self.as_json:
            return
        from rich.cells import cell_len, set_cell_size

        pairs = [(name, _text(value)) for name, value in facts if value is not None]
        self.say("")
        self._print(title, style="bold")
        width = max((cell_len(name) for name, _ in pairs), default=0)
        for name, value in pairs:
            self._hanging(set_cell_size(name, width) + _GAP, value)

    def say(self, text: str) -> None:
        """Lines for people; nothing with ``--json``."""
        if not self.as_json:
            for line in text.split("\n"):
                self._hanging(line[: len(line) - len(line.lstrip())], line.lstrip())

    def prose(self, text: str) -> None:
        """Sentences wrapped for reading, also in a pipe; lines that are indented stay as they are."""
        if self.as_json:
            return
        for line in text.split("\n"):
            if line.startswith(" "):
                self._print(line)
                continue
            lead = re.match(r"(?:- |\d+\. )?", line)[0]  # type: ignore[index]
            room = min(max(self._console.width, _NARROWEST), _READABLE) - len(lead)
            for number, part in enumerate(_wrapped(line[len(lead) :], room)):
                self._print(f"{' ' * len(lead) if number else lead}{part}")

    def suggest(self, words: str, *commands: str) -> None:
        """What to do next, each command on a line of its own; nothing with ``--json``."""
        if not self.as_json:
            self.say(f"\n{words}")
            for command in commands:
                self._print(f"  $ {command}")

    def remark(self, text: str) -> None:
        """Words on standard error."""
        for line in _wrapped(text, _width(self._remarks)):
            self._remarks.print(line)

    def progress(self) -> Progress:
        """A progress bar on standard error, if that is a terminal."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._remarks,
            disable=not sys.stderr.isatty(),
        )

    def _hanging(self, lead: str, words: str) -> None:
        """``words`` after ``lead``, and below their own beginning where the terminal ends."""
        from rich.cells import cell_len

        room = max(_width(self._console) - cell_len(lead), _NARROWEST)
        for line in _wrapped(words, room):
            self._print(f"{lead}{line}")
            lead = " " * cell_len(lead)

    def _print(self, line: str, style: str | None = None) -> None:
        self._console.print(line.rstrip(), style=style)


def _width(console: Console) -> int:
    """Columns of a terminal; a pipe has no end."""
    return console.width if console.is_terminal else _ENDLESS


def _in_columns(cells: Iterable[str], widths: Iterable[int]) -> str:
    from rich.cells import set_cell_size

    return _GAP.join(set_cell_size(cell, width) for cell, width in zip(cells, widths, strict=False))


def _wrapped(words: str, room: int) -> Iterator[str]:
    """Lines of at most ``room`` columns; a word that is longer stays whole."""
    from rich.cells import cell_len

    line = ""
    for word in words.split(" "):
        longer = f"{line} {word}" if line else word
        if line and cell_len(longer) > room:
            yield line
            line = word
        else:
            line = longer
    yield line


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return "" if cell is None else str(cell)


def age_of(moment: float, now: float) -> str:
    """How long ago, in the two largest units."""
    return span(now - moment)


def span(seconds: float) -> str:
    """A length of time in its two largest units."""
    left = max(int(seconds), 0)
    days, left = divmod(left, 86_400)
    hours, left = divmod(left, 3600)
    minutes, left = divmod(left, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (left, "s")]
    shown = [f"{count}{unit}" for count, unit in parts if count]
    return " ".join(shown[:2]) or "0s"


def iso(moment: float) -> str:
    """UNIX seconds as ISO 8601 in UTC: the one way in which times are shown."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def utc(text: str) -> str:
    """A time that was written in another zone or precision, as ``iso`` shows times; else the text itself."""
    try:
        return iso(datetime.fromisoformat(text).timestamp())
    except ValueError:
        return text


def as_json(value: object) -> str:
    """One line of JSON. An amount is written as the number it is, digit by digit."""
    if isinstance(value, Decimal):
        return str(int(value)) if value == int(value) else format(value, "f")
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{json.dumps(str(name))}: {as_json(one)}" for name, one in value.items()) + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(as_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
