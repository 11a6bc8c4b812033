from __future__ import annotations

import json
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.capacity import plan
from tests.capacity.document import PATH, generated

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def text() -> str:
    return PATH.read_text(encoding="utf-8")


def test_the_tables_are_computed(text: str) -> None:
    """Whoever changes what is written to the ledger computes the plan again: `make capacity`."""
    assert generated(text) == text


def test_the_plan_is_of_this_template() -> None:
    """Parameters the plan counts on are the template's."""
    template = yaml_parse((PROJECT / "template.yaml").read_text(encoding="utf-8"))
    parameters = template["Parameters"]
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    assert max(map(int, parameters["MaximumConcurrency"]["AllowedValues"])) == plan.LARGEST_PARAMETER
    assert variables["BATCH_CONCURRENCY"] == str(plan.BATCH)
    assert parameters["LedgerTtlDays"]["Default"] == plan.TTL_DAYS


def test_every_quota_has_its_source(text: str) -> None:
    """The document names each quota's figure, with a link to where AWS says so."""
    sources = text.partition("## Quotas")[2].partition("\n## ")[0]
    for quota in (
        plan.PUT_EVENTS,
        plan.INVOCATIONS,
        plan.CONCURRENCY,
        plan.MAPPING,
        plan.GROWTH,
        plan.PARTITION,
        plan.TABLE,
        plan.SECRETS,
        plan.IN_FLIGHT,
    ):
        assert f"{quota:,}" in sources, json.dumps(quota)
