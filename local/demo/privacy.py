"""Whose accounts the refunds of a run go to, and whether anything that the run leaves behind shows it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote

from local.demo.play import dead_letters
from local.stack import OutcomeLog, Stack
from local.stack.logs import log_lines

#: What the order service sends for the provider alone, under the names of PortOne …
REFUND_ACCOUNT: Final = {
    "refund_holder": "홍길동비밀",
    "refund_bank": "Q7Z9",
    "refund_account": "77120394857610",
    "refund_tel": "010-7712-0394",
}
#: … and of EBP.
ORDER_REFUND_ACCOUNT: Final = {
    "accountNumber": "00771203948576",
    "bankCode": "ZQ77",
    "accountHolderName": "김철수비밀",
}
#: What a provider knows of a customer and repeats in its answers.
BUYER: Final = {
    "buyer_name": "구매자비밀",
    "buyer_email": "secret.person@example.com",
    "buyer_tel": "010-3948-5761",
    "card_number": "5409260394857611",
}
#: How the simulator's access tokens begin.
ACCESS: Final = "token-"


def leaks(stack: Stack, log: OutcomeLog, cancel_types: Iterable[str]) -> list[str]:
    """What of all this, and of the stack's own keys, some output shows; empty if none does."""
    hidden = {**REFUND_ACCOUNT, **ORDER_REFUND_ACCOUNT, **BUYER, **_keys(stack), "access token": ACCESS}
    return [
        f"{where} show the {name}"
        for where, text in outputs(stack, log, cancel_types).items()
        for name, value in hidden.items()
        if any(spelling in text for spelling in spellings(value))
    ]


def outputs(stack: Stack, log: OutcomeLog, cancel_types: Iterable[str]) -> dict[str, str]:
    """All that is kept or told: everything but the messages themselves, which wait for their replay."""
    attributes = [
        dead_letter.get("MessageAttributes", {}) for dead_letter in dead_letters(stack, cancel_types)
    ]
    return {
        "logs": "\n".join(log_lines(stack)),
        "ledger items": _text(_ledger(stack)),
        "events": _text(log.events),
        "attributes of dead letters": _text(attributes),
    }


def spellings(value: str) -> set[str]:
    """As it is, or as JSON, JSON in JSON and URLs may write it."""
    escaped = json.dumps(value)[1:-1]
    return {value, escaped, json.dumps(escaped)[1:-1], quote(value)}


def _keys(stack: Stack) -> dict[str, str]:
    """The provider credentials this very stack was given."""
    sections = json.loads((stack.directory / "credentials.json").read_text(encoding="utf-8"))
    return {
        f"{provider}.{name}": value for provider, keys in sections.items() for name, value in keys.items()
    }


def _ledger(stack: Stack) -> Iterator[dict[str, Any]]:
    pages = stack.aws.dynamodb.get_paginator("scan").paginate(TableName=stack.outputs["LedgerTableName"])
    return (item for page in pages for item in page["Items"])


def _text(values: Iterable[object]) -> str:
    return json.dumps(list(values), ensure_ascii=False, default=str)
