from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics

from refunds.cancel_types import cancel_type
from refunds.contracts.outbound import (
    MoneyMoved,
    Outcome,
    OutcomeError,
    OutcomeKind,
    ProviderRefs,
    outcome_id,
)
from refunds.domain.disposition import Reason, Source
from refunds.domain.provider_call import ProviderCall
from refunds.errors import ErrorCode
from refunds.messaging.requeue import RequeuePolicy
from refunds.telemetry.logs import Telemetry, quiet_libraries
from refunds.telemetry.metrics import Metrics

POLICY = cancel_type("payment_cancel").policy
REASON = Reason(ErrorCode.PROVIDER_UNAVAILABLE, "no connection was made")


class Log:
    """A telemetry of its own and everything it writes."""

    def __init__(self, name: str) -> None:
        self._stream = io.StringIO()
        logger = Logger(service=name, stream=self._stream, level="DEBUG")
        self.telemetry = Telemetry(logger, POLICY, Metrics("Tested"))

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Every line, as the JSON object it has to be."""
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]


@pytest.fixture
def log(request: pytest.FixtureRequest) -> Log:
    return Log(request.node.name)


@pytest.fixture
def emf(log: Log, capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """Flush, and read what went to standard output."""

    def flushed() -> list[dict[str, Any]]:
        log.telemetry.flush()
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return flushed


def outcome(kind: OutcomeKind = OutcomeKind.SUCCEEDED, *, doubtful: bool = False) -> Outcome:
    failed = kind not in (OutcomeKind.SUCCEEDED, OutcomeKind.PENDING)
    error = OutcomeError(
        code=ErrorCode.OUTCOME_UNKNOWN, message="…", retryable=True, may_have_been_applied=doubtful
    )
    return Outcome(
        outcome_id=outcome_id("payment_cancel", "cr-1", kind, error),
        outcome=kind,
        cancel_type="payment_cancel",
        cancel_request_id="cr-1",
        order_id="ORD-1",
        requested_by="customer",
        requested_at="2026-11-21T05:00:00Z",
        occurred_at="2026-11-21T05:00:07Z",
        attempts=2,
        provider=ProviderRefs(name="portone"),
        money=MoneyMoved(currency="KRW", cancelled=None if failed else Decimal(3000)),
        error=error if failed else None,
    )


def values(lines: list[dict[str, Any]], name: str) -> list[tuple[float, list[list[str]]]]:
    """Each value of a metric with the sets of dimensions it counts under."""
    return [
        (value, line["_aws"]["CloudWatchMetrics"][0]["Dimensions"])
        for line in lines
        for value in line.get(name, [])
    ]


def test_lines_are_json_with_the_records_keys(log: Log) -> None:
    """A line is one JSON object that says which record of which cancel type it is about."""
    with log.telemetry.record(cancel_request_id="cr-1", message_id="m-1"):
        log.telemetry.redelivered(REASON, 45)
    log.telemetry.dead_lettered(REASON)
    during, after = log.lines
    assert during["message"] == "not processed yet: no connection was made"
    assert (during["level"], during["cancel_type"]) == ("WARNING", "payment_cancel")
    assert (during["cancel_request_id"], during["message_id"]) == ("cr-1", "m-1")
    assert (during["error_code"], during["retry_in"]) == ("PROVIDER_UNAVAILABLE", 45)
    assert after["level"] == "ERROR"
    assert "cancel_request_id" not in after


def test_keys_do_not_outlive_a_crash(log: Log) -> None:
    """When a record crashes, its keys are on no later line."""
    with pytest.raises(RuntimeError), log.telemetry.record(cancel_request_id="cr-1"):
        raise RuntimeError
    log.telemetry.dead_lettered(REASON)
    assert "cancel_request_id" not in log.lines[0]


def test_keys_of_concurrent_records_do_not_mix(log: Log) -> None:
    """Records worked on at the same time write their own keys and never each other's."""
    together = threading.Barrier(4, timeout=300)

    def work(number: int) -> None:
        for turn in range(25):
            with log.telemetry.record(cancel_request_id=f"cr-{number}-{turn}"):
                together.wait()
                log.telemetry.redelivered(Reason(ErrorCode.NOT_FOUND, f"cr-{number}-{turn}"), number)
                together.wait()

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(work, range(4)))
    assert len(log.lines) == 100
    for line in log.lines:
        assert line["message"].endswith(f" {line['cancel_request_id']}")


