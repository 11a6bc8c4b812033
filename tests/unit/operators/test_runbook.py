from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from refundctl.__main__ import run
from refunds.errors import ErrorCode
from refunds.operators.dead_letters import CRASHED, UNDELIVERED, UNHANDLED
from tests.template.expansion import unrolled

PROJECT = Path(__file__).parents[3]
TEXT = (PROJECT / "docs" / "runbook.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^### (.+)$", TEXT, re.MULTILINE)


def alarm_names() -> set[str]:
    """The alarms of the template, without the stack's name and the cancel type's."""
    source = yaml_parse((PROJECT / "template.yaml").read_text(encoding="utf-8"))
    resources = unrolled(source)["Resources"].values()
    alarms = (one["Properties"] for one in resources if one["Type"] == "AWS::CloudWatch::Alarm")
    names = (str(alarm["AlarmName"]["Fn::Sub"]).removeprefix("${AWS::StackName}-") for alarm in alarms)
    return {re.sub(r"^[a-z]+-(?:revoke|cancel)-", "…-", name) for name in names}


def commands() -> Iterator[list[str]]:
    """Every refundctl command that the runbook shows, in a console or in a sentence."""
    for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            shown = line.partition("refundctl ")[2].partition(" #")[0].partition(" ||")[0]
            if shown:
                yield shlex.split(shown)


def test_every_alarm_has_an_entry() -> None:
    """By the name that the person on call reads."""
    told = {name.strip() for heading in HEADINGS for name in heading.split(",")}
    assert alarm_names() - told == set()


@pytest.mark.parametrize("code", [*ErrorCode, CRASHED, UNDELIVERED, UNHANDLED])
def test_every_error_code_has_an_entry(code: str) -> None:
    """As it stands in events, attributes and metrics."""
    assert str(code) in {heading.removesuffix(" · final") for heading in HEADINGS}


def test_every_command_exists_with_its_options(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is to be typed at night is understood by refundctl."""
    monkeypatch.setenv("COLUMNS", "500")
    shown = list(commands())
    assert len(shown) > 10
    for words in shown:
        named = words[:2] if words[0] == "dlq" else words[:1]
        assert run([*named, "--help"]) == 0, words
        known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
        assert {word for word in words if word.startswith("--")} <= known, words


def test_links_lead_to_headings() -> None:
    """No reference inside the runbook is broken."""
    anchors = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors
