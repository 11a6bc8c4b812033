from __future__ import annotations

import pytest

from refunds.cancel_types import MODULES, cancel_type, provider_of
from refunds.providers.cancel_type import CancelType
from refunds.providers.clients import ProviderClients
from refunds.providers.portone.payment_cancel import POLICY, PaymentCancel
from refunds.providers.portone.receipt_revoke import ReceiptRevoke


@pytest.mark.parametrize("name", MODULES)
def test_a_line_of_the_registry_leads_to_the_type_of_its_name(name: str) -> None:
    """A module's policy has the name and the provider that the registry has for it."""
    kind = cancel_type(name)
    assert isinstance(kind, CancelType)
    assert kind.policy.cancel_type == name
    assert kind.policy.provider == provider_of(name)


def another(clients: ProviderClients) -> ReceiptRevoke:
    """An operation that carries out another contract's requests."""
    return ReceiptRevoke(clients.portone())


def test_the_type_checker_ties_contract_and_operation() -> None:
    """An operation of another contract is refused: mypy would call the comment unused if it were not."""
    right = CancelType(POLICY, lambda clients: PaymentCancel(clients.portone()))
    wrong = CancelType(POLICY, another)  # type: ignore[arg-type]
    assert right.policy is wrong.policy
