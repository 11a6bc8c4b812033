"""What the benchmark computes from what it measures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.cost import VARIABLE, Way, gb_seconds_per_million, per_million
from bench.deployment import DOCUMENTED, OURS
from bench.figures import Series
from bench.imports import parse
from bench.measure import Cold, Warm
from bench.report import measured, page, summary
from bench.results import Case, Occasion, Results
from bench.rows import Limit, rows
from bench.simulation import Seen
from bench.throttle import PERIOD, Allowance, share_of
from bench.usage import Measured, Refund, Standing, Usage
from bench.world.aws import Aws
from bench.world.http import Request
from bench.world.latency import Latency
from bench.world.units import size, write_units

PRICES = Path(__file__).parents[2] / "bench" / "prices.json"


def warm(wall: float, cpu: float) -> Warm:
    seen = Seen(
        {"aws": 0, "provider": 0}, {"aws": {"PutItem": 21}, "provider": {"cancel": 10}}, 10, write_units=20
    )
    return Warm([wall, wall * 2, wall], [cpu] * 3, [wall], seen=seen, memory=2**26, logged=500.0)


@pytest.fixture
def results() -> Results:
    """Everything the table of targets needs, the documented way ten times as slow."""
    rivals = {DOCUMENTED: warm(2.5, 0.025), OURS: warm(0.25, 0.0025)}
    cold = {DOCUMENTED: Cold([4.0], [2.5], [1.4]), OURS: Cold([0.5], [0.25], [0.3])}
    return Results(
        occasions={"warm": Occasion("2026-11-21T12:00+00:00", 60.0, 0.5)},
        warm=rivals,
        cases=[Case(512, 0.2, rivals)],
        cold=cold,
    )


def test_pairs_are_compared_in_turn() -> None:
    """A ratio is the median of ratios within a turn, not the ratio of two medians."""
    ratio = Series.of([1.0, 30.0, 3.0]) / Series.of([10.0, 100.0, 10.0])
    assert ratio.median == pytest.approx(0.3)
    assert (ratio.low, ratio.high) == pytest.approx((0.1, 0.3))


def test_floor_of_the_issue() -> None:
    """Two ledger writes, the provider and the publication: 225 ms, as the issue has it."""
    assert Latency().floor == pytest.approx(0.225)
    assert Latency().floor_with_lookup == pytest.approx(0.425)


def test_gb_seconds() -> None:
    """A million refunds in batches of ten that take a second each at 1 GB are 100,000 GB-seconds."""
    assert gb_seconds_per_million(1.0, 1024) == pytest.approx(100_000)
    assert gb_seconds_per_million(0.25, 512) == pytest.approx(12_500)


def test_bill() -> None:
    """Every item of the bill is its use times the price in the list."""
    measured = Measured("", batch_seconds=0.25, logged=500.0, write_units=4.0, read_units=1.0, events=1.0)
    refund = Refund(4, item=900, entries=(50, 50), later_read_units=8.0, later_seconds=0.01)
    standing = Standing(5, 40, 50, 1, 1, 4400, 8.0)
    bill = per_million(Way(measured, standing, refund, one_by_one=False), days=365)
    assert bill.groups[VARIABLE] == pytest.approx(
        {
            "Lambda, time": 12_500 * 0.0000133334,
            "Lambda, requests": 0.02,
            "SQS": 0.48,
            "DynamoDB, writes": 2.50,
            "DynamoDB, reads": 0.125,
            "EventBridge": 1.0,
            "CloudWatch, logs": 0.25,
        },
        rel=1e-3,
    )
    assert bill.item("DynamoDB, storage") == pytest.approx(1.3 * 12 * 0.25)
    assert bill.item("DynamoDB, recovery") == pytest.approx(1.0 * 12 * 0.20)
    assert bill.item("scheduled functions, reads") == pytest.approx(1.0)
    assert bill.total == pytest.approx(sum(bill.of(group) for group in bill.groups))


def test_messages_of_a_batch() -> None:
    """A batch has one message until all batches are busy; whoever works one by one fills his sooner."""
    measured = Measured("", batch_seconds=0.5, logged=0.0, write_units=0.0, read_units=0.0, events=0.0)
    standing = Standing(5, 0, 0, 0, 0, 0, 0.0)
    together, one_by_one = (Way(measured, standing, None, one_by_one=way) for way in (False, True))
    assert [together.messages(rate) for rate in (1, 20, 100, 1_000)] == [1, 1, 5, 10]
    assert [one_by_one.messages(rate) for rate in (1, 200, 201)] == [1, 1, 10]
    assert together.seconds(5) == pytest.approx(0.1)
    assert one_by_one.seconds(1) == pytest.approx(0.05)


def test_a_batch_takes_longer_with_each_message() -> None:
    """Measured with one and with ten; a batch between them has as many as come while one is worked on."""
    measured = Measured("", 1.1, 0.0, 0.0, 0.0, 0.0, alone_seconds=0.2)
    way = Way(measured, Standing(5, 0, 0, 0, 0, 0, 0.0), None, one_by_one=False)
    assert [way.seconds(messages) for messages in (1, 4, 10)] == pytest.approx([0.2, 0.5 / 4, 0.11])
    assert way.messages(50) == pytest.approx(1.0)
    assert way.messages(80) == pytest.approx(80 / 10 * way.seconds(4) * 4)
    assert way.messages(100) == 10


def test_prices_say_where_they_are_from() -> None:
    """The list of prices names source, region and date; every price in it is positive."""
    listed = json.loads(PRICES.read_text(encoding="utf-8"))
    for name in (listed.pop("source"), listed.pop("region"), listed.pop("as_of")):
        assert name
    prices = list(_numbers(listed))
    assert len(prices) > 15
    assert all(price > 0 for price in prices)


def _numbers(listed: dict[str, Any]) -> Iterator[float]:
    for entry in listed.values():
        if isinstance(entry, dict):
            yield from _numbers(entry)
        else:
            yield entry


def test_write_units() -> None:
    """A kilobyte is a unit for the table and each index whose entry changes; a changed key costs two."""
    item = {"pk": {"S": "a"}, "payment_ref": {"S": "p"}, "order_id": {"S": "o"}, "day": {"S": "1"}}
    opened = item | {"open": {"S": "07"}}
    large = item | {"outcome": {"S": "x" * 1024}}
    assert write_units(None, item) == 4
    assert write_units(item, opened) == 2
    assert write_units(opened, item) == 2, "the sparse index loses its entry"
    assert write_units(item, item | {"day": {"S": "2"}}) == 1 + 2
    assert write_units(item, large) == 2, "indexes that hold keys only are not written"


def test_bytes_of_an_item() -> None:
    """Names and values count: text by its bytes, a number by its digits, a list by its elements."""
    assert size({"pk": {"S": "한글"}}) == 2 + 6
    assert size({"n": {"N": "1795262400.5"}}) == 1 + 7
    assert size({"n": {"N": "-100"}}) == 1 + 3
    assert size({"b": {"B": b"123"}}) == size({"b": {"B": "MTIz"}}) == 1 + 3
    assert size({"t": {"BOOL": True}}) == 1 + 1
    assert size({"l": {"L": [{"S": "ab"}, {"S": "c"}]}}) == 1 + 3 + 2 + 3
    assert size({"m": {"M": {"k": {"S": "v"}}}}) == 1 + 3 + 1 + 2


def test_conditions_of_the_simulated_ledger() -> None:
    """A second claim of one key is refused with the item that is there."""
    aws = Aws()
    claim = {
        "TableName": "ledger",
        "Item": {"pk": {"S": "a"}},
        "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    body = json.dumps(claim).encode()
    put = Request("POST", "/", {"x-amz-target": "DynamoDB_20120810.PutItem"}, body)
    assert aws.answer(put).status == 200
    refused = aws.answer(put)
    assert refused.status == 400
    assert json.loads(refused.body)["Item"] == {"pk": {"S": "a"}}


def test_processor_share() -> None:
    """A function has a whole processor at 1,769 MB, and in proportion below."""
    assert share_of(256) == pytest.approx(256 / 1769)
    assert share_of(3008) == 1.0


def test_allowance() -> None:
    """What is not used in a period is lost, what is overdrawn is owed."""
    allowance = Allowance(0.5, used=0.0, now=0.0)
    quota = PERIOD * 0.5
    assert allowance.left(0.0, 0.0) == pytest.approx(quota)
    assert allowance.left(quota * 3, PERIOD * 0.9) < 0
    assert allowance.left(quota * 3, PERIOD * 1.5) < 0, "a second period does not pay for two"
    assert allowance.left(quota * 3, PERIOD * 10.5) == pytest.approx(quota)


def test_imports_by_package() -> None:
    """The interpreter's report is summed up by package, its header left out."""
    report = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:      1000 |       3000 |   json.decoder\n"
        "import time:      2000 |       2000 | httpx._client\n"
        "import time:       500 |        500 | httpx\n"
        "something a module prints\n"
    )
    found = parse(report, frozenset({"json"}))
    assert found["httpx"].modules == 2
    assert found["httpx"].seconds == pytest.approx(0.0025)
    assert found["standard library"].seconds == pytest.approx(0.001)


