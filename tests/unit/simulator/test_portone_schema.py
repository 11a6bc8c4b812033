from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft4Validator

if TYPE_CHECKING:
    from local.simulator import World
    from tests.unit.simulator.caller import Caller

DEFINITIONS = json.loads((Path(__file__).parent / "portone_v1_definitions.json").read_text())

QUESTIONS = [
    ("PaymentResponse", "GET", "/payments/imp_1", None),
    ("PaymentResponse", "GET", "/payments/imp_none", None),
    ("PaymentResponse", "POST", "/payments/cancel", {"imp_uid": "imp_1", "amount": 10, "reason": "r"}),
    ("PaymentResponse", "POST", "/payments/cancel", {"imp_uid": "imp_1", "amount": 10**9}),
    ("PaymentResponse", "DELETE", "/vbanks/imp_v", None),
    ("PaymentResponse", "DELETE", "/cvs/imp_s", None),
    ("PaymentResponse", "GET", "/payments/find/ORD-1/paid", None),
    ("PaymentListResponse", "GET", "/payments/findAll/ORD-1", None),
    ("PaymentListResponse", "GET", "/payments/status/all", None),
    ("ExternalReceiptResponse", "GET", "/receipts/external/R-1", None),
    ("ExternalReceiptResponse", "DELETE", "/receipts/external/R-1", None),
    ("AuthResponse", "POST", "/users/getToken", {"imp_key": "wrong"}),
]


@pytest.fixture(autouse=True)
def records(world: World) -> None:
    number = {"amount": 10, "status": "ready"}
    world.seed_payment({"imp_uid": "imp_1", "merchant_uid": "ORD-1", "amount": 1000})
    world.seed_payment({"imp_uid": "imp_v", "merchant_uid": "V", "pay_method": "vbank", **number})
    world.seed_payment({"imp_uid": "imp_s", "merchant_uid": "S", "pay_method": "cvs", **number})
    world.seed_receipt({"merchant_uid": "R-1", "amount": 1000})


def without_nulls(value: Any) -> Any:
    """PortOne sends null for what does not apply, which its specification cannot express."""
    if isinstance(value, dict):
        return {name: without_nulls(part) for name, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


def problems(definition: str, payload: dict[str, Any]) -> list[str]:
    schema = {**DEFINITIONS, "$ref": f"#/definitions/{definition}"}
    return [error.message for error in Draft4Validator(schema).iter_errors(without_nulls(payload))]


@pytest.mark.parametrize(("definition", "method", "path", "body"), QUESTIONS)
def test_answers_fit_the_specification(
    caller: Caller, definition: str, method: str, path: str, body: Any
) -> None:
    """Success and failure answers have the fields and types of PortOne's own specification."""
    assert problems(definition, caller.ask(method, path, body)[1]) == []


def test_the_token_answer_fits_the_specification(caller: Caller) -> None:
    """The token answer has the fields and types of AuthAnnotation."""
    answer = {"code": 0, "message": None, "response": caller.fetch_token()}
    assert problems("AuthResponse", answer) == []


def test_a_distorted_answer_is_noticed(caller: Caller) -> None:
    """The validation these tests rely on objects to a missing id and to a wrong type."""
    payload = caller.ask("GET", "/payments/imp_1")[1]
    del payload["response"]["imp_uid"]
    payload["response"]["paid_at"] = "now"
    assert len(problems("PaymentResponse", payload)) == 2
