from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from bench.bill import TARGET, share_of_previous, with_bill
from bench.cost import STANDING, VARIABLE, documented, ours, per_million, per_month
from bench.usage import Usage
from tests.capacity import plan
from tests.capacity.document import BILL, PATH, counted, generated
from tests.capacity.weights import weigh
from tests.unit.rig import Rig, running_rig

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def text() -> str:
    return PATH.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with running_rig() as running:
        yield running


def test_the_tables_are_computed(text: str, rig: Rig) -> None:
    """Whoever changes what is written to the ledger computes the plan again: `make capacity`."""
    assert generated(text, rig) == text


def test_the_bill_is_of_what_the_functions_use(rig: Rig) -> None:
    """What is counted is counted anew, and the document has the bill that follows: `make capacity`."""
    usage = Usage.load()
    assert counted(rig) == usage
    text = BILL.read_text(encoding="utf-8")
    assert with_bill(text, usage) == text


def test_a_refund_costs_five_write_units(rig: Rig) -> None:
    """Held entries included; the benchmark's simulated table has counted the same."""
    usage = Usage.load()
    assert weigh(rig, "payment_cancel").units == usage.refund.write_units == usage.ours.write_units == 5


def test_the_variable_bill_is_below_the_documented_ways() -> None:
    """In full batches, for the same events."""
    usage = Usage.load()
    assert per_million(ours(usage)).of(VARIABLE) < per_million(documented(usage)).of(VARIABLE)


def test_the_whole_bill_meets_its_target() -> None:
    """At 400 days of memory: 45 % of the previous release's."""
    assert share_of_previous(Usage.load()) <= TARGET


def test_what_a_month_costs_is_a_million_times_its_millions() -> None:
    """With full batches, a month is what its refunds cost, and what stands there anyway."""
    usage = Usage.load()
    way = documented(usage)
    month = per_month(way, 100)
    assert way.messages(100) == 10
    millions = 100 * 730 * 3600 / 1e6
    assert month.total == pytest.approx(per_million(way).total * millions + month.of(STANDING))


def test_infrequent_access_pays_for_a_long_memory_only() -> None:
    """Its writes cost more, its storage less."""
    way = ours(Usage.load())
    usual, rare = (
        {days: per_million(way, days=days, table_class=name).total for days in (100, 400)}
        for name in ("Standard", "Standard-IA")
    )
    assert rare[400] < usual[400]
    assert rare[100] > usual[100]


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
