from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import pytest
import typer

from local.trigger import Context
from refundctl.__main__ import run
from refundctl.actions.spool import Spool
from refundctl.option_groups import with_option_groups
from refundctl.output import age_of
from refundctl.parameters import Filters, duration, moment
from refunds.cancel_types import MODULES
from refunds.errors import ConfigurationError
from refunds.operators.cancel_queues import chosen, output_name, queues_of_outputs, queues_of_url
from refunds.operators.dead_letters import Selection
from refunds.operators.functions import ReplayFunction, offset
from tests.unit.operators.requests import dead_letter
from tests.unit.rig import Wanted


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7_200), ("3d", 259_200), (" 1 h ", 3_600)]
)
def test_durations_are_read(text: str, seconds: int) -> None:
    """Seconds, minutes, hours and days."""
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-1h", "1.5h", "1w", "2026-11-21T05:00:00"])
def test_other_times_are_refused(text: str) -> None:
    """A time without a zone is none: whose would it be?"""
    with pytest.raises(typer.BadParameter):
        moment(text, 0.0)


def test_a_moment_is_a_time_with_a_zone_or_an_age() -> None:
    """Both in UNIX seconds."""
    assert moment("1970-01-02T09:00:00+09:00", 0.0) == 86_400
    assert moment("1h", 10_000.0) == 6_400


def test_filters_choose_by_everything_at_once() -> None:
    """Each named filter must hold; ids are the request's or the message's."""
    one = dead_letter(Wanted(key="cr-1").body, error_code="NOT_FOUND")
    now = one.sent_at + 3_600
    for filters in (
        Filters(),
        Filters(error_codes=["NOT_FOUND"], orders=["ORD-1"], ids=["cr-1"], older_than="1h"),
        Filters(ids=[one.message_id], younger_than="1h"),
    ):
        assert filters.selection().takes(one, now)
    for filters in (
        Filters(error_codes=["OTHER"]),
        Filters(orders=["ORD-2"]),
        Filters(ids=["cr-2"]),
        Filters(older_than="61m"),
        Filters(younger_than="59m"),
        Filters(error_codes=["NOT_FOUND"], ids=["cr-2"]),
    ):
        assert not filters.selection().takes(one, now)


def test_a_name_is_that_of_a_message_a_request_or_an_order() -> None:
    """What a person has at hand finds the message, whichever of its names it is."""
    one = dead_letter(Wanted(key="cr-1").body)
    for name in (one.message_id, "cr-1", "ORD-1"):
        assert Selection(names=frozenset({name})).takes(one, one.sent_at)
    assert not Selection(names=frozenset({"ORD-2"})).takes(one, one.sent_at)


def test_rows_come_back_in_the_order_of_their_age() -> None:
    """All of them, or the oldest few; equal ages in the order they came."""
    with Spool() as spool:
        for number in range(1_000):
            spool.add(-number % 10, {"number": number})
        rows = [row["number"] for row in spool.oldest_first()]
        assert rows == sorted(range(1_000), key=lambda number: (-number % 10, number))
        assert [row["number"] for row in spool.oldest_first(3)] == rows[:3]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (3_600, "1h"), (3_661, "1h 1m"), (90_061, "1d 1h"), (-5, "0s")],
)
def test_ages_are_told_in_two_units(seconds: float, text: str) -> None:
    """As a person says them."""
    assert age_of(100.0, 100.0 + seconds) == text


def test_a_group_of_options_becomes_options_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Declared once, with default, help and name, and closed at the command's end."""
    closed = []

    @dataclass(frozen=True)
    class Group:
        colour: Annotated[str, typer.Option("--colour", "-c")] = "red"

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            closed.append(self.colour)

    globals()["Group"] = Group  # where the command's annotations are looked up
    app = typer.Typer()

    @app.command()
    @with_option_groups
    def paint(what: str, group: Group) -> None:
        typer.echo(f"{what} {group.colour}")

    for arguments in (["door"], ["door", "-c", "blue"]):
        with pytest.raises(SystemExit) as ended:
            app(arguments)
        assert ended.value.code == 0
    assert capsys.readouterr().out.splitlines() == ["door red", "door blue"]
    assert closed == ["red", "blue"]


