"""Reading many items by key, strongly consistent unless told otherwise."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from refunds.errors import LedgerError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

#: Keys in one BatchGetItem (AWS limit).
MOST_KEYS: Final = 100
_FIRST_PAUSE: Final = 0.05  # seconds
_LONGEST_PAUSE: Final = 1.0


class BatchReader:
    """BatchGetItem, repeated for what DynamoDB leaves unread while it throttles.

    Args:
        patience: seconds after which what is still unread is an error.
        clock: seconds, monotonic.
        pause: waits so many seconds.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        patience: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._table = table
        self._patience = patience
        self._clock = clock
        self._pause = pause
        self._jitter = jitter

    def items(self, keys: Iterable[str], *, consistent: bool = True) -> list[Mapping[str, Any]]:
        """The items of these keys, each once and in no particular order; a key without an item is absent.

        Without ``consistent`` a write of the last moments may be missing, and a read costs half.

        Raises:
            LedgerError: DynamoDB keeps leaving keys unread.
        """
        pending = [{"pk": {"S": key}} for key in dict.fromkeys(keys)]
        found: list[Mapping[str, Any]] = []
        give_up, pause = self._clock() + self._patience, _FIRST_PAUSE
        while pending:
            chunk, pending = pending[:MOST_KEYS], pending[MOST_KEYS:]
            answer = self._client.batch_get_item(
                RequestItems={self._table: {"Keys": chunk, "ConsistentRead": consistent}}
            )
            found += answer.get("Responses", {}).get(self._table, [])
            unread: Any = answer.get("UnprocessedKeys", {}).get(self._table, {})
            left = unread.get("Keys", [])
            if not left:
                pause = _FIRST_PAUSE
                continue
            pending += left
            if self._clock() + pause > give_up:
                raise LedgerError(f"DynamoDB leaves {len(pending)} keys unread: try again later")
            self._pause(pause * (0.5 + self._jitter() / 2))
            pause = min(pause * 2, _LONGEST_PAUSE)
        return found
