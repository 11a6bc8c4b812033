from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from samtranslator.yaml_helper import yaml_parse

from refunds.cancel_types import all_cancel_types

PROJECT = Path(__file__).parents[3]
TEXT = (PROJECT / "archive.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml_parse(TEXT)
    return parsed


def test_the_archive_is_a_valid_template() -> None:
    """CloudFormation would take it."""
    assert lint(TEXT, config=ManualArgs(include_checks=["I"], regions=["ap-northeast-2"])) == []


def test_every_cancel_types_events_are_archived(template: dict[str, Any]) -> None:
    """A type that is added to the registry is added to the archive."""
    pattern = template["Resources"]["OrderArchive"]["Properties"]["EventPattern"]
    assert pattern["detail-type"] == [kind.policy.detail_type for kind in all_cancel_types()]


def test_what_can_be_replayed_is_remembered(template: dict[str, Any]) -> None:
    """The longest archive, with queue and DLQ, fits into the ledger's default memory."""
    handler = yaml_parse((PROJECT / "template.yaml").read_text(encoding="utf-8"))["Parameters"]
    longest = template["Parameters"]["RetentionDays"]["MaxValue"]
    assert longest + handler["RetentionDaysTotal"]["MinValue"] <= handler["LedgerTtlDays"]["Default"]


def test_the_archive_outlives_its_stack(template: dict[str, Any]) -> None:
    """Deleting the stack by mistake loses no event."""
    archive = template["Resources"]["OrderArchive"]
    assert (archive["DeletionPolicy"], archive["UpdateReplacePolicy"]) == ("Retain", "Retain")
