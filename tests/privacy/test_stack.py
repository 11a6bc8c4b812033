"""The same search on the deployed stack: logs, ledger, accounting's events, dead letters, refundctl."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local.demo.play import send_events
from local.demo.privacy import REFUND_ACCOUNT, leaks, outputs, spellings
from local.demo.scenario import Request
from local.simulator.control import SimulatorControl
from local.simulator.faults import Fault, FaultKind, Operation
from local.stack import Options, OutcomeLog, Stack, start
from tests.integration.ops.operator_shell import Shell
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

_PATIENCE_SECONDS = 240.0
_REASON = {PERSONAL["reason"]}
_TYPES = ("payment_cancel", "vbank_revoke", "order_cancel")


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A local stack whose functions log at DEBUG."""
    options = Options(tmp_path_factory.mktemp("talkative"), parameters={"LogLevel": "DEBUG"})
    with start(options) as running:
        yield running


@pytest.fixture(scope="module")
def told(talkative: Stack) -> Iterator[OutcomeLog]:
    """What accounting was told of refunds to bank accounts that went well, were refused, got lost, failed."""
    assert talkative.simulator_url is not None
    requests = _requests()
    with SimulatorControl(talkative.simulator_url) as simulator, OutcomeLog.attach(talkative) as log:
        _seed(simulator)
        send_events(talkative, requests)
        log.wait_for_requests([one.cancel_request_id for one in requests], _PATIENCE_SECONDS)
        log.read(1)
        yield log


@pytest.fixture(scope="module")
def answers(talkative: Stack, told: OutcomeLog) -> list[str]:
    """What the operators' functions answer after all that."""
    assert told.events
    today = datetime.now(UTC).date().isoformat()
    events = {
        "DlqReplay": {"by": CUSTOMER["buyer_email"], "reason": f"called {PERSONAL['refund_tel']}"},
        "Sweeper": {},
        "Reconcile": {"date": today},
    }
    return [_invoke(talkative, name, event) for name, event in events.items()]


def _invoke(stack: Stack, name: str, event: dict[str, str]) -> str:
    answer = stack.aws.functions.invoke(
        FunctionName=stack.outputs[f"{name}FunctionName"], Payload=json.dumps(event).encode()
    )
    text = answer["Payload"].read().decode()
    assert answer.get("FunctionError") is None, text
    return text


def test_the_deployed_stack_shows_nothing(talkative: Stack, told: OutcomeLog, answers: list[str]) -> None:
    """Logs at DEBUG, ledger, events, attributes and the operators' functions show no account and no key."""
    found = {**outputs(talkative, told, _TYPES), "answers": "\n".join(answers)}
    for name in ("dead letters", "swept"):
        assert f'"message":"{name}"' in found["logs"]
    assert '"level":"DEBUG"' in found["logs"]
    assert "REPORT RequestId" in found["logs"]
    assert len(json.loads(found["attributes of dead letters"])) >= 2
    assert len(json.loads(found["ledger items"])) >= 6
    assert {name: _seen(talkative, text) for name, text in found.items()} == {name: [] for name in found}


def test_operators_are_shown_nothing(talkative: Stack, told: OutcomeLog, tmp_path: Path) -> None:
    """No command of refundctl shows an account or a key, as a table, as JSON or in the files it writes."""
    assert told.events
    shell = Shell.at(talkative)
    commands = [
        ("dlq", "list"),
        ("dlq", "replay"),
        ("dlq", "export", "--to", str(tmp_path)),
        *(("dlq", "show", key) for key in ("cr-down", "cr-broken")),
        *(("status", key) for key in ("cr-well", "cr-refused", "cr-lost", "cr-down", "cr-order-refused")),
    ]
    said = [text for command in commands for text in (shell.run(*command).stdout, shell.shown(*command))]
    files = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.json")]
    assert len(files) >= 2
    assert any("cr-broken" in text for text in said)
    # The reason is free text for people; of its words only numbers and addresses are known to be personal.
    shown = [value for value in _seen(talkative, "\n".join([*said, *files])) if value not in _REASON]
    assert shown == []


def test_the_search_is_told_what_to_look_for(talkative: Stack) -> None:
    """The keys of this very stack are among what is looked for, and a key in any output is found."""
    assert Path(talkative.directory / "credentials.json").stat().st_mode & 0o077 == 0
    hidden = _forbidden(talkative)
    assert len(hidden) > len(PERSONAL) + len(CUSTOMER)
    for value in hidden:
        assert _seen(talkative, json.dumps({"a": f"before {value} after"})) != []


def test_a_leak_is_found(talkative: Stack, told: OutcomeLog) -> None:
    """What demo and chaos end with names the output that shows something, and what it shows."""
    table = talkative.outputs["LedgerTableName"]
    key = {"pk": {"S": "planted"}}
    note = {"S": f"paid to {REFUND_ACCOUNT['refund_account']}"}
    talkative.aws.dynamodb.put_item(TableName=table, Item={**key, "note": note})
    try:
        assert leaks(talkative, told, _TYPES) == ["ledger items show the refund_account"]
    finally:
        talkative.aws.dynamodb.delete_item(TableName=table, Key=key)
    assert leaks(talkative, told, _TYPES) == []


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


def _seen(stack: Stack, text: str) -> list[str]:
    return [value for value in _forbidden(stack) if any(one in text for one in spellings(value))]


def _forbidden(stack: Stack) -> list[str]:
    credentials = json.loads((stack.directory / "credentials.json").read_text(encoding="utf-8"))
    keys = [value for section in credentials.values() for value in section.values()]
    return [*PERSONAL.values(), *ACCOUNT.values(), *CUSTOMER.values(), *keys, TOKEN]
