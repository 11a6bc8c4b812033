"""The examples, run beside the refund handler: who asks for cancellations, and who keeps the outcomes."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from examples.producer.producer import publish, refund
from local.contract.catalogue import EVENTS, PROJECT
from local.simulator.control import SimulatorControl
from local.stack import Stack
from local.stack.toolchain import clean_environment, host, tool, uv

_STACK = "refund-outcomes"
_PATIENCE_SECONDS = 240.0
_SEED = 20261130


@dataclass(frozen=True)
class Books:
    """What the consumer keeps."""

    stack: Stack
    outputs: Mapping[str, str]

    def item(self, cancel_type: str, cancel_request_id: str) -> Mapping[str, Any]:
        """What it believes of one cancellation; empty if nothing."""
        key = {"pk": {"S": f"{cancel_type}#{cancel_request_id}"}}
        table = self.outputs["StatementsTableName"]
        found = self.stack.aws.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)
        return found.get("Item", {})

    def taken(self) -> int:
        """How many different statements it has dealt with."""
        pages = self.stack.aws.dynamodb.get_paginator("scan").paginate(
            TableName=self.outputs["SeenTableName"], ConsistentRead=True
        )
        items = [item for page in pages for item in page["Items"]]
        return len([item for item in items if item["status"]["S"] == "COMPLETED"])

    def tell(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Publish one statement after the other, each when the consumer has dealt with those before it."""
        told: set[str] = set()
        before = self.taken()
        for event in events:
            answer = self.stack.aws.events.put_events(
                Entries=[
                    {
                        "EventBusName": self.stack.outputs["AccountingBusName"],
                        "Source": event["source"],
                        "DetailType": event["detail-type"],
                        "Detail": json.dumps(event["detail"], ensure_ascii=False),
                    }
                ]
            )
            assert answer["FailedEntryCount"] == 0
            told.add(event["detail"]["outcome_id"])
            expected = before + len(told)
            _wait(lambda expected=expected: self.taken() >= expected, "a statement was not taken")


@pytest.fixture(scope="module")
def books(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """The consumer, built from its folder as its README says, and deployed on the accounting bus."""
    folder = tmp_path_factory.mktemp("examples")
    _run(
        [
            sys.executable,
            "-m",
            "hatchling",
            "build",
            "--target",
            "wheel",
            "--directory",
            str(folder / "dist"),
        ],
        {},
        cwd=PROJECT / "packages" / "refund-contracts",
    )
    machine = host()
    build = {
        "WHEELS": str(folder / "dist"),
        "UV": uv(),
        "PYTHON_VERSION": machine.python_version,
        "PYTHON_PLATFORM": machine.python_platform,
        "AWS_DEFAULT_REGION": stack.region,
    }
    parameters = {
        "AccountingBusName": stack.outputs["AccountingBusName"],
        "PythonRuntime": machine.runtime,
        "Architecture": machine.architecture,
    }
    overrides = ["--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())]
    sam = tool("sam", "sam")
    template = PROJECT / "examples" / "consumer" / "template.yaml"
    built = folder / "build"
    _run([sam, "build", "--template", str(template), "--build-dir", str(built), *overrides], build)
    options = ["--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", *overrides]
    _run(
        [sam, "deploy", "--template-file", str(built / "template.yaml"), "--stack-name", _STACK, *options],
        {"SAM_CLI_POLL_DELAY": "0.2", **stack.environment()},
    )
    described = stack.aws.cloudformation.describe_stacks(StackName=_STACK)["Stacks"][0]
    yield Books(stack, {found["OutputKey"]: found["OutputValue"] for found in described["Outputs"]})
    stack.aws.cloudformation.delete_stack(StackName=_STACK)


def _run(command: list[str], environment: Mapping[str, str], cwd: Path = PROJECT) -> None:
    variables = clean_environment(SAM_CLI_TELEMETRY="0", **environment)
    finished = subprocess.run(
        command,
        cwd=cwd,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout


def _wait(holds: Any, what: str) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < until, what
        time.sleep(0.2)


def _statements(request: str) -> list[dict[str, Any]]:
    """Three statements about one request, as they follow each other; the last one counts."""
    pending = json.loads(
        (EVENTS / "outcomes" / "payment_cancel_pending_usd.json").read_text(encoding="utf-8")
    )
    parked = json.loads((EVENTS / "outcomes" / "payment_cancel_parked.json").read_text(encoding="utf-8"))
    won = json.loads((EVENTS / "outcomes" / "payment_cancel_succeeded_usd.json").read_text(encoding="utf-8"))
    told = []
    for revision, event in enumerate((pending, parked, won), start=2):
        detail = {**event["detail"], "cancel_request_id": request, "revision": revision}
        detail["outcome_id"] = f"{request}-{revision}"
        told.append({**event, "detail": detail})
    return told


def test_the_consumer_keeps_the_statement_that_counts(books: Books) -> None:
    """Repeated and in any order: the highest revision counts, and a final statement counts for ever."""
    chance = random.Random(_SEED)  # noqa: S311 - a run must be repeatable
    requests = [f"cr-example-{number:02d}" for number in range(4)]
    # Every other request has not ended yet.
    told = {name: _statements(name)[: 3 - place % 2] for place, name in enumerate(requests)}
    events = [event for statements in told.values() for event in statements for _ in range(2)]
    chance.shuffle(events)
    books.tell(events)
    for name, statements in told.items():
        kept = books.item("payment_cancel", name)
        last = statements[-1]["detail"]
        assert kept["revision"] == {"N": str(last["revision"])}
        assert kept["outcome"] == {"S": last["outcome"]}
        assert json.loads(kept["statement"]["S"]) == last
        if last["outcome"] == "succeeded":
            assert (kept["currency"], kept["cancelled"]) == ({"S": "USD"}, {"N": "181.56"})


def test_a_final_statement_is_the_last_word(books: Books) -> None:
    """A statement that is not final changes nothing after one that is, whatever its revision."""
    _pending, parked, won = _statements("cr-example-last")
    parked["detail"]["revision"] = 9
    books.tell([won, parked])
    assert books.item("payment_cancel", "cr-example-last")["outcome"] == {"S": "succeeded"}


def test_from_the_order_service_to_accounting(books: Books, simulator: SimulatorControl) -> None:
    """What the producer asks for twice moves once, and the consumer believes what the provider did."""
    seeds = json.loads((EVENTS / "simulator.json").read_text(encoding="utf-8"))
    payment = {**seeds["payments"][0], "imp_uid": "imp_example", "merchant_uid": "ORD-EXAMPLE"}
    simulator.seed_payments(payment)
    wanted = refund(
        "cr-example-whole",
        "ORD-EXAMPLE",
        "imp_example",
        amount=Decimal(1000),
        currency="KRW",
        reason="고객 변심",
    )
    for _ in range(2):
        publish(books.stack.aws.events, books.stack.outputs["OrderBusName"], [wanted])
    _wait(lambda: bool(books.item("payment_cancel", "cr-example-whole")), "accounting hears of no outcome")
    kept = books.item("payment_cancel", "cr-example-whole")
    assert (kept["outcome"], kept["cancelled"]) == ({"S": "succeeded"}, {"N": "1000"})


def test_nothing_was_left_undelivered(books: Books) -> None:
    """No event went to the consumer's dead-letter queue."""
    attributes = books.stack.aws.sqs.get_queue_attributes(
        QueueUrl=books.outputs["UndeliveredQueueUrl"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert attributes["Attributes"]["ApproximateNumberOfMessages"] == "0"
