"""The same search on the deployed stack: logs, ledger, accounting's events and DLQ attributes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.demo.play import dead_letters, send_events
from local.demo.scenario import Request
from local.simulator.control import SimulatorControl
from local.simulator.faults import Fault, FaultKind, Operation
from local.stack import Options, OutcomeLog, Stack, start
from tests.privacy.planted import (
    ACCOUNT,
    CUSTOMER,
    EBP_ECHO,
    PERSONAL,
    PORTONE_ECHO,
    REFUND,
    TOKEN,
    order_request,
    payment,
)

_PATIENCE_SECONDS = 90.0
_TYPES = ("payment_cancel", "vbank_revoke", "order_cancel")


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A local stack whose functions log at DEBUG."""
    options = Options(tmp_path_factory.mktemp("talkative"), parameters={"LogLevel": "DEBUG"})
    with start(options) as running:
        yield running


def test_the_deployed_stack_shows_nothing(talkative: Stack) -> None:
    """Refunds to bank accounts that go well, are refused, get lost or fail for good leave no trace."""
    assert talkative.simulator_url is not None
    requests = _requests()
    with SimulatorControl(talkative.simulator_url) as simulator, OutcomeLog.attach(talkative) as log:
        _seed(simulator)
        send_events(talkative, requests)
        log.wait_for_requests([one.cancel_request_id for one in requests], _PATIENCE_SECONDS)
        log.read(1)
        outputs = {
            "logs": _logs(talkative),
            "ledger": json.dumps(_ledger(talkative), ensure_ascii=False),
            "events": json.dumps(log.events, ensure_ascii=False),
            "attributes": json.dumps(_attributes(talkative), ensure_ascii=False),
        }
    assert '"level":"DEBUG"' in outputs["logs"]
    assert len(json.loads(outputs["attributes"])) >= 2
    found = {
        name: [value for value in _forbidden(talkative) if value in text] for name, text in outputs.items()
    }
    assert found == {name: [] for name in outputs}


def _requests() -> list[Request]:
    kinds = ("well", "refused", "lost", "down")
    refunds = [
        _request("payment_cancel", name, {"imp_uid": f"imp_{name}", "amount": 1_000, **REFUND})
        for name in kinds
    ]
    broken = _request("payment_cancel", "broken", {"imp_uid": PERSONAL["refund_tel"] + "/", **REFUND})
    return [
        *refunds,
        broken,
        _request("vbank_revoke", "number", {"imp_uid": "imp_number"}),
        _request("order_cancel", "order", order_request("ORD-well")),
        _request("order_cancel", "order-refused", order_request("ORD-refused")),
    ]


def _request(cancel_type: str, name: str, fields: dict[str, Any]) -> Request:
    detail_type = "".join(word.capitalize() for word in cancel_type.split("_")) + "Requested"
    return Request(cancel_type, detail_type, f"cr-{name}", f"ORD-{name}", fields, reason=PERSONAL["reason"])


def _seed(simulator: SimulatorControl) -> None:
    simulator.seed_payments(
        *(payment(f"imp_{name}", pay_method="vbank", pg_provider="smartro") for name in ("well", "lost")),
        *(payment(f"imp_{name}", pay_method="vbank", pg_provider="smartro") for name in ("refused", "down")),
        payment("imp_number", pay_method="vbank", status="ready", pg_provider="nice"),
    )
    simulator.seed_orders(
        *({"orderNo": name, "items": order_request(name)["items"]} for name in ("ORD-well", "ORD-refused"))
    )
    simulator.add_faults(
        Fault(FaultKind.REFUSE, "imp_refused", Operation.CANCEL, message=PORTONE_ECHO),
        Fault(FaultKind.DROP_AFTER_COMMIT, "imp_lost", Operation.CANCEL),
        Fault(FaultKind.HTTP_5XX_BEFORE_COMMIT, "imp_down", message=PORTONE_ECHO, times=None),
        Fault(FaultKind.REFUSE, "ORD-refused", Operation.CANCEL, message=EBP_ECHO),
    )


def _forbidden(stack: Stack) -> list[str]:
    credentials = json.loads((stack.directory / "credentials.json").read_text(encoding="utf-8"))
    keys = [value for section in credentials.values() for value in section.values()]
    values = [*PERSONAL.values(), *ACCOUNT.values(), *CUSTOMER.values(), *keys, TOKEN]
    return [*values, *(json.dumps(value)[1:-1] for value in values if not value.isascii())]


def _logs(stack: Stack) -> str:
    logs = stack.aws.logs
    lines: list[str] = []
    for group in logs.describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        for stream in logs.describe_log_streams(logGroupName=name)["logStreams"]:
            events = logs.get_log_events(logGroupName=name, logStreamName=stream["logStreamName"])["events"]
            lines += [event["message"] for event in events]
    return "\n".join(lines)


def _ledger(stack: Stack) -> list[dict[str, Any]]:
    pages = stack.aws.dynamodb.get_paginator("scan").paginate(TableName=stack.outputs["LedgerTableName"])
    return [item for page in pages for item in page["Items"]]


def _attributes(stack: Stack) -> list[dict[str, Any]]:
    return [message.get("MessageAttributes", {}) for message in dead_letters(stack, _TYPES)]


def test_the_credentials_file_is_there(talkative: Stack) -> None:
    """The search knows the keys this very stack was given."""
    assert Path(talkative.directory / "credentials.json").stat().st_mode & 0o077 == 0
    assert len(_forbidden(talkative)) > len(PERSONAL) + len(CUSTOMER)
