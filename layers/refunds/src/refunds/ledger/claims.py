"""The ledger: one DynamoDB item per cancellation. It *is* the idempotency state (DESIGN section 5).

States::

    (no item) ──claim──▶ STARTED ──record──▶ SUCCEEDED | FAILED      (terminal)
        │                  │  ▲
        └──claim as──▶ PARKED ─┘ take_over

Fencing: ``claim`` and ``take_over`` write a fresh ``owner``; every later write of that worker is
conditional on it, so a worker that lost its lease can no longer change anything. Every write is also
conditional on the ``version`` that was read (the number of writes so far): who takes an item over
decides by what it says, and an owner who wakes up in between may have made it say something else.

``in_doubt`` is true from the claim until it is proven that nothing was sent: a crash in between
leaves it true, and whoever comes next asks the provider before sending.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from refunds.contracts.outbound import Outcome
from refunds.domain.entry import Entry, Key, State
from refunds.domain.operation import Baseline, Siblings
from refunds.errors import Fenced, LedgerError
from refunds.ledger.item import decode, encode, iso, progress

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_DAY: Final = 86_400
_BATCH_GET_LIMIT: Final = 100  # keys in one BatchGetItem (AWS limit)


class AlreadyClaimed(LedgerError):
    """The request has an item; ``entry`` is that item as the refused write saw it."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(f"{entry.key} is already in the ledger ({entry.state})")
        self.entry = entry


def _fenced(found: Entry) -> Fenced:
    return Fenced(f"{found.key} was taken over (now {found.state}): this worker's result is not recorded")


