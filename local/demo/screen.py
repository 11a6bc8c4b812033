"""What the developer sees."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from local.demo.verdict import Verdict

_WIDTH = 150


class Screen:
    """Progress lines and the table of verdicts."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._console = Console(width=None if Console().is_terminal else _WIDTH, highlight=False)

    def say(self, what: str) -> None:
        """A line of progress with the seconds since the start."""
        self._console.print(f"[dim]{time.monotonic() - self._began:6.1f} s[/dim]  {what}")

    def table(self, verdicts: Sequence[Verdict]) -> None:
        """One row per scenario."""
        table = Table(
            title="\nWhat happened, what the provider moved, what accounting was told", title_justify="left"
        )
        for column in (
            "",
            "what happens",
            "cancel type",
            "provider moved",
            "calls",
            "accounting heard",
            "DLQ",
        ):
            table.add_column(
                column, overflow="fold", justify="right" if column in ("provider moved", "calls") else "left"
            )
        for verdict in verdicts:
            table.add_row(
                "[red]✗[/red]" if verdict.problems else "[green]✓[/green]",
                verdict.scenario.title
                + (f"\n[dim]{verdict.scenario.hint}[/dim]" if verdict.scenario.hint else ""),
                verdict.scenario.requests[0].cancel_type,
                _moved(verdict),
                str(verdict.sends),
                "\n".join(verdict.heard),
                "\n".join(verdict.dead),
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
        moved = sum(v.moved for v in verdicts)
        voided = sum(v.voided for v in verdicts)
        self._console.print(
            f"\nThe oracle: {published} events published for {requests} cancellations; {moved:,} won moved "
            f"and {voided} numbers and receipts voided, each once;\n"
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


def _moved(verdict: Verdict) -> str:
    if verdict.moved:
        return f"{verdict.moved:,} won"
    return f"{verdict.voided} voided" if verdict.voided else "nothing"
