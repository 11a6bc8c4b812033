from __future__ import annotations

import pytest

from local.cancel_types import example
from local.demo.cast import Cast
from refunds.cancel_types import MODULES, cancel_type, provider_of
from refunds.contracts.inbound import parse_cancellation
from refunds.providers.cancel_type import CancelType
from refunds.providers.clients import ProviderClients
from refunds.providers.portone.payment_cancel import POLICY, PaymentCancel
from refunds.providers.portone.receipt_revoke import ReceiptRevoke
from tests.unit.contracts.details import detail
from verify.synthetic import REQUESTS


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


def test_a_deployment_is_verified_with_every_type() -> None:
    """Each has a request about a payment that nobody has."""
    assert tuple(REQUESTS) == tuple(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_an_example_satisfies_the_contract(name: str) -> None:
    """Both its request that goes through and the one with every field."""
    one, contract = example(name), cancel_type(name).policy.contract
    for request in (one.request(Cast("1"), 1), one.every_field):
        assert parse_cancellation(contract, detail(name, request=request)).request is not None