class Ledger:
    """The DynamoDB table.

    Args:
        client: a DynamoDB client; its errors other than refused conditions pass through.
        clock: UNIX seconds.
        ttl_days: how long a terminal item is kept; longer than any copy of its event can live.
    """

    def __init__(
        self, client: DynamoDBClient, table: str, *, clock: Callable[[], float], ttl_days: int
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._ttl = ttl_days * _DAY

    def get(self, key: Key) -> Entry | None:
        """The item as of now (strongly consistent), or ``None``."""
        answer = self._client.get_item(TableName=self._table, Key=_pk(str(key)), ConsistentRead=True)
        item = answer.get("Item")
        return decode(item) if item else None

    def claim(self, entry: Entry) -> Entry:
        """Write the first item of a request, in whatever state it starts.

        Raises:
            AlreadyClaimed: the request has an item that is not ours.
        """
        now = self._clock()
        entry = _stamped(entry, now, f"{entry.state} attempt {entry.attempt}")
        try:
            self._client.put_item(
                TableName=self._table,
                Item=encode(entry, now=now, ttl=self._ttl),
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            return self._own_or_raise(entry, self._old(refused, entry.key), AlreadyClaimed)
        return entry

    def take_over(self, old: Entry, *, owner: str, lease_until: float) -> Entry:
        """Fence out ``old``'s owner. The new owner must ask the provider before it sends.

        Raises:
            AlreadyClaimed: somebody else was faster; carries what they made of it.
        """
        return self._change(
            old,
            f"STARTED attempt {old.attempt + 1} (taken over)",
            AlreadyClaimed,
            state=State.STARTED,
            owner=owner,
            lease_until=lease_until,
            attempt=old.attempt + 1,
        )

    def renew(self, entry: Entry, *, baseline: Baseline, lease_until: float) -> Entry:
        """Keep the item for another send, with a fresh yardstick.

        Raises:
            Fenced: it was taken over.
        """
        return self._change(
            entry,
            "STARTED sends",
            baseline=baseline,
            payment_ref=baseline.subject,
            lease_until=lease_until,
            in_doubt=True,
            limits_passed=True,
        )

    def learn(self, entry: Entry, *, baseline: Baseline) -> Entry:
        """Keep what was found out without an end: the next to ask uses this yardstick.

        Raises:
            Fenced: it was taken over.
        """
        return self._change(entry, "STARTED in doubt", baseline=baseline)

    def release(self, entry: Entry, *, in_doubt: bool) -> None:
        """Give the item back: this worker provably sent nothing, so the next may start at once.

        ``in_doubt`` stays true where an earlier worker may have sent something.

        Raises:
            Fenced: it was taken over.
        """
        self._change(entry, "STARTED released", lease_until=0.0, in_doubt=in_doubt)

    def record(
        self,
        entry: Entry,
        state: State,
        outcome: Outcome,
        *,
        in_doubt: bool,
        proof: str,
        unpublished: bool = False,
    ) -> Entry:
        """Write how it ended, or that it is parked; a parked item in doubt keeps its lease.

        ``unpublished``: no message is at hand whose redelivery would publish the outcome.

        Raises:
            Fenced: it was taken over: this result must not be published.
        """
        code = f" {outcome.error.code}" if outcome.error else ""
        return self._change(
            entry,
            f"{state}{code}: {proof}",
            state=state,
            outcome=outcome,
            proof=proof,
            in_doubt=in_doubt,
            lease_until=entry.lease_until if in_doubt else 0.0,
            unpublished=unpublished,
        )

    def published(self, entry: Entry) -> Entry:
        """Note that the outcome of an entry that was ``unpublished`` is on the accounting bus.

        Raises:
            Fenced: the item is not as ``entry`` saw it.
        """
        return self._change(entry, f"{entry.state} published", unpublished=False)

    def admit(self, entry: Entry, by: str) -> Entry:
        """Let a request pass that the guard rails keep back; ``by`` is who decided so, and why.

        Raises:
            Fenced: the item is not as ``entry`` saw it.
        """
        return self._change(entry, f"{entry.state} admitted by {by}", limits_passed=True)

    def siblings(self, entry: Entry) -> Siblings:
        """Other cancellations of the same payment.

        Membership comes from an index that lags by milliseconds; the items are read consistently.
        A sibling too new for the index was claimed too recently to have reached the provider.
        """
        others = [
            pk for pk in self._keys("by_payment", "payment_ref", entry.payment_ref) if pk != str(entry.key)
        ]
        entries = [decode(item) for item in self._items(others)]
        succeeded = [e.outcome for e in entries if e.outcome and e.state is State.SUCCEEDED]
        held = (outcome.provider.cancellation_id for outcome in succeeded)
        return Siblings(
            cancellation_ids=frozenset(i for i in held if i),
            others_succeeded=bool(succeeded),
            open_amounts=frozenset(_amount(e) for e in entries if not e.state.terminal),
        )

    def _keys(self, index: str, attribute: str, value: str | None) -> list[str]:
        if value is None:
            return []
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": index,
            "KeyConditionExpression": "#a = :v",
            "ExpressionAttributeNames": {"#a": attribute},
            "ExpressionAttributeValues": {":v": {"S": value}},
        }
        found: list[str] = []
        while True:
            page = self._client.query(**query)
            found += [item["pk"]["S"] for item in page.get("Items", [])]
            if not page.get("LastEvaluatedKey"):
                return found
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _items(self, keys: Sequence[str]) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        pending = [_pk(key) for key in keys]
        while pending:
            chunk, pending = pending[:_BATCH_GET_LIMIT], pending[_BATCH_GET_LIMIT:]
            answer = self._client.batch_get_item(
                RequestItems={self._table: {"Keys": chunk, "ConsistentRead": True}}
            )
            found += answer.get("Responses", {}).get(self._table, [])
            left = answer.get("UnprocessedKeys", {}).get(self._table)
            pending += list(left["Keys"]) if left else []
        return found

    def _change(
        self,
        seen: Entry,
        event: str,
        refuse: Callable[[Entry], LedgerError] = _fenced,
        **changes: Any,
    ) -> Entry:
        """Change the item if it is still exactly in the hands in which ``seen`` saw it.

        An update and not a put: attributes written by a newer version of this code survive.
        """
        now = self._clock()
        entry = _stamped(seen, now, event, **changes)
        old = progress(seen, now=now, ttl=self._ttl)
        new = {**progress(entry, now=now, ttl=self._ttl), "updated_at": {"S": iso(now)}}
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_pk(str(entry.key)),
                **_update(old, new, event=entry.timeline[-1]),
                ConditionExpression="#owner = :seen_owner AND #version = :seen_version",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            return self._own_or_raise(entry, self._old(refused, entry.key), refuse)
        return entry

    def _own_or_raise(self, wanted: Entry, found: Entry, refuse: Callable[[Entry], LedgerError]) -> Entry:
        """A write that was applied though its answer was lost is refused when botocore repeats it."""
        if (found.owner, found.state, found.timeline) == (wanted.owner, wanted.state, wanted.timeline):
            return found
        raise refuse(found) from None

    def _old(self, refused: Any, key: Key) -> Entry:
        item = refused.response.get("Item")
        entry = decode(item) if item else self.get(key)
        if entry is None:
            raise Fenced(f"{key} has vanished from the ledger: do not replay it before finding out why")
        return entry


def _stamped(entry: Entry, now: float, event: str, **changes: Any) -> Entry:
    return replace(entry, **changes, timeline=(*entry.timeline, f"{iso(now)} {event}"))


def _update(old: Mapping[str, Any], new: Mapping[str, Any], *, event: str) -> dict[str, Any]:
    """The update expression that turns one progress into the other, and the fence's values."""
    changed = {k: v for k, v in new.items() if old.get(k) != v}
    gone = [k for k in old if k not in new]
    sets = [f"#{name} = :{name}" for name in changed]
    sets.append("#timeline = list_append(#timeline, :event)")
    removes = f" REMOVE {', '.join(f'#{name}' for name in gone)}" if gone else ""
    names = {*changed, *gone, "timeline", "owner", "version"}
    return {
        "UpdateExpression": f"SET {', '.join(sets)}{removes}",
        "ExpressionAttributeNames": {f"#{name}": name for name in names},
        "ExpressionAttributeValues": {
            **{f":{name}": value for name, value in changed.items()},
            ":event": {"L": [{"S": event}]},
            ":seen_owner": old["owner"],
            ":seen_version": old["version"],
        },
    }


def _amount(entry: Entry) -> Decimal | None:
    amount = entry.request.get("amount")
    return Decimal(str(amount)) if amount is not None else None


def _pk(key: str) -> dict[str, Any]:
    return {"pk": {"S": key}}
