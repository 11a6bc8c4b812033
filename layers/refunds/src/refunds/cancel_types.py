"""The cancel types: each is data plus one provider operation.

A new one needs its own contract and function, a module of its provider with ``POLICY`` and
``operation``, and one line in ``MODULES``.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Final

from refunds.domain.operation import Operation
from refunds.domain.policy import Policy
from refunds.providers.clients import ProviderClients

#: Imported by name, so that a function loads the contract and client of its own type only.
MODULES: Final = {
    "payment_cancel": "refunds.providers.portone.payment_cancel",
    "vbank_revoke": "refunds.providers.portone.vbank_revoke",
    "cvs_revoke": "refunds.providers.portone.cvs_revoke",
    "receipt_revoke": "refunds.providers.portone.receipt_revoke",
    "order_cancel": "refunds.providers.ebp.order_cancel",
}


@dataclass(frozen=True)
class CancelType:
    """What one function does."""

    policy: Policy
    module: Any

    def operation(self, clients: ProviderClients) -> Operation[Any]:
        """The provider operation, with the clients it needs."""
        operation: Operation[Any] = self.module.operation(clients)
        return operation


def cancel_type(name: str) -> CancelType:
    """Look a cancel type up by name.

    Raises:
        KeyError: there is none of that name.
    """
    module = importlib.import_module(MODULES[name])
    return CancelType(module.POLICY, module)


def all_cancel_types() -> tuple[CancelType, ...]:
    """Every cancel type, in the order in which documents and commands list them."""
    return tuple(cancel_type(name) for name in MODULES)
