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
from refunds.domain.outcomes import same_statement
from refunds.errors import Fenced, LedgerError
from refunds.ledger.item import decode, encode, iso, payload, progress

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

#: Keys that begin so are no cancellations: they say which request an entry of a provider's books proves.
HELD_PREFIX: Final = "entry#"

#: What of an item is taken from the message.
PAYLOAD: Final = (
    "fingerprint",
    "order_id",
    "requested_by",
    "requested_at",
    "request",
    "payment_ref",
    "baseline",
)

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

    def take_over(
        self, old: Entry, *, owner: str, lease_until: float, repaired: Entry | None = None
    ) -> Entry:
        """Fence out ``old``'s owner. The new owner must ask the provider before it sends.

        Args:
            old: the item as it was read.
            owner: the new one's token.
            lease_until: UNIX seconds.
            repaired: what the message says now, for an item that was parked as invalid and of which
                nothing was sent: its payload takes the place of the old one.

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
            **({} if repaired is None else _payload(repaired)),
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

    def release(self, entry: Entry, *, in_doubt: bool, baseline: Baseline | None = None) -> None:
        """Give the item back: this worker provably sent nothing, so the next may start at once.

        ``in_doubt`` stays true where an earlier worker may have sent something. ``baseline`` takes the
        place of the one that is there.

        Raises:
            Fenced: it was taken over.
        """
        self._change(
            entry,
            "STARTED released",
            lease_until=0.0,
            in_doubt=in_doubt,
            baseline=baseline or entry.baseline,
        )

    def record(
        self,
        entry: Entry,
        state: State,
        outcome: Outcome,
        *,
        in_doubt: bool,
        proof: str,
        unpublished: bool = False,
        baseline: Baseline | None = None,
    ) -> Entry:
        """Write how it ended, or that it is parked or pending; a parked item in doubt keeps its lease.

        ``unpublished``: no later delivery publishes the outcome. ``baseline`` takes the place of the one
        that is there.

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
            baseline=baseline or entry.baseline,
            statement=_statement(entry, outcome),
        )

    def published(self, entry: Entry) -> Entry:
        """Note that the outcome of an entry that was ``unpublished`` is on the accounting bus.

        Raises:
            Fenced: the item is not as ``entry`` saw it.
        """
        return self._change(entry, f"{entry.state} published", unpublished=False)

    def note_open(self, entry: Entry) -> None:
        """Note that a message left for the DLQ while a worker may still have the item, so that it is swept.

        No new version: that worker is not disturbed. Every open item is in the index of this format.
        """

    def hold_entry(self, entry: Entry, provider: str, subject: str, cancellation_id: str) -> bool:
        """Note that an entry of the provider's books proves this request, and no other one.

        Strongly consistent, unlike the index of a payment's cancellations. Repeating it is harmless.

        Returns:
            False when another request holds the entry.
        """
        now = self._clock()
        try:
            self._client.put_item(
                TableName=self._table,
                Item={
                    **_pk(f"{HELD_PREFIX}{provider}#{subject}#{cancellation_id}"),
                    "holder": {"S": str(entry.key)},
                    "expires_at": {"N": str(int(now) + 2 * self._ttl)},
                },
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            held: Any = refused.response
            return bool(held.get("Item", {}).get("holder", {}).get("S") == str(entry.key))
        return True

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
            open_amounts=tuple(_amount(e) for e in entries if not e.state.terminal),
            settled_by_hand=tuple(
                _amount(e)
                for e in entries
                if e.outcome and e.state is State.SUCCEEDED and not e.outcome.provider.cancellation_id
            ),
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
        if entry.fingerprint != seen.fingerprint:
            new |= payload(entry)
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
    timeline = (*entry.timeline, f"{iso(now)} {event}")
    return replace(entry, **changes, timeline=timeline, revision=entry.revision + 1)


def _statement(entry: Entry, outcome: Outcome) -> int:
    """Which statement of the item this is: the same one repeated keeps its number."""
    if entry.outcome is None or same_statement(entry.outcome, outcome):
        return entry.statement
    return entry.statement + 1


def _payload(repaired: Entry) -> dict[str, Any]:
    """What a message says, as far as the item keeps it."""
    return {name: getattr(repaired, name) for name in PAYLOAD}


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
