"""A new version beside the old one: both take messages of the same queue while they are under load."""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from local.demo.cast import Cast
from local.demo.play import dead_letters, send_events
from local.demo.scenario import Request
from local.simulator.control import SimulatorControl
from local.simulator.faults import Fault, FaultKind, Operation
from local.stack import Options, OutcomeLog, Stack, start, update
from local.stack.logs import log_lines

_COUNT = 120
_PATIENCE_SECONDS = 240.0
_LOG_GROUP = "/aws/lambda/refunds-local-payment-cancel"
_FAULTS = (
    FaultKind.DROP_AFTER_COMMIT,
    FaultKind.DROP_BEFORE_COMMIT,
    FaultKind.HTTP_5XX_AFTER_COMMIT,
    FaultKind.REFUSE_CONNECTION,
)


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    return Options(tmp_path_factory.mktemp("versions"))


@pytest.fixture(scope="module")
def two_versions(options: Options) -> Iterator[Stack]:
    """A stack whose alias points to version 1, with a second mapping that feeds a version 2.

    The local AWS gives all of an alias's traffic to one version; two mappings of one queue divide it as a
    canary does.
    """
    with start(options) as running:
        aws, name = running.aws.functions, running.outputs["PaymentCancelFunctionName"]
        variables = aws.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        changed: Any = {"Variables": {**variables, "RELEASE": "next", "BATCH_CONCURRENCY": "5"}}
        aws.update_function_configuration(FunctionName=name, Environment=changed)
        assert aws.publish_version(FunctionName=name)["Version"] == "2"
        mapping = aws.list_event_source_mappings(FunctionName=f"{name}:live")["EventSourceMappings"][0]
        aws.create_event_source_mapping(
            FunctionName=f"{name}:2",
            EventSourceArn=mapping["EventSourceArn"],
            BatchSize=10,
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )
        yield running


def test_old_and_new_lose_and_double_nothing(two_versions: Stack) -> None:
    """Under load, with duplicates and lost answers, every refund is carried out once, whoever got it."""
    assert two_versions.simulator_url is not None
    chance = random.Random(6)  # noqa: S311 - the same load every time
    cast = Cast(run=uuid.uuid4().hex[:8])
    requests = [
        cast.request("payment_cancel", number, {"imp_uid": cast.payment(number), "amount": 1_000})
        for number in range(_COUNT)
    ]
    with SimulatorControl(two_versions.simulator_url) as simulator, OutcomeLog.attach(two_versions) as log:
        simulator.seed_payments(*(cast.paid(number) for number in range(_COUNT)))
        simulator.add_faults(*_faults(cast, chance))
        send_events(two_versions, _with_duplicates(requests, chance))
        log.wait_for_requests([one.cancel_request_id for one in requests], _PATIENCE_SECONDS)
        moved = [sum(line.amount for line in simulator.ledger(cast.payment(n))) for n in range(_COUNT)]
        outcomes = [{one["outcome_id"] for one in log.of(request.cancel_request_id)} for request in requests]
        ended = Counter(log.of(request.cancel_request_id)[-1]["outcome"] for request in requests)
    assert moved == [1_000] * _COUNT
    assert ended == {"succeeded": _COUNT}
    assert all(len(ids) == 1 for ids in outcomes)
    assert dead_letters(two_versions, ["payment_cancel"]) == []
    assert _versions_that_ran(two_versions) == {"1", "2"}


def test_a_changed_parameter_reaches_the_alias(two_versions: Stack, options: Options) -> None:
    """A deployment that changes only a parameter publishes a version with it, and the alias moves on."""
    limits = json.dumps({"payment_cancel": {"KRW": {"per_hour": 77}}})
    update(two_versions, replace(options, parameters={"Limits": limits}))
    configuration = two_versions.aws.functions.get_function_configuration(
        FunctionName=two_versions.outputs["PaymentCancelFunctionName"], Qualifier="live"
    )
    assert configuration["Environment"]["Variables"]["LIMITS"] == limits
    assert configuration["Version"] not in {"1", "$LATEST"}


def _faults(cast: Cast, chance: random.Random) -> list[Fault]:
    struck = chance.sample(range(_COUNT), _COUNT // 10)
    return [Fault(chance.choice(_FAULTS), cast.payment(number), Operation.CANCEL) for number in struck]


def _with_duplicates(requests: list[Request], chance: random.Random) -> list[Request]:
    load = [*requests, *chance.sample(requests, _COUNT // 5)]
    chance.shuffle(load)
    return load


def _versions_that_ran(stack: Stack) -> set[str]:
    """From Lambda's own lines: ``START RequestId: … Version: 2``."""
    return {line.split()[-1] for line in log_lines(stack, _LOG_GROUP) if line.startswith("START ")}
