"""The typed answers, against PortOne's specification and the samples of the API documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from refunds.providers.http.fields import read_as
from refunds.providers.portone.answers import read_envelope
from refunds.providers.portone.models import (
    CancelHistoryEntry,
    CancelledPage,
    Deposit,
    Payment,
    Promotion,
    Receipt,
    Token,
)
from tests.contract.specification import Specification, documents

if TYPE_CHECKING:
    from pydantic import BaseModel

SPECIFICATION = Specification()
DOCUMENTED: dict[str, type[BaseModel]] = {
    "PaymentAnnotation": Payment,
    "PaymentCancelAnnotation": CancelHistoryEntry,
    "ExternalReceiptAnnotation": Receipt,
    "PagedPaymentAnnotation": CancelledPage,
    "AuthAnnotation": Token,
}
SAMPLES: dict[str, type[BaseModel]] = {"000": Payment, "001": Payment, "002": Receipt, "003": Payment}


def names_of(model: type[BaseModel]) -> set[str]:
    """The model's fields as they are called in an answer."""
    return {field.alias or name for name, field in model.model_fields.items()}


def sample_of(document: str) -> dict[str, Any]:
    """The document's sample answer."""
    (sample,) = (sample for sample in documents()[document] if "response" in sample)
    return sample


@pytest.mark.parametrize("definition", DOCUMENTED)
def test_every_field_of_the_specification_is_typed(definition: str) -> None:
    """And none is invented; V2 gives an entry of the history a status, which V1 may come to do too."""
    of_version_2 = {"status"} if definition == "PaymentCancelAnnotation" else set()
    assert names_of(DOCUMENTED[definition]) == SPECIFICATION.fields_of(definition) | of_version_2


def test_a_deposit_has_the_field_the_specification_forgets() -> None:
    """`reason` is required of a deposit, but not among its fields."""
    assert names_of(Deposit) == SPECIFICATION.fields_of("VbankDepositAnnotation") | {"reason"}


def test_a_promotion_is_typed() -> None:
    """The specification defines it in place."""
    assert names_of(Promotion) == {"id", "discount"}


@pytest.mark.parametrize("document", SAMPLES)
def test_the_samples_of_the_documents_are_read(document: str) -> None:
    """Each document's answer is a usable success, and each field it shows is typed."""
    sample, model = sample_of(document), SAMPLES[document]
    envelope = read_envelope(sample)
    assert envelope is not None
    found, faults = read_as(model, envelope.response)
    assert found is not None, faults
    assert set(sample["response"]) <= names_of(model)


@pytest.mark.parametrize("document", SAMPLES)
def test_a_field_of_a_sample_keeps_its_value(document: str) -> None:
    """Nothing but the text "null" that the documents show as a card type is lost on the way."""
    shown = sample_of(document)["response"]
    found, _ = read_as(SAMPLES[document], shown)
    assert found is not None
    lost = {name for name in shown if getattr(found, name) is None}
    assert lost == ({"card_type"} if "card_type" in shown else set())


def test_a_cancellation_in_the_documents_is_read() -> None:
    """It has no cancellation_id yet, and counts all the same."""
    found, _ = read_as(Payment, sample_of("001")["response"])
    assert isinstance(found, Payment)
    assert [(entry.cancellation_id, entry.pg_tid) for entry in found.cancel_history] == [(None, "string")]
