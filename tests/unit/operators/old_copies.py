"""What a read that is not strongly consistent may show."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from tests.unit.operators.rig import OperatorRig


class OldCopies:
    """A ledger of which reads that are not strongly consistent show items as they were when it was made.

    Attributes:
        read: keys, and whether they were read consistently.
    """

    def __init__(self, operators: OperatorRig) -> None:
        self._answer = operators.tables.carry_out
        self._old = deepcopy(operators.tables.items["ledger"])
        self.read: list[tuple[str, bool]] = []
        operators.tables.carry_out = self.carry_out  # type: ignore[method-assign]

    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """One DynamoDB operation."""
        if operation != "BatchGetItem":
            return self._answer(operation, request)
        wanted = request["RequestItems"]["ledger"]
        keys = [key["pk"]["S"] for key in wanted["Keys"]]
        self.read += [(key, wanted["ConsistentRead"]) for key in keys]
        if wanted["ConsistentRead"]:
            return self._answer(operation, request)
        return {"Responses": {"ledger": [self._old[key] for key in keys if key in self._old]}}
