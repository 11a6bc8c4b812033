"""What the developer sees."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from local.demo.verdict import Verdict
from local.stack.statements import by_currency, in_words

_WIDTH = 100


class Screen:
    """Progress lines and the table of verdicts."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._console = Console(width=None if Console().is_terminal else _WIDTH, highlight=False)

    def say(self, what: str) -> None:
        """A line of progress with the seconds since the start."""
        seconds = time.monotonic() - self._began
        self._console.print(f"[dim]{seconds:6.1f} s[/dim]  {what}", soft_wrap=True)

    def table(self, verdicts: Sequence[Verdict]) -> None:
        """One row per scenario."""
        table = Table(
            title="\nWhat happened, what the provider moved, what accounting was told",
            title_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        table.add_column("")
        table.add_column("what happens")
        table.add_column("provider\nmoved", justify="right")
        table.add_column("calls", justify="right")
        table.add_column("accounting heard,\nand what waits in the DLQ")
        for verdict in verdicts:
            table.add_row(
                "[red]✗[/red]" if verdict.problems else "[green]✓[/green]",
                f"{verdict.scenario.title}\n[dim]{_beside(verdict)}[/dim]",
                _moved(verdict),
                str(verdict.sends),
                "\n".join([*verdict.heard, *(f"[dim]DLQ: {code}[/dim]" for code in verdict.dead)]),
            )
        self._console.print(table)

    def verdict(
        self, verdicts: Sequence[Verdict], published: int, *, waiting: bool, leaks: Sequence[str]
    ) -> bool:
        """The oracle's last word; whether all is well."""
        problems = [f"{v.scenario.title}: {p}" for v in verdicts for p in v.problems]
        if waiting:
            problems.append("messages are still waiting in a queue")
        problems += leaks
        requests = sum(len(v.scenario.requests) for v in verdicts)
        moved = by_currency(item for v in verdicts for item in v.moved.items())
        voided = sum(v.voided for v in verdicts)
        self._console.print(
            f"\nThe oracle: {published} events published for {requests} cancellations; {in_words(moved)} "
            f"moved and {voided} numbers and receipts voided, each once;\n"
            f"{requests} cancellations have exactly one outcome each, "
            f"{sum(len(v.dead) for v in verdicts)} messages wait in a DLQ for a person."
        )
        for problem in problems:
            self._console.print(f"[red]✗ {problem}[/red]")
        if not problems:
            self._console.print(
                "[green]Nothing refunded twice, nothing lost, and no bank account, customer or key shown "
                "anywhere.[/green]"
            )
        return not problems


def _beside(verdict: Verdict) -> str:
    """What is worth knowing besides; else the cancel type."""
    return verdict.scenario.hint or verdict.scenario.requests[0].cancel_type


def _moved(verdict: Verdict) -> str:
    return f"{verdict.voided} voided" if verdict.voided and not verdict.moved else in_words(verdict.moved)
