"""Tables and words for people, JSON lines for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Output:
    """How results are shown; every command takes it.

    With ``--json`` standard output carries JSON objects only, one per line, each with a ``type``;
    progress and remarks go to standard error either way.
    """

    as_json: Annotated[bool, typer.Option("--json", help="JSON lines instead of tables.")] = False

    @cached_property
    def _console(self) -> Console:
        return Console(markup=False, highlight=False)

    @cached_property
    def _remarks(self) -> Console:
        return Console(stderr=True, markup=False, highlight=False)

    def row(self, kind: str, /, **values: Any) -> None:
        """One JSON line; nothing without ``--json``."""
        if self.as_json:
            print(json.dumps({"type": kind, **values}, ensure_ascii=False, default=_plain))

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table; nothing with ``--json``."""
        if self.as_json:
            return
        table = Table(title=title, title_justify="left", header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
        self._console.print(table)

    def say(self, text: str) -> None:
        """A line for people; nothing with ``--json``."""
        if not self.as_json:
            self._console.print(text)

    def remark(self, text: str) -> None:
        """A line on standard error."""
        self._remarks.print(text)

    def progress(self) -> Progress:
        """A progress bar on standard error, if that is a terminal."""
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._remarks,
            disable=not sys.stderr.isatty(),
        )


def age_of(moment: float, now: float) -> str:
    """How long ago, in the two largest units."""
    seconds = max(int(now - moment), 0)
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s")]
    shown = [f"{count}{unit}" for count, unit in parts if count]
    return " ".join(shown[:2]) or "0s"


def iso(moment: float) -> str:
    """UNIX seconds as ISO 8601."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
