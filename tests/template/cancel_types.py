"""The five cancel types as the registry names them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CancelType:
    """One cancel type's names in the template."""

    name: str

    @property
    def pascal(self) -> str:
        """The prefix of its resources, parameters and outputs."""
        return "".join(word.capitalize() for word in self.name.split("_"))


CANCEL_TYPES = [
    CancelType("payment_cancel"),
    CancelType("vbank_revoke"),
    CancelType("cvs_revoke"),
    CancelType("receipt_revoke"),
    CancelType("order_cancel"),
]

#: The operators' functions, by the prefix of their resources and outputs.
OPERATORS = ["DlqReplay", "Sweeper", "Reconcile"]
