"""The cancel types: each is data plus one provider operation.

A new one needs its own contract and function, a module of its provider with ``CANCEL_TYPE``, and one
line in ``refunds.contracts.naming``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from refunds.contracts.naming import CANCEL_TYPES

if TYPE_CHECKING:  # who wants the names alone loads no contract
    from refunds.providers.cancel_type import CancelType

#: Imported by name, so that a function loads the contract and client of its own type only.
MODULES: Final = {name: f"refunds.providers.{one.provider}.{name}" for name, one in CANCEL_TYPES.items()}


def cancel_type(name: str) -> CancelType:
    """Look a cancel type up by name.

    Raises:
        KeyError: there is none of that name.
    """
    kind: CancelType = importlib.import_module(MODULES[name]).CANCEL_TYPE
    return kind


def provider_of(name: str) -> str | None:
    """Who carries a cancel type out, without loading it; ``None`` if there is none of that name."""
    naming = CANCEL_TYPES.get(name)
    return naming.provider if naming else None


def all_cancel_types() -> tuple[CancelType, ...]:
    """Every cancel type, in the order in which documents and commands list them."""
    return tuple(cancel_type(name) for name in MODULES)
