from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from local import schemas
from refunds.contracts.outbound import (
    MoneyMoved,
    Outcome,
    OutcomeError,
    OutcomeKind,
    ProviderRefs,
    outcome_id,
)
from refunds.errors import ErrorCode, InvalidRequest
from tests.unit.contracts.details import CANCEL_TYPES, asking, detail, ordering, parse, refunding
from tests.unit.contracts.test_identifiers import HOSTILE, IN_PATHS, OF_A_DIRECTORY

COMMITTED = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in schemas.DIRECTORY.glob("*.json")
}
VALIDATORS = {name: Draft202012Validator(schema) for name, schema in COMMITTED.items()}

# What JSON Schema cannot say: sums, one field against another, and which days a month has.
BEYOND_JSON_SCHEMA = (
    "is not the sum of",
    "is greater than",
    "are greater than",
    "two items have the same seq",
    "valid datetime",
    " decimals",
)


def accepts(name: str, content: Any) -> bool:
    return VALIDATORS[name].is_valid(content)


def refusal(name: str, content: Any) -> str | None:
    try:
        parse(name, content)
    except InvalidRequest as error:
        return str(error)
    return None


def test_committed_schemas_are_the_models() -> None:
    """The committed schema files are exactly what the models say."""
    assert schemas.differences() == []


