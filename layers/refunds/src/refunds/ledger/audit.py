"""Who replayed, changed or settled what, when and why.

One item per request beside the ledger's (``audit#<ledger key>``), so that a person who looks a request
up sees its whole story. Written before a message leaves its DLQ: nothing leaves without a trace.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from refunds.domain.redaction import redact

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_DAY: Final = 86_400


@dataclass(frozen=True)
class Actor:
    """Who acts, and why.

    Attributes:
        name: the person; what the caller says.
        principal: the AWS identity; what AWS says.
    """

    name: str
    principal: str
    reason: str

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
        moment = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._client.update_item(
            TableName=self._table,
            Key={"pk": {"S": f"audit#{subject}"}},
            UpdateExpression="SET #lines = list_append(if_not_exists(#lines, :none), :line), #until = :until",
            ExpressionAttributeNames={"#lines": "lines", "#until": "expires_at"},
            ExpressionAttributeValues={
                ":none": {"L": []},
                ":line": {"L": [{"S": f"{moment} {what} by {actor}"}]},
                ":until": {"N": str(int(now) + self._ttl)},
            },
        )

    def of(self, subject: str) -> list[str]:
        """The lines about a ledger key, oldest first."""
        answer = self._client.get_item(
            TableName=self._table, Key={"pk": {"S": f"audit#{subject}"}}, ConsistentRead=True
        )
        lines = answer.get("Item", {}).get("lines", {}).get("L", [])
        return [line["S"] for line in lines]
