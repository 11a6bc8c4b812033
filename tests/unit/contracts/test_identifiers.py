from __future__ import annotations

from typing import Any

import pytest

from refunds.contracts.fields import is_path_id, is_tier
from refunds.contracts.inbound import Identity, identify, identity_of
from refunds.errors import InvalidRequest
from tests.unit.contracts.details import CANCEL_TYPES, asking, detail, parse

# Where each id stands, and how many characters it may have.
IN_PATHS = [
    ("payment_cancel", "imp_uid", 32),
    ("payment_cancel", "merchant_uid", 40),
    ("vbank_revoke", "imp_uid", 32),
    ("cvs_revoke", "imp_uid", 32),
    ("receipt_revoke", "merchant_uid", 40),
]
HOSTILE = {
    "empty": "",
    "slash": "imp_1/2",
    "query": "imp_1?a=b",
    "fragment": "imp_1#a",
    "escaped": "imp%2F1",
    "backslash": "imp\\1",
    "space": "imp 1",
    "line break": "imp_1\n",
    "carriage return": "imp_1\r\nX-Header: 1",
    "nul": "imp_1\x00",
    "full width": "ｉｍｐ",
    "arabic digit": "imp_١",
    "lone surrogate": "imp_\ud800",
    "number": 1,
    "boolean": True,
    "list": ["imp_1"],
    "object": {"id": "imp_1"},
}
OF_A_DIRECTORY = {"itself": ".", "parent": "..", "inside": "a..b", "path": "../payments/cancel"}


@pytest.mark.parametrize(
    "value", [*HOSTILE.values(), *OF_A_DIRECTORY.values()], ids=[*HOSTILE, *OF_A_DIRECTORY]
)
@pytest.mark.parametrize(("name", "field", "_longest"), IN_PATHS)
def test_ids_that_would_change_a_url(name: str, field: str, _longest: int, value: Any) -> None:
    """An id that means something in a URL, or is no text, is refused and never escaped and sent."""
    with pytest.raises(InvalidRequest, match=field):
        parse(name, asking(name, **{field: value}))


@pytest.mark.parametrize(("name", "field", "longest"), IN_PATHS)
def test_length_of_ids(name: str, field: str, longest: int) -> None:
    """An id is as long as the provider's field and not a character longer."""
    parsed = parse(name, asking(name, **{field: "x" * longest}))
    assert getattr(parsed.request, field) == "x" * longest
    with pytest.raises(InvalidRequest, match=f"{field}.*at most {longest} characters"):
        parse(name, asking(name, **{field: "x" * (longest + 1)}))


@pytest.mark.parametrize("field", ["cancel_request_id", "order_id"])
@pytest.mark.parametrize("value", [*HOSTILE.values(), None, "x" * 65], ids=[*HOSTILE, "null", "too long"])
def test_ids_of_the_order_service(field: str, value: Any) -> None:
    """The order service's ids keep to their alphabet and to 64 characters."""
    with pytest.raises(InvalidRequest, match=field):
        parse("vbank_revoke", detail("vbank_revoke", **{field: value}))


def test_alphabet_of_ids() -> None:
    """Letters, digits and four signs make an id of up to 64 characters."""
    key = "AZaz09._:-".ljust(64, "x")
    assert parse("vbank_revoke", detail("vbank_revoke", cancel_request_id=key)).cancel_request_id == key


def test_payment_needs_a_name() -> None:
    """A refund names its payment by imp_uid or by merchant_uid, and null names nothing."""
    with pytest.raises(InvalidRequest, match="imp_uid or merchant_uid is required"):
        parse("payment_cancel", detail(request={"amount": 1000, "imp_uid": None}))
    assert parse("payment_cancel", detail(request={"merchant_uid": "ORD-1"})).request.imp_uid is None


@pytest.mark.parametrize("value", ["", "AB", "ABCD", "A-1", "A1\n", 123])
def test_tier(value: Any) -> None:
    """A sub-merchant's code is three letters or digits, because it becomes a header."""
    with pytest.raises(InvalidRequest, match="tier"):
        parse("cvs_revoke", asking("cvs_revoke", tier=value))


@pytest.mark.parametrize("name", CANCEL_TYPES)
def test_identity_survives_a_broken_request(name: str) -> None:
    """A message that is invalid elsewhere can still be named to accounting."""
    assert identify(detail(name, request=None, reason=1)) == Identity(
        "cr-20261121-0001", "ORD-1", "customer", "2026-11-21T05:00:00Z"
    )


def test_identity_names_the_payment() -> None:
    """What is readable of an invalid request's own ids and currency stays readable."""
    broken = asking("payment_cancel", amount=-1, imp_uid="imp_7", merchant_uid="a/b")
    identity = identify({**broken, "currency": "USD"})
    assert identity is not None
    assert identity.references == {"imp_uid": "imp_7"}
    assert identity.currency == "USD"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("payment_cancel", {"imp_uid": "imp_1", "merchant_uid": "ORD-1"}),
        ("vbank_revoke", {"imp_uid": "imp_1"}),
        ("cvs_revoke", {"imp_uid": "imp_1"}),
        ("receipt_revoke", {"merchant_uid": "ORD-1"}),
        ("order_cancel", {}),
    ],
)
def test_references_of_a_request(name: str, expected: dict[str, str]) -> None:
    """A request says which of the payment's own ids it names, and its identity says the same."""
    cancellation = parse(name, detail(name))
    assert cancellation.request.references() == expected
    assert identity_of(cancellation).references == expected


@pytest.mark.parametrize("tier", ["a1b", "zZ9", "AB", "ABCD", "A-1", "Ａ０１"])
def test_what_is_no_tier(tier: str) -> None:
    """A tier is three capital letters or digits, as the provider's specification has it."""
    with pytest.raises(InvalidRequest):
        parse("cvs_revoke", asking("cvs_revoke", tier=tier))
    assert not is_tier(tier)


@pytest.mark.parametrize("tier", ["A1B", "A01", "000", "ZZ9"])
def test_one_alphabet_of_tiers(tier: str) -> None:
    """What the contract takes as a tier, the client sends."""
    assert parse("cvs_revoke", asking("cvs_revoke", tier=tier)).request.tier == tier
    assert is_tier(tier)


@pytest.mark.parametrize("value", [*HOSTILE.values(), *OF_A_DIRECTORY.values(), "x" * 129])
def test_one_alphabet_of_paths(value: Any) -> None:
    """What the contract refuses as an id, the client refuses to put into a URL."""
    assert not (isinstance(value, str) and is_path_id(value))


def test_identity_leaves_out_what_is_unusable() -> None:
    """What cannot be used of an invalid message is left out, piece by piece."""
    broken = asking("payment_cancel", imp_uid=7, merchant_uid="..")
    broken |= {"order_id": "a/b", "requested_by": "robot", "requested_at": "yesterday", "currency": "won"}
    assert identify(broken) == Identity("cr-20261121-0001", None, None, None)


@pytest.mark.parametrize("content", [None, [], "text", 1, {}, {"cancel_request_id": "a/b"}])
def test_no_identity_without_a_key(content: Any) -> None:
    """Without a usable key a message names no request."""
    assert identify(content) is None
