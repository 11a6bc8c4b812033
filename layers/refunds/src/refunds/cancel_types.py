"""The cancel types: each is data plus one provider operation.

A new one needs its own contract and function, a module of its provider with ``CANCEL_TYPE``, and one
line in ``MODULES``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # who wants the names alone loads no contract
    from refunds.providers.cancel_type import CancelType

#: Imported by name, so that a function loads the contract and client of its own type only.
MODULES: Final = {
    "payment_cancel": "refunds.providers.portone.payment_cancel",
    "vbank_revoke": "refunds.providers.portone.vbank_revoke",
    "cvs_revoke": "refunds.providers.portone.cvs_revoke",
    "receipt_revoke": "refunds.providers.portone.receipt_revoke",
    "order_cancel": "refunds.providers.ebp.order_cancel",
}


def cancel_type(name: str) -> CancelType:
    """Look a cancel type up by name.

    Raises:
        KeyError: there is none of that name.
    """
    kind: CancelType = importlib.import_module(MODULES[name]).CANCEL_TYPE
    return kind


def provider_of(name: str) -> str | None:
    """Who carries a cancel type out, without loading it; ``None`` if there is none of that name."""
    module = MODULES.get(name)
    return module.split(".")[2] if module else None


def all_cancel_types() -> tuple[CancelType, ...]:
    """Every cancel type, in the order in which documents and commands list them."""
    return tuple(cancel_type(name) for name in MODULES)
