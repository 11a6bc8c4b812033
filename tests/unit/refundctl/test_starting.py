from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from refundctl.__main__ import run
from refundctl.choices import ARRIVALS, ERROR_CODES, VERDICTS
from refundctl.runbook import entries, load, plain, written
from refunds.errors import ErrorCode
from refunds.operators.dead_letters import CRASHED, UNDELIVERED, UNHANDLED
from refunds.operators.replay_verdicts import ReplayVerdict

PROJECT = Path(__file__).parents[3]
HEAVY = ("boto3", "botocore", "pydantic", "rich", "httpx")
_SHOW_LOADED = f"""
import sys
from refundctl.__main__ import main
try:
    main()
except SystemExit as ended:
    print(ended.code, [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["dlq", "--help"], ["dlq", "replay", "--help"], ["status", "-h"]]
)
def test_help_loads_nothing_that_only_a_command_needs(arguments: list[str]) -> None:
    """No AWS client, no models and no tables: they cost more time than all the rest."""
    ended = subprocess.run(
        [sys.executable, "-c", _SHOW_LOADED, *arguments], capture_output=True, text=True, check=True
    )
    assert ended.stderr.strip() == "0 []"
    assert ended.stdout


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("refundctl dlq list -e PROVIDER_", {"PROVIDER_AUTH", "PROVIDER_UNAVAILABLE", "PROVIDER_REFUSED"}),
        ("refundctl queues -t v", {"vbank_revoke"}),
        ("refundctl explain LIMIT", {"LIMIT_EXCEEDED"}),
        ("refundctl dlq re", {"replay"}),
        ("refundctl dlq replay -t cvs_revoke --limit 5 --verdict s", {"safe", "stale"}),
        ("refundctl resolve cr-1 --code NOT_", {"NOT_FOUND", "NOT_CANCELLABLE"}),
        ("refundctl carry", {"carry-over"}),
    ],
)
def test_the_shell_completes_types_and_codes(words: str, offered: set[str]) -> None:
    """As the script of `refundctl completion bash` asks for them; nothing is loaded for it, either."""
    asked = {
        "_REFUNDCTL_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    ended = subprocess.run(
        [sys.executable, "-c", _SHOW_LOADED],
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(ended.stdout.split()) == offered
    assert ended.stderr.strip() == "0 []"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_the_shell_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It asks refundctl itself."""
    assert run(["completion", shell]) == 0
    assert "_REFUNDCTL_COMPLETE" in capsys.readouterr().out


def test_choices_are_those_of_what_they_stand_for() -> None:
    """They are written down a second time so that completing loads nothing."""
    assert tuple(ErrorCode) == ERROR_CODES
    assert (CRASHED, UNDELIVERED, UNHANDLED) == ARRIVALS
    assert tuple(ReplayVerdict) == VERDICTS


@pytest.mark.parametrize(
    "arguments", [[], ["dlq"], ["dlq", "replay"], ["resolve"], ["status"], ["dlq", "discard"]]
)
def test_help_fits_eighty_columns_but_for_its_examples(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No word is broken and no line cut short; examples stand whole."""
    monkeypatch.setenv("COLUMNS", "80")
    assert run([*arguments, "--help"]) == 0
    shown, _, examples = capsys.readouterr().out.partition("Examples:")
    assert max(map(len, shown.splitlines())) <= 80
    assert "..." not in shown.replace("[ARGS]...", "")
    assert examples.count("refundctl") >= 1 or arguments == ["dlq"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["dlq", "list", "-e", "NO_SUCH_CODE"],
        ["dlq", "replay", "-e", "NO_SUCH_CODE"],
        ["dlq", "replay", "--verdict", "maybe"],
        ["queues", "-t", "order_return"],
        ["resolve", "cr-1", "--as", "failed"],
        ["resolve", "cr-1", "--as", "succeeded", "--by", "kim", "--evidence", "x", "--amount", "-1"],
        ["dlq", "replay", "--yes"],
        ["dlq", "replay", "--step", "--reason", "x", "--yes"],
        ["dlq", "discard", "--id", "cr-1"],
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 before anything is connected; with --json as an object as well."""
    assert run([*arguments, "--json"]) == 2
    shown = capsys.readouterr()
    assert '"type": "error"' in shown.out
    assert '"exit_code": 2' in shown.out
    assert "Usage: refundctl" in shown.err


def test_the_runbook_inside_is_the_one_in_the_docs() -> None:
    """Run `make runbook` where it differs."""
    text = (PROJECT / "docs" / "runbook.md").read_text(encoding="utf-8")
    inside = (PROJECT / "ops" / "refundctl" / "runbook.json").read_text(encoding="utf-8")
    assert inside == written(entries(text))
    assert set(ERROR_CODES) | set(ARRIVALS) <= load().keys()


@pytest.mark.parametrize("asked", ["OUTCOME_UNKNOWN", "outcome_unknown", "refunds-prod-payment-cancel-held"])
def test_a_code_or_an_alarm_is_explained(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In whatever case, and by the name that the alarm has in its mail."""
    assert run(["explain", asked]) == 0
    shown = capsys.readouterr().out
    assert shown.split()[0] in {"OUTCOME_UNKNOWN", "held"}
    assert len(shown) > 100


def test_an_unknown_code_is_met_with_near_ones(capsys: pytest.CaptureFixture[str]) -> None:
    """A slip of the finger costs no search."""
    assert run(["explain", "OUTCOME_UNKNWON"]) == 1
    assert "did you mean OUTCOME_UNKNOWN" in capsys.readouterr().err


def test_an_entry_is_shown_without_its_markup() -> None:
    """Commands as they are to be typed, paragraphs as one line, links as words."""
    shown = plain("See [there](#x) and\n`this`.\n\n- one\n  more\n- two\n\n```console\n$ a  b\n```\n")
    assert shown == "See there and this.\n\n- one more\n- two\n\n  $ a  b"


def test_every_entry_ends_without_markup() -> None:
    """Nobody reads brackets at night."""
    for name, entry in load().items():
        shown = plain(str(entry["text"]))
        assert "](" not in shown, name
        assert not re.search(r"^```", shown, re.MULTILINE), name
