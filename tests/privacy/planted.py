"""Values that must never be seen anywhere, and events and seeds that carry them in every field there is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from local import trigger

#: What the order service sends and only the provider may see.
PERSONAL: Final = {
    "refund_holder": "XQ홍길동ZV",
    "refund_bank": "Q7Z9",
    "refund_account": "77120394857610",
    "refund_tel": "010-7712-0394",
    "accountNumber": "00771203948576",
    "bankCode": "ZQ77",
    "accountHolderName": "XQ김철수ZV",
    "reason": "XQ-사유-ZV",
}
#: What providers know of a customer and repeat in their answers.
CUSTOMER: Final = {
    "buyer_name": "XQ구매자ZV",
    "buyer_email": "xqzv.person@example.com",
    "buyer_tel": "010-3948-5761",
    "buyer_addr": "XQ서울시 어딘가ZV",
    "card_number": "5409260394857611",
    "vbank_num": "39485761077120",
    "vbank_holder": "XQ예금주ZV",
    "customer_uid": "xqzv-customer-uid",
}
#: The providers' credentials; the simulator's own, which are like no other text.
SECRET: Final = {
    "portone": {
        "imp_key": "simulator-imp-key",
        "imp_secret": "simulator-imp-secret",
        "pg_api_key": "simulator-pg-api-key",
    },
    "ebp": {"access_key": "simulator-access-key", "hash_key": "simulator-hash-key"},
}
#: How the simulator's access tokens begin.
TOKEN: Final = "token-"

FORBIDDEN: Final = (
    *PERSONAL.values(),
    *CUSTOMER.values(),
    *(value for section in SECRET.values() for value in section.values()),
    TOKEN,
)

REFUND: Final = {name: value for name, value in PERSONAL.items() if name.startswith("refund_")}
ACCOUNT: Final = {name: PERSONAL[name] for name in ("accountNumber", "bankCode", "accountHolderName")}
_NUMBERS: Final = [CUSTOMER[name] for name in ("buyer_email", "buyer_tel", "card_number", "vbank_num")]


def _echo(*told: str) -> str:
    return "거절: " + " / ".join([*told, *_NUMBERS])


#: Texts a provider might answer with: all it was told in a request, and what it knows of the customer that
#: can be told from other words. (A name that only the provider knows cannot: docs/threat-model.md.)
PORTONE_ECHO: Final = _echo(*REFUND.values(), *SECRET["portone"].values())
PORTONE_KEYS_ECHO: Final = _echo(*SECRET["portone"].values())
EBP_ECHO: Final = _echo(*ACCOUNT.values(), *SECRET["ebp"].values())


@dataclass(frozen=True)
class Sighting:
    """A forbidden value in some output, with what stands around it."""

    value: str
    where: str
    around: str


def sightings(where: str, text: str) -> list[Sighting]:
    """Every forbidden value in a text, as it is or as JSON, URLs and logs may write it."""
    return [
        Sighting(value, where, text[max(found - 80, 0) : found + 80])
        for value in FORBIDDEN
        for spelling in _spellings(value)
        if (found := text.find(spelling)) >= 0
    ]


def _spellings(value: str) -> set[str]:
    escaped = json.dumps(value)[1:-1]
    digits = value.replace("-", "")
    plain = {value, escaped, json.dumps(escaped)[1:-1], quote(value)}
    return plain | ({digits} if digits.isdecimal() else set())


def payment(imp_uid: str, **fields: Any) -> dict[str, Any]:
    """A payment at PortOne whose answers carry everything about the customer."""
    return {
        "imp_uid": imp_uid,
        "merchant_uid": f"M-{imp_uid}",
        "amount": 10_000,
        "extra": dict(CUSTOMER),
        **fields,
    }


def detail(cancel_request_id: str, request: dict[str, Any]) -> dict[str, Any]:
    """A cancellation with the planted reason."""
    return trigger.detail(cancel_request_id, request, order_id="ORD-P", reason=PERSONAL["reason"])


def order_request(order_no: str, **fields: Any) -> dict[str, Any]:
    """An order's cancellation with a refund account."""
    item = {"seq": 1, "itemType": "PHYSICAL", "itemId": "P1", "quantity": 1, "amount": 5_000}
    return {
        "orderNo": order_no,
        "totalCancelAmount": 5_000,
        "refundAccount": dict(ACCOUNT),
        "items": [item],
        **fields,
    }
