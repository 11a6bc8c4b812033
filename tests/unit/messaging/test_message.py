from __future__ import annotations

import gc
import json
import weakref
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local import trigger
from refunds.cancel_types import cancel_type
from refunds.errors import InvalidRequest
from refunds.messaging.message import read_body, read_event
from tests.unit.contracts.details import CANCEL_TYPES, asking, detail, refunding

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=15,
)
BODIES = {name: json.dumps(detail(name)) for name in CANCEL_TYPES}


def enveloped(name: str, content: Any) -> dict[str, Any]:
    return trigger.envelope(content, name, id="event-1")


@given(body=st.text(), name=st.sampled_from(CANCEL_TYPES))
def test_any_text_is_read(body: str, name: str) -> None:
    """Whatever text a message holds, reading it says what is wrong and never raises."""
    reading = read_body(cancel_type(name).policy, body)
    assert (reading.cancellation is None) is (reading.error is not None)


@given(name=st.sampled_from(CANCEL_TYPES), place=st.integers(0, 2000), noise=st.text(max_size=4))
@settings(max_examples=300)
def test_any_damage_is_read(name: str, place: int, noise: str) -> None:
    """A valid body damaged anywhere is read as valid or as invalid, and never raises."""
    body = BODIES[name]
    damaged = body[:place] + noise + body[place + len(noise) :]
    reading = read_body(cancel_type(name).policy, damaged)
    assert (reading.cancellation is None) is (reading.error is not None)


@given(name=st.sampled_from(CANCEL_TYPES), content=JSON)
def test_any_event_is_read(name: str, content: Any) -> None:
    """Whatever Lambda's runtime made of an event, with and without an envelope, reading it never raises."""
    policy = cancel_type(name).policy
    for event in (content, enveloped(name, content), enveloped(name, asking(name, added=content))):
        reading = read_event(policy, event)
        assert (reading.cancellation is None) is (reading.error is not None)


@pytest.mark.parametrize("name", CANCEL_TYPES)
def test_who_is_meant(name: str) -> None:
    """Valid or not, a message says which request it is about as long as its key can be read."""
    policy = cancel_type(name).policy
    for content in (detail(name), detail(name, request=None)):
        assert read_body(policy, json.dumps(content)).cancel_request_id == "cr-20261121-0001"
        assert read_event(policy, enveloped(name, content)).cancel_request_id == "cr-20261121-0001"
    assert read_body(policy, "not json").cancel_request_id is None


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" * 5000, "NaN"])
@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "enveloped"])
def test_who_is_meant_beside_an_impossible_number(number: str, *, wrapped: bool) -> None:
    """A number that cannot be represented makes a message invalid, and takes nothing else from it."""
    content = refunding(imp_uid="imp_1", amount="@")
    event = enveloped("payment_cancel", content) if wrapped else content
    reading = read_body(cancel_type("payment_cancel").policy, json.dumps(event).replace('"@"', number))
    assert reading.cancellation is None
    assert reading.error is not None
    assert (reading.cancel_request_id, reading.order_id) == ("cr-20261121-0001", "ORD-1")
    assert reading.identity is not None
    assert reading.identity.references == {"imp_uid": "imp_1"}


def test_nobody_is_meant_in_a_foreign_envelope() -> None:
    """An impossible number in an envelope of another type names no request of this one."""
    body = json.dumps({"detail-type": "Other", "detail": detail(), "n": "@"}).replace('"@"', "1e400")
    assert read_body(cancel_type("payment_cancel").policy, body).identity is None


def test_a_refused_message_is_forgotten() -> None:
    """What a refused message leaves in memory is freed: its error and all that hangs on it."""

    def refused() -> weakref.ref[InvalidRequest]:
        reading = read_body(cancel_type("payment_cancel").policy, json.dumps(refunding()))
        assert reading.error is not None
        return weakref.ref(reading.error)

    error = refused()
    gc.collect()
    assert error() is None
