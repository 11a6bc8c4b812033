from __future__ import annotations

from typing import Any, cast

import pytest

from local.trigger import detail
from refunds.contracts.receipt_revoke import ReceiptRevocation
from refunds.domain.operation import (
    Applied,
    Attempt,
    Baseline,
    Failure,
    Rejected,
    ResolveContext,
    Siblings,
    Unapplied,
    Unproven,
)
from refunds.errors import Refused, ResponseMismatch
from refunds.providers.portone.client import PortOneClient
from refunds.providers.portone.models import Receipt
from refunds.providers.portone.receipt_revoke import ReceiptRevoke
from tests.unit.providers.provider_stub import plenty

CLAIMED = 1_800_000_000.0
ATTEMPT: Any = Attempt(
    ReceiptRevocation.model_validate(
        detail("cr-1", {"merchant_uid": "ORD-1"}, requested_by="system", reason="")
    ),
    "[rf:aaaaaaaaaa]",
    plenty(),
)
DOUBT = ResolveContext(None, only_attempt=False, siblings=Siblings, sent_at=CLAIMED)
UNSEEN = Baseline(subject="ORD-1", shown={"merchant_uid": "ORD-1"})


class Receipts:
    """The client: one receipt, or none."""

    def __init__(self, **fields: Any) -> None:
        self.shown = {
            "merchant_uid": "ORD-1",
            "receipt_tid": "t-1",
            "applied_at": int(CLAIMED) - 60,
            **fields,
        }

    def receipt(self, _uid: str, **_: Any) -> Receipt | None:
        """Look it up."""
        return Receipt.model_validate(self.shown) if len(self.shown) > 1 else None

    def revoke_receipt(self, _uid: str, **_: Any) -> Receipt:
        """Revoke it."""
        return Receipt.model_validate(self.shown | {"cancelled_at": int(CLAIMED)})

    def check(self, **_: Any) -> None:
        """It can be written."""


def operation(receipts: Receipts) -> ReceiptRevoke:
    return ReceiptRevoke(cast("PortOneClient", receipts))


def test_a_repeat_keeps_the_receipt_it_has_seen() -> None:
    """The first question names the receipt, by its own id or by its numbers."""
    for fields, name in (({}, "t-1"), ({"receipt_tid": None, "apply_num": "77"}, f"77/{int(CLAIMED) - 60}")):
        resolution = operation(Receipts(**fields)).resolve(ATTEMPT, UNSEEN, DOUBT)
        assert isinstance(resolution, Unapplied)
        assert resolution.baseline.shown["receipt_id"] == name


@pytest.mark.parametrize("cancelled_at", [0, int(CLAIMED) + 60])
def test_a_receipt_that_was_issued_anew_is_left_alone(cancelled_at: int) -> None:
    """Another receipt than the one that was seen, revoked or not, neither proves nor is revoked."""
    seen = Baseline(subject="ORD-1", shown={"receipt_id": "t-1"})
    anew = operation(Receipts(receipt_tid="t-2", cancelled_at=cancelled_at))
    resolution = anew.resolve(ATTEMPT, seen, DOUBT)
    assert isinstance(resolution, Unproven)
    assert resolution.unresolvable
    with pytest.raises(ResponseMismatch):
        anew.send(ATTEMPT, seen)


def test_a_receipt_issued_after_our_claim_is_not_the_one_that_was_meant() -> None:
    """Nobody has seen the first one: an unrevoked receipt of later is not revoked by a repeat."""
    resolution = operation(Receipts(applied_at=int(CLAIMED) + 1)).resolve(ATTEMPT, UNSEEN, DOUBT)
    assert isinstance(resolution, Unproven)
    assert resolution.unresolvable


def test_a_revoked_receipt_is_proof() -> None:
    """``cancelled_at`` shows it; 0 is the value of one that is not revoked."""
    resolution = operation(Receipts(cancelled_at=int(CLAIMED))).resolve(ATTEMPT, UNSEEN, DOUBT)
    assert isinstance(resolution, Applied)
    assert isinstance(operation(Receipts(cancelled_at=0)).resolve(ATTEMPT, UNSEEN, DOUBT), Unapplied)


def test_the_end_of_a_former_receipt_proves_nothing() -> None:
    """A record that was issued again after it was revoked is valid, although it shows the old time."""
    again = operation(Receipts(cancelled_at=int(CLAIMED) - 61))
    assert isinstance(again.resolve(ATTEMPT, UNSEEN, DOUBT), Unapplied)


def test_a_receipt_that_vanished_after_a_lost_answer_is_no_failure() -> None:
    """Some PGs drop what is revoked: not found is final only for the only attempt."""
    gone = Receipts()
    gone.shown = {}
    refusal = Refused("refused", status=404)
    later = operation(gone).resolve(
        ATTEMPT, UNSEEN, ResolveContext(refusal, only_attempt=False, siblings=Siblings)
    )
    assert isinstance(later, Rejected)
    assert not later.failure.excludes_late_attempts


def test_nothing_is_asked_before_the_first_send() -> None:
    """A revocation is harmless to repeat, so it needs no look."""
    assert not isinstance(operation(Receipts()).precheck(ATTEMPT, None), Failure)
