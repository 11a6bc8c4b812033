"""Who replayed, changed or resolved what, when and why.

One item per request beside the ledger's (``audit#<ledger key>``), so that a person who looks a request
up sees its whole story. Written before a message leaves its DLQ: nothing leaves without a trace.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from refunds.domain.redaction import redact
from refunds.errors import RefundsError
from refunds.ledger import timeline

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_DAY: Final = 86_400
#: Lines of one item. A request that is replayed more often has its story in several.
_LINES: Final = 500


class ActorUnnamed(RefundsError):
    """Who acts, or why, was not said."""


@dataclass(frozen=True)
class Actor:
    """Who acts, and why.

    Raises:
        ActorUnnamed: name or reason is blank.

    Attributes:
        name: the person; what the caller says.
        principal: the AWS identity; what AWS says.
    """

    name: str
    principal: str
    reason: str

    def __post_init__(self) -> None:
        """Refuse a blank: nobody would know later who it was, or why."""
        if not self.name.strip() or not self.reason.strip():
            raise ActorUnnamed("name who does it and why: neither may be blank")

    def __str__(self) -> str:
        who = self.principal if self.name == self.principal else f"{redact(self.name)} ({self.principal})"
        return f"{who}: {redact(self.reason)}"


class AuditTrail:
    """Appends to and reads the audit items of the ledger table.

    Args:
        clock: UNIX seconds.
        ttl_days: how long the last entry of an item is kept.
    """

    def __init__(
        self, client: DynamoDBClient, table: str, *, clock: Callable[[], float], ttl_days: int
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._ttl = ttl_days * _DAY

    def append(self, subject: str, actor: Actor, what: str) -> None:
        """Add a line. ``subject`` is a ledger key, or what stands for one that cannot be read."""
        now = self._clock()
        part = 1
        while not self._append(_pk(subject, part), f"{timeline.iso(now)} {what} by {actor}", now):
            part += 1

    def _append(self, pk: str, line: str, now: float) -> bool:
        """Whether the item had room for another line."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": pk}},
                UpdateExpression=(
                    "SET #lines = list_append(if_not_exists(#lines, :none), :line), #until = :until"
                ),
                ConditionExpression="attribute_not_exists(#lines) OR size(#lines) < :most",
                ExpressionAttributeNames={"#lines": "lines", "#until": "expires_at"},
                ExpressionAttributeValues={
                    ":none": {"L": []},
                    ":line": {"L": [{"S": line}]},
                    ":until": {"N": str(int(now) + self._ttl)},
                    ":most": {"N": str(_LINES)},
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def of(self, subject: str) -> list[str]:
        """The lines about a ledger key, oldest first."""
        found: list[str] = []
        for part in itertools.count(1):
            answer = self._client.get_item(
                TableName=self._table, Key={"pk": {"S": _pk(subject, part)}}, ConsistentRead=True
            )
            lines = answer.get("Item", {}).get("lines", {}).get("L", [])
            found += [line["S"] for line in lines]
            if len(lines) < _LINES:
                break
        return found


def _pk(subject: str, part: int) -> str:
    return f"audit#{subject}" if part == 1 else f"audit#{subject}#{part}"
