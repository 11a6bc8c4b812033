"""The typed answers, against PortOne's specification and the samples of the API documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from refunds.providers.http.fields import read_as
from refunds.providers.portone.answers import read_envelope
from refunds.providers.portone.models import (
    CancelHistoryEntry,
    CancelledPage,
    Payment,
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
def test_every_field_that_is_read_is_specified(definition: str) -> None:
    """None is invented; V2 gives an entry of the history a status, which V1 may come to do too."""
    of_version_2 = {"status"} if definition == "PaymentCancelAnnotation" else set()
    assert names_of(DOCUMENTED[definition]) <= SPECIFICATION.fields_of(definition) | of_version_2


def test_of_a_payment_only_what_decides_is_read() -> None:
    """Nothing about the buyer, the card or the account."""
    assert names_of(Payment) == {
        *("imp_uid", "merchant_uid", "status", "pay_method", "pg_provider", "pg_tid"),
        *("amount", "cancel_amount", "currency", "cancel_history", "paid_at", "deposit_history"),
    }


@pytest.mark.parametrize("document", SAMPLES)
def test_the_samples_of_the_documents_are_read(document: str) -> None:
    """Each document's answer is a usable success, and nothing that is read of it is lost on the way."""
    sample, model = sample_of(document), SAMPLES[document]
    envelope = read_envelope(sample)
    assert envelope is not None
    found, faults = read_as(model, envelope.response)
    assert found is not None, faults
    read = {name: field.alias or name for name, field in model.model_fields.items()}
    shown = [name for name, said in read.items() if said in sample["response"]]
    assert len(shown) > 1
    assert all(getattr(found, name) is not None for name in shown)


def test_a_cancellation_in_the_documents_is_read() -> None:
    """It has no cancellation_id yet, and counts all the same."""
    found, _ = read_as(Payment, sample_of("001")["response"])
    assert isinstance(found, Payment)
    assert [(entry.cancellation_id, entry.pg_tid) for entry in found.history] == [(None, "string")]
