from __future__ import annotations

import json
from typing import Any

import pytest

from refunds.contracts.strict_json import NotStrictJson
from refunds.errors import InvalidRequest
from tests.unit.contracts.details import CANCEL_TYPES, asking, detail, parse, parse_text

FIELDS = [
    "schema_version",
    "cancel_request_id",
    "order_id",
    "requested_at",
    "requested_by",
    "reason",
    "request",
]


@pytest.mark.parametrize("name", CANCEL_TYPES)
def test_full_details_are_valid(name: str) -> None:
    """A detail with every field of its type is accepted."""
    assert parse(name, detail(name)).cancel_request_id == "cr-20261121-0001"


@pytest.mark.parametrize("name", CANCEL_TYPES)
@pytest.mark.parametrize("field", FIELDS)
def test_missing_field(name: str, field: str) -> None:
    """Every field of the envelope is required, and the reason names the one that is missing."""
    content = detail(name)
    del content[field]
    with pytest.raises(InvalidRequest, match=f"{field}: Field required"):
        parse(name, content)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema_version", "2.0"),
        ("schema_version", "1"),
        ("schema_version", "1."),
        ("schema_version", "1.x"),
        ("schema_version", "1.0\n"),
        ("schema_version", "1.٠"),
        ("schema_version", 1.0),
        ("requested_by", "robot"),
        ("requested_by", "Customer"),
        ("requested_by", None),
        ("reason", None),
        ("reason", 5),
        ("reason", "x" * 4097),
        ("reason", "\ud800"),
        ("request", None),
        ("request", []),
        ("request", "imp_1"),
    ],
)
def test_wrong_type_or_value(field: str, value: Any) -> None:
    """A value of another type or outside its set is refused by the name of its field."""
    with pytest.raises(InvalidRequest, match=field):
        parse("payment_cancel", detail(**{field: value}))


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-21",
        "2026-11-21T05:00:00",
        "2026-13-21T05:00:00Z",
        "2026-11-21T25:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-11-21T05:00:00Z\n",
        "٢٠٢٦-11-21T05:00:00Z",
        "1795237200",
        1795237200,
        None,
        True,
    ],
)
def test_times_that_are_none(value: Any) -> None:
    """A time without a zone, an impossible one, or a number is refused."""
    with pytest.raises(InvalidRequest, match="requested_at"):
        parse("payment_cancel", detail(requested_at=value))


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-21T05:00:00Z",
        "2026-11-21T14:00:00+09:00",
        "2026-11-21t05:00:00.000000000z",
        "2026-11-21 05:00Z",
    ],
)
def test_times_with_a_zone(value: str) -> None:
    """Every spelling of a moment with its zone is the same moment."""
    expected = parse("payment_cancel", detail()).requested_at
    assert parse("payment_cancel", detail(requested_at=value)).requested_at == expected


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.9999", "1.20261130"])
def test_every_minor(version: str) -> None:
    """Every minor of version 1 is accepted."""
    assert parse("payment_cancel", detail(schema_version=version)).schema_version == version


@pytest.mark.parametrize("name", CANCEL_TYPES)
@pytest.mark.parametrize("content", [None, [], ["detail"], "detail", 1, True], ids=repr)
def test_no_object(name: str, content: Any) -> None:
    """What is no JSON object is no detail."""
    with pytest.raises(InvalidRequest, match="not a JSON object"):
        parse(name, content)


@pytest.mark.parametrize("name", CANCEL_TYPES)
def test_unknown_fields_are_ignored(name: str) -> None:
    """The order service may add fields anywhere."""
    content = asking(name, **{"added": {"deep": [1]}, "\ud800": 1})
    content["added"] = None
    assert parse(name, content) == parse(name, detail(name))


@pytest.mark.parametrize(
    "fields",
    [
        {"extra": {"requester": "system"}},
        {"extra": "customer"},
        {"retain_promotion": "true"},
        {"retain_promotion": 1},
        {"refund_holder": "x" * 17},
        {"refund_holder": ""},
        {"refund_bank": "00004"},
        {"refund_bank": 4},
        {"refund_account": 123456789},
        {"refund_tel": "x" * 17},
        {"refund_holder": "\ud800"},
    ],
)
def test_fields_of_a_refund(fields: dict[str, Any]) -> None:
    """The provider's fields keep the types and lengths of PortOne's specification."""
    with pytest.raises(InvalidRequest, match=next(iter(fields))):
        parse("payment_cancel", asking("payment_cancel", **fields))


@pytest.mark.parametrize("missing", ["refund_holder", "refund_bank", "refund_account"])
def test_refund_account_is_whole(missing: str) -> None:
    """A refund account comes with its bank and its holder or not at all."""
    with pytest.raises(InvalidRequest, match="belong together"):
        parse("payment_cancel", asking("payment_cancel", **{missing: None}))


@pytest.mark.parametrize(
    "field", ["refund_holder", "refund_bank", "refund_account", "refund_tel", "imp_uid", "cancel_request_id"]
)
def test_reasons_hold_no_values(field: str) -> None:
    """The reason of a refusal names fields and rules, and repeats no value that was sent."""
    secret = "0017-SECRET-VALUE-" + "9" * 80
    content = asking("payment_cancel", **{field: secret})
    content["cancel_request_id"] = secret
    with pytest.raises(InvalidRequest) as refused:
        parse("payment_cancel", content)
    assert "SECRET" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_reason_stays_short() -> None:
    """Five hundred broken lines make a reason that an operator can still read."""
    lines = [{"seq": 0} for _ in range(500)]
    with pytest.raises(InvalidRequest, match=r"and \d+ more") as refused:
        parse("order_cancel", asking("order_cancel", items=lines))
    assert len(str(refused.value)) < 1000


def test_largest_body_is_read() -> None:
    """A body of 256 KB is read to its end, and refused for what is in it."""
    text = json.dumps(detail(reason="가" * 80_000), ensure_ascii=False)
    assert len(text.encode()) > 240_000
    with pytest.raises(InvalidRequest, match="reason: String should have at most 4096 characters"):
        parse_text("payment_cancel", text)


@pytest.mark.parametrize("depth", [2_000, 100_000])
def test_deep_nesting(depth: int) -> None:
    """Nesting that would exhaust the stack is refused, in a field nobody reads too."""
    text = json.dumps(detail())[:-1] + ', "unread": ' + "[" * depth + "]" * depth + "}"
    with pytest.raises(NotStrictJson, match="nested too deeply"):
        parse_text("payment_cancel", text)


@pytest.mark.parametrize("depth", [2_000, 100_000])
def test_deep_nesting_of_a_parsed_event(depth: int) -> None:
    """Nesting in an event that Lambda's runtime parsed is refused where it is read, and ignored elsewhere."""
    nested: Any = 1
    for _ in range(depth):
        nested = [nested]
    assert parse("payment_cancel", detail(unread=nested)) == parse("payment_cancel", detail())
    with pytest.raises(InvalidRequest):
        parse("payment_cancel", detail(request=nested))