def test_without_a_deployment_nothing_is_touched(capsys: pytest.CaptureFixture[str]) -> None:
    """The operator is asked which one he means; both at once are refused as well."""
    assert run(["dlq", "list"]) == 1
    assert run(["dlq", "list", "--stack", "refunds-prod", "--local"]) == 1
    shown = capsys.readouterr().err
    assert shown.count("say which deployment you mean") == 2
    assert "REFUNDCTL_STACK" in shown


_IN_SEOUL = {"AWS_REGION": "ap-northeast-2"}
_KEYS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}


@pytest.mark.parametrize(
    ("variables", "advice"),
    [
        ({}, "name one: --region"),
        (_IN_SEOUL, "aws sso login"),
        (_IN_SEOUL | _KEYS | {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "is the network up?"),
    ],
)
def test_who_cannot_reach_aws_is_told_what_to_do(
    variables: dict[str, str], advice: str, tmp_path: Path
) -> None:
    """No region, no credentials, no network: a line of advice and no traceback."""
    nobody = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true"}
    ended = subprocess.run(
        [sys.executable, "-m", "refundctl", "dlq", "list", "--stack", "refunds-prod"],
        env=nobody | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert advice in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "arguments", [["--help"], ["dlq", "--help"], ["dlq", "replay", "--help"], ["resolve", "-h"]]
)
def test_help_needs_no_deployment(arguments: list[str]) -> None:
    """Somebody who has never seen it can look around."""
    assert run(arguments) == 0


def test_wrong_usage_ends_with_two() -> None:
    """As every command line tool says it."""
    assert run(["dlq", "replay", "--verdict", "maybe"]) == 2
    assert run(["nothing"]) == 2
    assert run(["reconcile", "--local", "--json", "--csv", "-"]) == 2
    assert run(["reconcile", "--local", "--days", "91"]) == 2
    assert run(["republish", "--local", "--since", "yesterday", "--rate", "0"]) == 2


def test_queues_are_read_from_outputs_and_from_one_url() -> None:
    """The same five for the command and for the functions; what is missing is named."""
    with pytest.raises(ConfigurationError, match="PaymentCancelQueueUrl"):
        queues_of_outputs({})
    with pytest.raises(ConfigurationError, match="OPERATOR_QUEUE_URL"):
        queues_of_url("https://sqs.invalid/1/refunds-cvs-revoke")
    names = [name.replace("_", "-") for name in MODULES]
    outputs = {
        output_name(name, f"{what}Url"): f"https://sqs.invalid/1/refunds-{name.replace('_', '-')}{end}"
        for name in MODULES
        for what, end in (("Queue", ""), ("Dlq", "-dlq"))
    }
    all_queues = queues_of_url(f"https://sqs.invalid/1/refunds-{names[0]}")
    assert all_queues == queues_of_outputs(outputs)
    assert chosen(all_queues, ()) == all_queues
    with pytest.raises(ConfigurationError, match="no cancel type order_return"):
        chosen(all_queues, ["order_return"])


@pytest.mark.parametrize(
    "event", [{}, {"by": "", "reason": "x"}, {"by": "a", "reason": "b", "verdicts": ["maybe"]}, []]
)
def test_a_replay_must_say_who_wants_it_and_why(event: object) -> None:
    """The invocation fails with the fields at fault, before anything is looked at."""
    with pytest.raises(ValueError, match="not a replay request"):
        ReplayFunction({})(event, Context())


def test_a_day_has_a_fixed_offset() -> None:
    """Lambda has no time zone data; anything else is refused."""
    assert offset("+09:00").utcoffset(None).total_seconds() == 32_400  # type: ignore[union-attr]
    with pytest.raises(ConfigurationError):
        offset("Asia/Seoul")
