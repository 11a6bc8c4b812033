"""This hour's requests of a cancel type, counted in one DynamoDB item for all processes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from refunds.domain.entry import Key
from refunds.domain.limits import Limits
from refunds.domain.operation import Money

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

#: Keys that begin so are no cancellations: no cancel type is called that.
KEY_PREFIX: Final = "guard#"

_KEPT: Final = 7 * 86_400  # seconds; long enough to see afterwards what an hour was like
_UNBOUNDED: Final = 10**15  # of any currency, or requests; beyond anything a request can name

#: Places for requests that were counted last. With all of them taken the item has 900 bytes: one write unit.
_PLACES: Final = 64
_MARK_BYTES: Final = 8


class DynamoDbHourlyCounter:
    """One item per cancel type and hour, in the ledger's table, changed by one conditional update.

    A request counts once, however often it is added: the item remembers which requests were counted last,
    each in a place that follows from its key, until another one takes the place. So an update whose
    answer was lost, and a delivery whose claim failed after it was counted, do not count again. What is
    forgotten too early counts twice: the count may be too high, never too low.

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

    def add(self, money: Money, limits: Limits, request: Key | None = None) -> bool:
        """Count one more request of ``money``, unless that would exceed a limit.

        Args:
            money: what it moves.
            limits: what an hour may have.
            request: which request it is; without it, every call counts.

        Returns:
            Whether it is counted, now or before.
        """
        per_hour = _UNBOUNDED if limits.per_hour is None else limits.per_hour
        room = limits.amount_per_hour.get(money.currency, Decimal(_UNBOUNDED)) - money.amount
        if per_hour < 1 or room < 0:
            return False
        now = self._clock()
        place, mark = _place(request)
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": self._key(now)}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **_addition(money, per_hour, room, place, mark, int(now) + _KEPT),
            )
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            answer: Any = refused.response
            return place is not None and answer.get("Item", {}).get(place) == mark
        return True

    def _key(self, now: float) -> str:
        hour = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H")
        return f"{KEY_PREFIX}{self._cancel_type}#{hour}"


def _addition(
    money: Money, per_hour: int, room: Decimal, place: str | None, mark: Any, expires_at: int
) -> dict[str, Any]:
    """The update, and the condition under which it is carried out."""
    sets = "SET #expires_at = :expires_at"
    condition = (
        "(attribute_not_exists(#requests) OR #requests < :per_hour) "
        "AND (attribute_not_exists(#amount) OR #amount <= :room)"
    )
    # Version 1 counted won under that name, in the same item.
    amount = "won" if money.currency == "KRW" else money.currency
    names = {"#requests": "requests", "#amount": amount, "#expires_at": "expires_at"}
    values: dict[str, Any] = {
        ":one": {"N": "1"},
        ":amount": {"N": format(money.amount, "f")},
        ":per_hour": {"N": str(per_hour)},
        ":room": {"N": format(room, "f")},
        ":expires_at": {"N": str(expires_at)},
    }
    if place is not None:
        sets += ", #place = :mark"
        condition += " AND (attribute_not_exists(#place) OR #place <> :mark)"
        names["#place"] = place
        values[":mark"] = mark
    return {
        "UpdateExpression": f"{sets} ADD #requests :one, #amount :amount",
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


def _place(request: Key | None) -> tuple[str | None, dict[str, Any] | None]:
    """Where the item remembers a request, and as what."""
    if request is None:
        return None, None
    digest = sha256(str(request).encode()).digest()
    return f"p{digest[0] % _PLACES:02}", {"B": digest[1 : 1 + _MARK_BYTES]}