def test_errors_are_named_and_placed(log: Log) -> None:
    """An unexpected error is logged by its type and place, without its text, which may hold data."""
    try:
        _fail_with("account 00123456789")
    except ValueError as error:
        log.telemetry.failed("unexpected error while processing", error)
    (line,) = log.lines
    assert line["error_type"] == "ValueError"
    assert line["at"].startswith("_fail_with:")
    assert "00123456789" not in json.dumps(line)


def _fail_with(text: object, **_: object) -> None:
    raise ValueError(text)


def test_an_error_without_a_place(log: Log) -> None:
    """An error that was never raised is logged all the same."""
    log.telemetry.failed("unexpected error", ValueError())
    assert log.lines[0]["at"] == "unknown"


def test_settled(log: Log, emf: Callable[[], list[dict[str, Any]]]) -> None:
    """A success is one line, and metrics of its count, its age and the money that moved."""
    log.telemetry.processed(outcome(), Source.ANSWER)
    assert log.lines[0]["message"] == "cancellation succeeded"
    assert log.lines[0]["attempts"] == 2
    lines = emf()
    assert values(lines, "Succeeded") == [(1, [["cancel_type"]])]
    assert values(lines, "Age") == [(7, [["cancel_type"]])]
    assert values(lines, "Refunded") == [(3000, [["cancel_type", "currency"]])]
    assert {line["_aws"]["CloudWatchMetrics"][0]["Namespace"] for line in lines} == {"Tested"}
    assert {line["cancel_type"] for line in lines} == {"payment_cancel"}


def test_parked_in_doubt(log: Log, emf: Callable[[], list[dict[str, Any]]]) -> None:
    """What is parked counts under its error code too, and once more where money may have moved."""
    log.telemetry.processed(outcome(OutcomeKind.PARKED, doubtful=True), Source.ANSWER)
    log.telemetry.processed(outcome(OutcomeKind.PARKED), Source.ANSWER)
    lines = emf()
    both = [["cancel_type"], ["cancel_type", "error_code"]]
    assert values(lines, "Parked") == [(1, both), (1, both)]
    assert values(lines, "ParkedUnknown") == [(1, [["cancel_type"]])]
    assert values(lines, "Refunded") == []


@pytest.mark.parametrize(
    ("amount", "currency", "value"),
    [
        ("3000", "KRW", 3000.0),
        ("726.24", "USD", 726.24),
        ("0.10", "USD", 0.1),
        ("999999999999", "JPY", 999999999999.0),
    ],
)
def test_refunded_has_the_currencys_decimals(
    log: Log, emf: Callable[[], list[dict[str, Any]]], amount: str, currency: str, value: float
) -> None:
    """What was refunded is measured by currency, cents included."""
    moved = outcome().model_copy(update={"money": MoneyMoved(currency=currency, cancelled=Decimal(amount))})
    log.telemetry.processed(moved, Source.ANSWER)
    lines = emf()
    assert values(lines, "Refunded") == [(value, [["cancel_type", "currency"]])]
    assert {line["currency"] for line in lines if "Refunded" in line} == {currency}


def test_pending(log: Log, emf: Callable[[], list[dict[str, Any]]]) -> None:
    """What a provider accepted and books later counts as pending, and as refunded only once it has moved."""
    log.telemetry.processed(outcome(OutcomeKind.PENDING), Source.ANSWER)
    assert log.lines[0]["message"] == "cancellation pending"
    lines = emf()
    assert values(lines, "Pending") == [(1, [["cancel_type"]])]
    assert values(lines, "Refunded") == values(lines, "ParkedUnknown") == []