def test_difference_is_noticed(tmp_path: Path) -> None:
    """A file that is missing, changed or left over is named, and writing mends all three."""
    schemas.write(tmp_path)
    folder = tmp_path / "events" / "schemas"
    (folder / "outcome.json").unlink()
    (folder / "cvs_revoke.json").write_text("{}", encoding="utf-8")
    (folder / "cash_revoke.json").write_text("{}", encoding="utf-8")
    assert schemas.differences(tmp_path) == [
        "events/schemas/cvs_revoke.json: differs from its model",
        "events/schemas/outcome.json: missing",
        "events/schemas/cash_revoke.json: no contract",
    ]
    schemas.write(tmp_path)
    assert schemas.differences(tmp_path) == []


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The check says nothing and succeeds when nothing differs."""
    assert schemas.main(["--check"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", [*CANCEL_TYPES, "outcome"])
def test_schemas_are_valid_and_named(name: str) -> None:
    """Each schema is valid JSON Schema and carries its title, identifier and description."""
    schema = COMMITTED[name]
    Draft202012Validator.check_schema(schema)
    direction = "outbound" if name == "outcome" else "inbound"
    assert schema["$id"] == f"urn:refund-handler:{direction}:{name}:1.1"
    assert schema["title"]
    assert schema["description"].endswith(".")
    assert "`" not in json.dumps(schema)
    assert "?!" not in json.dumps(schema)


@pytest.mark.parametrize("name", CANCEL_TYPES)
def test_accepts_full_details(name: str) -> None:
    """A valid detail with every field there is, and with unknown ones, is valid by its schema."""
    assert accepts(name, {**asking(name, added=1), "added": 1})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("payment_cancel", {**refunding(imp_uid="imp_1", amount=726.24), "currency": "USD"}),
        ("payment_cancel", {**refunding(imp_uid="imp_1", amount=1000.0), "currency": "KRW"}),
        ("order_cancel", ordering({"amount": 0.5}, total=0.5)),
        ("order_cancel", {**ordering({"amount": 0.5}, total=0.5), "currency": "USD"}),
    ],
)
def test_accepts_the_decimals_of_a_currency(name: str, content: Any) -> None:
    """Amounts are integers by the schema only where their currency has no decimals."""
    assert refusal(name, content) is None
    assert accepts(name, content)


@pytest.mark.parametrize(
    "value", [*HOSTILE.values(), *OF_A_DIRECTORY.values()], ids=[*HOSTILE, *OF_A_DIRECTORY]
)
@pytest.mark.parametrize(("name", "field", "_longest"), IN_PATHS)
def test_refuses_ids_that_would_change_a_url(name: str, field: str, _longest: int, value: Any) -> None:
    """The schema refuses every hostile id that the model refuses, a final line break included."""
    assert not accepts(name, asking(name, **{field: value}))


@pytest.mark.parametrize(
    "content",
    [
        refunding(amount=1000),
        refunding(imp_uid=None, merchant_uid=None),
        refunding(imp_uid="imp_1", amount=None),
        refunding(imp_uid="imp_1", amount=0),
        refunding(imp_uid="imp_1", amount=-1),
        refunding(imp_uid="imp_1", amount=1000.5),
        {**refunding(imp_uid="imp_1", amount=1000.5), "currency": "JPY"},
        {**refunding(imp_uid="imp_1", amount=1000.5), "currency": None},
        {**refunding(imp_uid="imp_1", amount=1000), "currency": "won"},
        refunding(imp_uid="imp_1", amount=10**12),
        refunding(imp_uid="imp_1", amount=True),
        refunding(imp_uid="imp_1", amount="1000"),
        refunding(imp_uid="imp_1", amount=float("nan")),
        refunding(imp_uid="imp_1", refund_holder="홍길동"),
        refunding(imp_uid="imp_1", refund_holder="홍길동", refund_bank=None, refund_account="1"),
        detail(schema_version="2.0"),
        detail(requested_at="2026-11-21T05:00:00"),
        detail(requested_at="2026-11-21T05:00:00Z\n"),
        detail(requested_by="robot"),
        [],
        None,
    ],
    ids=lambda content: json.dumps(content)[-60:],
)
def test_refuses_what_the_model_refuses(content: Any) -> None:
    """What JSON Schema can say against a refund, the schema says."""
    assert refusal("payment_cancel", content) is not None
    assert not accepts("payment_cancel", content)


@pytest.mark.parametrize(
    "content",
    [
        ordering({"amount": 1, "itemType": "VOUCHER"}, total=1),
        ordering({"amount": 1, "quantity": 0}, total=1),
        ordering({"amount": 1}, total=1, refundAccount={"accountNumber": "12a4"}),
        ordering({"amount": 1}, total=1, refundAccount={"accountNumber": -1}),
        ordering({"amount": 1}, total=1, refundAccount={"bankCode": 4}),
        ordering(total=1),
        {**ordering({"amount": 0.5}, total=0.5), "currency": "KRW"},
        {**ordering({"amount": 1, "taxAmount": 0.5}, total=1), "currency": "VND"},
        ordering(*[{"amount": 1}] * 501, total=501),
    ],
    ids=lambda content: json.dumps(content)[-60:],
)
def test_refuses_what_the_order_model_refuses(content: Any) -> None:
    """What JSON Schema can say against an order's cancellation, the schema says."""
    assert refusal("order_cancel", content) is not None
    assert not accepts("order_cancel", content)


