"""The ledger against PortOne's list of cancellations."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local.simulator.control import SimulatorControl
from local.stack import OutcomeLog, Stack
from tests.integration.ops.cases import PART, PATIENCE, Cases, publish
from tests.integration.ops.operator_shell import Shell
from tests.integration.ops.parked import Parked, ask_freely, wait_for_leases

_CONSOLE_REFUND = 1_234
_MISTYPED = 2_500


def today_in_korea() -> str:
    return (datetime.now(UTC) + timedelta(hours=9)).date().isoformat()


def test_reconciliation_finds_what_was_planted_and_nothing_else(  # noqa: PLR0913, PLR0917 - fixtures, by name
    stack: Stack,
    simulator: SimulatorControl,
    outcomes: OutcomeLog,
    shell: Shell,
    cases: Cases,
    parked: Parked,
    tmp_path: Path,
) -> None:
    """A console refund, a refund that never was and a wrong amount are told from all of today's refunds."""
    console, ordinary = cases.refund(), [cases.refund() for _ in range(3)]
    publish(stack, [console, *ordinary])
    outcomes.wait_for_requests([case.cancel_request_id for case in (console, *ordinary)], PATIENCE)
    simulator.somebody_else(console.subject, "cancel", _CONSOLE_REFUND, "console")
    wait_for_leases(stack, [parked.misjudged, parked.mistyped])
    for case in (parked.misjudged, parked.mistyped):
        ask_freely(simulator, case)
    (really,) = simulator.ledger(parked.mistyped.subject)
    _settle(shell, parked.misjudged.cancel_request_id)
    _settle(
        shell,
        parked.mistyped.cancel_request_id,
        *("--reference", really.cancellation_id, "--amount", str(_MISTYPED)),
    )

    path = tmp_path / "differences.csv"
    found = shell.run("reconcile", "--date", today_in_korea(), "--csv", str(path), code=3)
    differences = {row["kind"]: row for row in found.of("difference")}
    assert len(found.of("difference")) == len(differences) == 3
    elsewhere, missing, amount = (
        differences[kind] for kind in ("not_in_ledger", "not_at_provider", "amount_differs")
    )
    assert (elsewhere["imp_uid"], elsewhere["provider_amount"]) == (console.subject, _CONSOLE_REFUND)
    assert (missing["imp_uid"], missing["ledger_amount"]) == (parked.misjudged.subject, PART)
    assert (amount["imp_uid"], amount["provider_amount"], amount["ledger_amount"]) == (
        parked.mistyped.subject,
        PART,
        _MISTYPED,
    )
    with path.open(newline="", encoding="utf-8") as file:
        assert {row["kind"] for row in csv.DictReader(file)} == set(differences)


def test_a_day_without_differences_ends_with_zero(shell: Shell) -> None:
    """A cron job learns from the exit code alone that all is well."""
    (summary,) = shell.run("reconcile", "--date", "2026-01-01").of("reconciliation")
    assert summary["differences"] == {}


def _settle(shell: Shell, request_id: str, *more: str) -> None:
    # Its event brought the balance, so nobody asked the provider for the currency.
    evidence = ("--currency", "KRW", "--evidence", "misread", "--by", "lee")
    shell.run("resolve", request_id, "--as", "succeeded", *evidence, "--confirm", request_id, *more)