def test_a_code_of_a_newer_version(log: Log, emf: Callable[[], list[dict[str, Any]]]) -> None:
    """An outcome stored by a newer version is logged and counted under the code that it has."""
    text = outcome(OutcomeKind.PARKED).to_json().replace("OUTCOME_UNKNOWN", "NEWER_CODE")
    log.telemetry.processed(Outcome.from_json(text), Source.ANSWER)
    newer: Any = "NEWER_CODE"
    log.telemetry.dead_lettered(Reason(newer, "…"))
    log.telemetry.redelivered(Reason(newer, "…"), 1)
    assert [line["error_code"] for line in log.lines] == ["NEWER_CODE"] * 3
    coded = [line for line in emf() if {"Parked", "DeadLettered", "Retried"} & line.keys()]
    assert {line["error_code"] for line in coded} == {"NEWER_CODE"}


def test_metrics_that_cannot_be_written(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric that the format refuses costs itself and never the batch."""
    monkeypatch.setattr(EphemeralMetrics, "flush_metrics", _fail_with)
    log.telemetry.redelivered(REASON, 1)
    log.telemetry.flush()
    assert log.lines[-1]["message"] == "metrics could not be written"


def test_repetitions_are_not_counted_again(log: Log, emf: Callable[[], list[dict[str, Any]]]) -> None:
    """An outcome that was only published again counts as a repetition and not as another refund."""
    log.telemetry.processed(outcome(), Source.LEDGER)
    lines = emf()
    assert values(lines, "Repeated") == [(1, [["cancel_type"]])]
    assert values(lines, "Succeeded") == values(lines, "Refunded") == []


def test_held(log: Log, emf: Callable[[], list[dict[str, Any]]]) -> None:
    """A message that is put back tells for how long it has been: its queue does not know."""
    requeue_policy = RequeuePolicy(None, paused=True, longest=60.0, clock=lambda: 5_000.0)
    for since in (None, 4_000.0):
        held = requeue_policy.of(since)
        assert held is not None
        log.telemetry.held(held)
    lines = emf()
    assert values(lines, "Held") == [(1, [["cancel_type"]])] * 2
    assert values(lines, "HeldAge") == [(0, [["cancel_type"]]), (1_000, [["cancel_type"]])]


def test_flushed_once(log: Log, emf: Callable[[], list[dict[str, Any]]]) -> None:
    """Metrics are written once per invocation, and nothing is written where nothing happened."""
    log.telemetry.redelivered(REASON, 1)
    assert len(emf()) == 1
    assert emf() == []


def test_many_values_are_all_written(log: Log, emf: Callable[[], list[dict[str, Any]]]) -> None:
    """More values than one line of the format holds are written in several, and none is lost."""
    for _ in range(250):
        log.telemetry.called(ProviderCall("GET /payments/{imp_uid}", 0.25, 200, None))
    found = values(emf(), "ProviderLatency")
    assert found == [(250.0, [["provider"], ["provider", "operation"]])] * 250


def test_concurrent_counts_are_all_written(log: Log, emf: Callable[[], list[dict[str, Any]]]) -> None:
    """Counts of records worked on at the same time are all there."""
    with ThreadPoolExecutor(8) as workers:
        list(workers.map(lambda _: log.telemetry.redelivered(REASON, 1), range(80)))
    assert len(values(emf(), "Retried")) == 80


def test_libraries_do_not_log_requests(caplog: pytest.LogCaptureFixture) -> None:
    """Libraries that would log URLs, headers and bodies are silent below warnings at any level of ours."""
    caplog.set_level(logging.DEBUG)
    quiet_libraries()
    for name in ("httpx", "botocore", "urllib3"):
        logging.getLogger(name).info("GET https://host/vbanks/imp_1?pg_api_key=secret")
        logging.getLogger(f"{name}.inner").debug("Authorization: Bearer secret")
    assert caplog.records == []
