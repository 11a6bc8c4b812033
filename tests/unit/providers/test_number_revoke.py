from __future__ import annotations

import pytest

from local.trigger import detail
from refunds.contracts.inbound import Cancellation
from refunds.contracts.number_revoke import NumberRevokeRequest
from refunds.domain.operation import Attempt, Baseline, Rejected, ResolveContext, Siblings
from refunds.errors import ErrorCode, OutcomeUnknown
from refunds.providers.portone.client import PortOneClient
from refunds.providers.portone.number_revoke import vbank_revoke
from tests.unit.providers.provider_stub import (
    BASE_URL,
    Clock,
    ProviderStub,
    credentials,
    envelope,
    payment,
    plenty,
    reply,
)

CASE = Attempt(
    Cancellation[NumberRevokeRequest].model_validate(
        detail("cr-1", {"imp_uid": "imp_1"}, requested_by="system", reason="")
    ),
    "[rf:aaaaaaaaaa]",
    plenty(),
)
BEFORE = Baseline(subject="imp_1")
DOUBT = ResolveContext(None, only_attempt=False, siblings=Siblings)


@pytest.mark.parametrize("status", ["paid", "cancelled"])
def test_an_answer_that_shows_a_payment_is_no_voided_number(status: str) -> None:
    """Success for a number that was paid to is not believed, and asking ends as ALREADY_PAID."""
    shown = reply(200, envelope(payment(status=status, paid_at=1_700_000_000, pay_method="vbank")))
    stub = ProviderStub().on("DELETE /vbanks/imp_1", shown).on("GET /payments/imp_1", shown)
    operation = vbank_revoke(PortOneClient(stub.provider_http(), BASE_URL, credentials(), Clock()))
    with pytest.raises(OutcomeUnknown):
        operation.send(CASE, BEFORE)
    resolution = operation.resolve(CASE, BEFORE, DOUBT)
    assert isinstance(resolution, Rejected)
    assert resolution.failure.code is ErrorCode.ALREADY_PAID


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "cancelled", "paid_at": 1},
        {"status": "cancelled", "cancel_amount": 1},
        {"status": "ready", "deposit_history": [{"amount": 1, "deposited_at": 1}]},
        {"status": "failed", "paid_at": 1},
    ],
)
def test_a_number_that_ever_took_money_was_paid(fields: dict[str, object]) -> None:
    """Whatever became of the payment since: it is told as paid, never as voided."""
    shown = reply(200, envelope(payment(pay_method="vbank", **{"paid_at": 0, **fields})))
    stub = ProviderStub().on("GET /payments/imp_1", shown)
    operation = vbank_revoke(PortOneClient(stub.provider_http(), BASE_URL, credentials(), Clock()))
    resolution = operation.resolve(CASE, BEFORE, DOUBT)
    assert isinstance(resolution, Rejected)
    assert resolution.failure.code is ErrorCode.ALREADY_PAID
