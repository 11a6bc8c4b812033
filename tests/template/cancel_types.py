"""The cancel types of the registry, as the template names them."""

from __future__ import annotations

from dataclasses import dataclass

from refunds.cancel_types import MODULES


@dataclass(frozen=True)
class CancelType:
    """One cancel type's names in the template."""

    name: str

    @property
    def pascal(self) -> str:
        """The prefix of its resources, parameters and outputs."""
        return "".join(word.capitalize() for word in self.name.split("_"))

    @property
    def slug(self) -> str:
        """Its name in the names of queues, functions and alarms."""
        return self.name.replace("_", "-")


CANCEL_TYPES = [CancelType(name) for name in MODULES]

#: The operators' functions, by the prefix of their resources and outputs.
OPERATORS = ["DlqReplay", "Sweeper", "Reconcile"]