def _properties(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every property of a schema and of its definitions."""
    for part in (schema, *schema.get("$defs", {}).values()):
        yield from part.get("properties", {}).items()


@pytest.mark.parametrize("name", COMMITTED)
def test_every_field_is_described(name: str) -> None:
    """Every field says in a sentence what it means, and shows values that it has in real events."""
    for field, schema in _properties(COMMITTED[name]):
        assert schema["description"].endswith("."), field
        shown = schema.get("examples", [])
        assert all(isinstance(value, str | int | float) for value in shown), field


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.integers(0, 2 * 10**12),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from(
        ["", "1.0", "imp_1", "customer", "admin", "2026-11-21T05:00:00Z", "0012", "A01", "DELIVERY"]
    ),
    st.text(st.sampled_from("aZ09._:-/\n"), max_size=70),
    st.sampled_from([[], {}, [{}], {"requester": "admin"}, {"accountNumber": "1"}]),
)


def _places(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    inside = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    for key, value in inside:
        found += _places(value, (*path, key))
    return found


def _put(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(content)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


@pytest.mark.parametrize("name", CANCEL_TYPES)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_as_strict_as_the_model(name: str, data: st.DataObject) -> None:
    """Whatever value stands wherever in a detail, schema and model agree unless JSON Schema cannot say it."""
    content = detail(name)
    path, value = data.draw(st.sampled_from(_places(content))), data.draw(VALUES)
    assume(not (path[-1] == "accountNumber" and isinstance(value, float)))  # JSON Schema: 1.0 is an integer
    changed = _put(content, path, value)
    refused = refusal(name, changed)
    if refused is None:
        assert accepts(name, changed)
    elif not any(reason in refused for reason in BEYOND_JSON_SCHEMA):
        assert not accepts(name, changed)


ERROR = OutcomeError(
    code=ErrorCode.INVALID_REQUEST, message="…", retryable=False, may_have_been_applied=False
)


def _outcome(**parts: Any) -> Any:
    known = {
        "outcome_id": outcome_id("payment_cancel", "cr-1", OutcomeKind.PARKED, ERROR),
        "outcome": OutcomeKind.PARKED,
        "cancel_type": "payment_cancel",
        "cancel_request_id": "cr-1",
        "order_id": None,
        "requested_by": None,
        "requested_at": None,
        "occurred_at": "2026-11-21T05:00:00Z",
        "attempts": 0,
        "provider": ProviderRefs(name="portone"),
        "money": MoneyMoved(currency="KRW", cancelled=None),
        "error": ERROR,
        **parts,
    }
    return json.loads(Outcome.model_validate(known).to_json())


@pytest.mark.parametrize("parts", [{}, {"money": None}, {"order_id": "ORD-1"}])
def test_outcomes_match_their_schema(parts: dict[str, Any]) -> None:
    """What is published matches the outbound schema, with and without its optional parts."""
    assert list(VALIDATORS["outcome"].iter_errors(_outcome(**parts))) == []


MOVED = MoneyMoved(currency="KRW", cancelled=Decimal(1))
IN_DOUBT = OutcomeError(
    code=ErrorCode.OUTCOME_UNKNOWN, message="…", retryable=True, may_have_been_applied=True
)


@pytest.mark.parametrize(
    "parts",
    [
        {"error": None},
        {"outcome": OutcomeKind.SUCCEEDED, "money": MOVED},
        {"outcome": OutcomeKind.PENDING, "money": MOVED},
        {"outcome": OutcomeKind.SUCCEEDED, "error": None, "money": None},
        {"outcome": OutcomeKind.SUCCEEDED, "error": None},
        {"outcome": OutcomeKind.FAILED, "error": IN_DOUBT},
        {"error": IN_DOUBT, "money": MOVED},
        {"cancel_type": "vbank_revoke", "money": MOVED},
        {"cancel_type": "cash_revoke"},
        {"money": MoneyMoved(currency="KRW", cancelled=Decimal("0.5"))},
        {"money": MoneyMoved(currency="won", cancelled=Decimal(1))},
    ],
    ids="-".join,
)
def test_outcomes_that_contradict_themselves(parts: dict[str, Any]) -> None:
    """Outcome, error and money hang together, and amounts have the decimals of their currency."""
    assert not accepts("outcome", _outcome(**parts))


@pytest.mark.parametrize(
    ("field", "value"),
    [("outcome", "done"), ("schema_version", "2.0"), ("attempts", "1"), ("error", {}), ("provider", None)],
)
def test_other_outcomes_do_not(field: str, value: Any) -> None:
    """What the handler would never publish does not match the outbound schema."""
    assert not accepts("outcome", {**_outcome(), field: value})


@pytest.mark.parametrize("field", [*Outcome.model_fields])
def test_outcomes_are_complete(field: str) -> None:
    """Every field of an outcome is required, so that consumers need no guess about absent ones."""
    incomplete = _outcome()
    del incomplete[field]
    assert not accepts("outcome", incomplete)