def test_limits() -> None:
    """A limit is kept by the median, from below or from above."""
    assert Limit(Series.of([0.1, 0.2, 0.9]), 0.2).met
    assert not Limit(Series.of([0.1, 0.21, 0.9]), 0.2).met
    assert Limit(Series.of([9.0]), 9.0, at_least=True).met
    assert not Limit(Series.of([8.9]), 9.0, at_least=True).met


def test_rows_of_what_was_measured(results: Results) -> None:
    """A run of some parts has the rows of these parts, and each says whether its target is met."""
    found = {row.figure: row.limits for row in rows(results)}
    documented, floor = found["wall time of a batch of ten, a whole processor"]
    assert (documented.met, floor.met) == (True, True)
    assert floor.measured.median == pytest.approx(0.25 / 0.225)
    assert not any("lookup" in figure or "drained" in figure for figure in found)


def test_document(results: Results) -> None:
    """The document has the command, the targets, and says which parts were not measured."""
    text = page(results, Usage.load(), "make bench")
    assert "`make bench`" in text
    assert summary(results) in text
    assert text.count("Not measured in this run.") >= 3


def test_the_bill_counts_on_what_was_measured(results: Results) -> None:
    """Time at 512 MB, log, units and events of a refund; nothing where one of these was not measured."""
    assert measured(results, OURS) is None
    results.occasions["shares"] = Occasion("2026-11-21T12:10+00:00", 60.0, 0.5)
    assert measured(results, OURS) == Measured("2026-11-21T12:10+00:00", 0.25, 500.0, 2.0, 0.0, 1.0)
    results.warm = {}
    assert measured(results, OURS) is None


def test_results_are_kept(results: Results, tmp_path: Path) -> None:
    """What one run measured is read back by the next one as it was."""
    path = tmp_path / "results.json"
    results.save(path)
    assert Results.load(path) == results
    assert Results.load(tmp_path / "none.json") == Results()
