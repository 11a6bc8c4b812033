"""What is said of a message that breaks the contract, wherever in it a planted value stands."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.cancel_types import all_examples
from local.trigger import envelope
from refunds.cancel_types import all_cancel_types
from refunds.messaging.message import read_body
from refunds.operators.masking import mask_body
from tests.privacy.planted import CUSTOMER, PERSONAL, REFUND, detail, order_request, sightings

REQUESTS: dict[str, dict[str, Any]] = {name: one.every_field for name, one in all_examples().items()} | {
    "payment_cancel": {"imp_uid": "imp_1", "amount": 1_000, "extra": {"requester": "customer"}, **REFUND},
    "order_cancel": order_request("ORD-1"),
}
TEXT = f"{PERSONAL['refund_holder']} {PERSONAL['refund_account']} {CUSTOMER['buyer_email']}"
VALUES: list[Any] = [
    PERSONAL["refund_account"],
    PERSONAL["refund_tel"],
    int(PERSONAL["refund_account"]),
    float(PERSONAL["refund_account"]),
    TEXT,
    [TEXT],
    {"x": TEXT},
    {TEXT: 1},
    {TEXT: {TEXT: [TEXT]}},
]
KINDS = [kind.policy for kind in all_cancel_types()]


def mutations(value: Any) -> Iterator[Any]:
    """The same value with each of its parts replaced by each planted value, and each of its names by one."""
    yield from VALUES
    if isinstance(value, dict):
        for name in value:
            for part in mutations(value[name]):
                yield {**value, name: part}
            yield {TEXT if key == name else key: item for key, item in value.items()}
    if isinstance(value, list):
        for number, item in enumerate(value):
            for part in mutations(item):
                yield [*value[:number], part, *value[number + 1 :]]


def bodies(cancel_type: str) -> Iterator[str]:
    whole = detail("cr-p20", REQUESTS[cancel_type])
    for mutated in mutations(whole):
        yield json.dumps(mutated, ensure_ascii=False)
        yield json.dumps({**envelope(whole), "detail": mutated}, ensure_ascii=False)
    for mutated in mutations(envelope(copy.deepcopy(whole))):
        yield json.dumps(mutated, ensure_ascii=False)


@pytest.mark.parametrize("policy", KINDS, ids=lambda policy: policy.cancel_type)
def test_an_error_names_no_value(policy: Any) -> None:
    """Whatever is broken by whatever, the reason has names of fields and rules of the contract only."""
    refused = 0
    for body in bodies(policy.cancel_type):
        reading = read_body(policy, body)
        if reading.error is not None:
            refused += 1
            assert sightings("error", str(reading.error)) == [], body
            assert reading.error.__cause__ is None
    assert refused > 100


#: A reason is for people to read; of its words only numbers and addresses can be told to be personal.
SHOWN_TO_OPERATORS = {PERSONAL["reason"]}
MISPLACED: dict[str, dict[str, Any]] = {
    "nowhere": {},
    "phone as amount": {"amount": PERSONAL["refund_tel"]},
    "account as the payment": {"imp_uid": PERSONAL["refund_account"] + "/" + PERSONAL["refund_tel"]},
    "holder as requester": {"extra": {"requester": PERSONAL["refund_holder"]}},
    "holder as tier": {"tier": PERSONAL["refund_holder"]},
    "account as a name": {PERSONAL["refund_account"]: 1},
    "e-mail as order": {"merchant_uid": CUSTOMER["buyer_email"]},
    "holder in a note": {"memo": f"{PERSONAL['refund_holder']} 님이 {PERSONAL['refund_tel']} 로 문의"},
    "account of an account": {
        "refundAccount": {"id": PERSONAL["refund_account"], "amount": PERSONAL["refund_tel"]}
    },
    "people without end": {
        "buyers": [PERSONAL["refund_holder"], *map(str, range(100))],
        "memo": CUSTOMER["vbank_holder"],
    },
    "bank of an order": {"refundAccount": {"bankCode": PERSONAL["bankCode"]}},
}


@pytest.mark.parametrize("name", MISPLACED)
def test_an_operator_is_shown_nothing_personal(name: str) -> None:
    """A message in a DLQ is shown masked, also where what is personal stands in the wrong place."""
    whole = detail("cr-p21", {"imp_uid": "imp_1", "amount": 1_000, **REFUND, **MISPLACED[name]})
    for body in (json.dumps(whole), json.dumps(envelope(whole), ensure_ascii=False)):
        shown = mask_body(body)
        found = [one for one in sightings("body", shown) if one.value not in SHOWN_TO_OPERATORS]
        assert found == []
        assert "cr-p21" in shown
