"""This hour's requests of a cancel type, counted in one DynamoDB item for all processes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from refunds.domain.limits import Limits
from refunds.domain.operation import Money

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

#: Keys that begin so are no cancellations: no cancel type is called that.
KEY_PREFIX: Final = "guard#"

_KEPT: Final = 7 * 86_400  # seconds; long enough to see afterwards what an hour was like
_UNBOUNDED: Final = 10**15  # amount or requests; beyond anything a request can name


class DynamoDbHourlyCounter:
    """One item per cancel type and hour, in the ledger's table, changed by one conditional update.

    An update whose answer was lost is repeated by botocore and then counted twice: the count may be
    too high, never too low.

    Args:
        clock: UNIX seconds.
    """

    def __init__(
        self, client: DynamoDBClient, table: str, cancel_type: str, *, clock: Callable[[], float]
    ) -> None:
        self._client = client
        self._table = table
        self._cancel_type = cancel_type
        self._clock = clock

    def add(self, money: Money, limits: Limits) -> bool:
        """Count one more request of ``money``, unless that would exceed a limit."""
        per_hour = _UNBOUNDED if limits.per_hour is None else limits.per_hour
        room = limits.amount_per_hour.get(money.currency, _UNBOUNDED) - money.amount
        if per_hour < 1 or room < 0:
            return False
        now = self._clock()
        amount = "won" if money.currency == "KRW" else money.currency
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": self._key(now)}},
                UpdateExpression="SET #expires_at = :expires_at ADD #requests :one, #amount :amount",
                ConditionExpression=(
                    "attribute_not_exists(pk) OR (#requests < :per_hour "
                    "AND (attribute_not_exists(#amount) OR #amount <= :room))"
                ),
                ExpressionAttributeNames={
                    "#requests": "requests",
                    "#amount": amount,
                    "#expires_at": "expires_at",
                },
                ExpressionAttributeValues={
                    ":one": {"N": "1"},
                    ":amount": {"N": format(money.amount, "f")},
                    ":per_hour": {"N": str(per_hour)},
                    ":room": {"N": format(room, "f")},
                    ":expires_at": {"N": str(int(now) + _KEPT)},
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _key(self, now: float) -> str:
        hour = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H")
        return f"{KEY_PREFIX}{self._cancel_type}#{hour}"
