"""The ledger: one DynamoDB item per cancellation. It *is* the idempotency state (docs/protocol.md).

States::

    (no item) ──claim──▶ STARTED ──record──▶ SUCCEEDED | FAILED      (terminal)
        │                  │  ▲
        └──claim as──▶ PARKED, PENDING ─┘ take_over

Fencing: ``claim`` and ``take_over`` write a fresh ``owner``; every later write of that worker is
conditional on it, so a worker that lost its lease can no longer change anything. Every write is also
conditional on the ``version`` that was read (the number of writes so far): a worker that takes
an item over decides by what it read, and an owner that was only slow may have written in between.

``in_doubt`` is true from the claim until it is proven that nothing was sent: a crash in between
leaves it true, and whoever comes next asks the provider before sending.

Write units: the claim costs one and one for each of the indexes ``by_payment``, ``by_order`` and
``by_day``; the record of an item of ordinary size costs one. The index ``by_open`` is entered by the
second write that leaves the request open, so that it costs nothing where the first delivery ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from refunds.contracts.outbound import Outcome
from refunds.domain.entry import SENDS, Entry, Key, State
from refunds.domain.operation import Baseline, Siblings
from refunds.domain.outcomes import same_statement
from refunds.errors import ErrorCode, Fenced, LedgerError
from refunds.ledger import timeline
from refunds.ledger.batch_read import BatchReader
from refunds.ledger.item import (
    OPEN_ATTRIBUTES,
    changed,
    decode,
    encode,
    is_open,
    owner_value,
    payment_ref_of,
)
from refunds.ledger.shards import day_partition, open_partition

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

#: Items whose keys begin so hold an entry of a provider's books for one request.
HELD_PREFIX: Final = "entry#"

_DAY: Final = 86_400
#: A held entry is remembered longer than any item that it may be compared with.
_HELD_FOR: Final = 2  # times as long as an ended item


class AlreadyClaimed(LedgerError):
    """The request has an item; ``entry`` is that item as the refused write saw it."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(f"{entry.key} is already in the ledger ({entry.state})")
        self.entry = entry


class WrittenByNewerVersion(LedgerError):
    """The item is in a state that this code does not know: it is left alone."""


def _fenced(found: Entry) -> Fenced:
    return Fenced(f"{found.key} was taken over (now {found.state}): this worker's result is not recorded")


class Ledger:
    """The DynamoDB table.

    Args:
        client: a DynamoDB client; its errors other than refused conditions pass through.
        clock: UNIX seconds.
        ttl_days: how long a terminal item is kept; longer than any copy of its event can live.
        reader: reads siblings; made from the client if there is none.
        provider_of: who carries a cancel type out, ``None`` for an unknown one; where both are known and
            differ, equal payment ids name different payments.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        clock: Callable[[], float],
        ttl_days: int,
        reader: BatchReader | None = None,
        provider_of: Callable[[str], str | None] = lambda _cancel_type: None,
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._provider_of = provider_of
        self._ttl = ttl_days * _DAY
        self._reader = reader or BatchReader(client, table)

    def get(self, key: Key) -> Entry | None:
        """The item as of now (strongly consistent), or ``None``.

        Raises:
            UnreadableItem: it is there, but no version of this code wrote it so.
        """
        answer = self._client.get_item(TableName=self._table, Key=_pk(str(key)), ConsistentRead=True)
        item = answer.get("Item")
        return decode(item) if item else None

    def claim(self, entry: Entry) -> Entry:
        """Write the first item of a request, in whatever state it starts.

        Raises:
            AlreadyClaimed: the request has an item that is not ours.
        """
        now = self._clock()
        started = entry.state is State.STARTED
        event = f"{entry.state} attempt {entry.attempt}" if started else _recorded(entry.state, entry)
        entry = _stamped(entry, now, event)
        item = encode(entry, now=now, ttl=self._ttl)
        item["day"] = {"S": day_partition(str(entry.key), now)}
        if is_open(entry) and not started:
            item["open"] = {"S": open_partition(str(entry.key))}
        try:
            self._client.put_item(
                TableName=self._table,
                Item=item,
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

        ``repaired`` is the mended payload of a request that was parked because it was invalid, and of
        which nothing was sent: it takes the place of the old one.

        Raises:
            AlreadyClaimed: somebody else was faster; carries what they made of it.
            LedgerError: ``repaired`` is given, and the old payload may have been sent.
        """
        event = f"STARTED attempt {old.attempt + 1} (taken over)"
        changes: dict[str, Any] = {}
        if repaired is not None:
            if not repairable(old):
                raise LedgerError(f"{old.key} keeps its payload: it was not parked as invalid")
            event = f"STARTED attempt {old.attempt + 1} (repaired)"
            changes = {name: getattr(repaired, name) for name in _PAYLOAD}
            changes["limits_passed"] = False
        return self._change(
            old,
            event,
            AlreadyClaimed,
            day=True,
            **changes,
            state=State.STARTED,
            owner=owner,
            lease_until=lease_until,
            attempt=old.attempt + 1,
        )

    def renew(self, entry: Entry, *, baseline: Baseline, lease_until: float) -> Entry:
        """Keep the item for another send, with a fresh baseline.

        Raises:
            Fenced: it was taken over.
        """
        return self._change(
            entry,
            SENDS,
            baseline=baseline,
            payment_ref=baseline.subject,
            lease_until=lease_until,
            in_doubt=True,
            limits_passed=True,
        )

    def learn(self, entry: Entry, *, baseline: Baseline) -> Entry:
        """Keep what was found out without an end: the next to ask compares with this baseline.

        Raises:
            Fenced: it was taken over.
        """
        return self._change(entry, f"{entry.state} in doubt", baseline=baseline)

    def release(self, entry: Entry, *, in_doubt: bool, baseline: Baseline | None = None) -> None:
        """Give the item back: this worker provably sent nothing, so the next may start at once.

        ``in_doubt`` stays true where an earlier worker may have sent something. ``baseline``: what was
        learnt, if anything.

        Raises:
            Fenced: it was taken over.
        """
        self._change(
            entry, "STARTED released", lease_until=0.0, in_doubt=in_doubt, **_learnt(entry, baseline)
        )

    def record(  # noqa: PLR0913 - everything that one write says
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
        """Write how it ended, or where it stands; a parked item in doubt keeps its lease.

        The outcome is stored as it is. Another statement than the stored one is counted
        (``Entry.statement``).

        Args:
            entry: the item as it was seen last.
            state: where it stands now.
            outcome: what is told of it.
            in_doubt: whether something may have been sent whose end is not known.
            proof: in words, for people.
            unpublished: no later delivery would publish the outcome.
            baseline: the one to keep from now on; the old one if there is none.

        Raises:
            Fenced: it was taken over: this result must not be published.
        """
        another = entry.outcome is not None and not same_statement(entry.outcome, outcome)
        recorded = replace(entry, outcome=outcome, proof=proof)
        return self._change(
            entry,
            _recorded(state, recorded),
            day=True,
            state=state,
            outcome=outcome,
            proof=proof,
            in_doubt=in_doubt,
            lease_until=entry.lease_until if in_doubt else 0.0,
            unpublished=unpublished,
            statement=entry.statement + another,
            **_learnt(entry, baseline),
        )

    def published(self, entry: Entry) -> Entry:
        """Note that the outcome of an entry that was ``unpublished`` is on the accounting bus.

        Raises:
            Fenced: the item is not as ``entry`` saw it.
        """
        return self._change(entry, f"{entry.state} published", unpublished=False)

    def mark_unpublished(self, entry: Entry) -> Entry:
        """Mark the stored outcome as unpublished, because no later delivery publishes it: the sweeper does.

        Raises:
            Fenced: the item is not as ``entry`` saw it.
        """
        return self._change(entry, f"{entry.state} to be published", unpublished=True)

    def admit(self, entry: Entry, by: str) -> Entry:
        """Let a request pass that the guard rails keep back; ``by`` is who decided so, and why.

        Where it was kept back because an earlier item may have been forgotten, nobody has a baseline to ask
        by: whoever admits it says that it was never carried out.

        Raises:
            Fenced: the item is not as ``entry`` saw it.
        """
        in_doubt = entry.in_doubt and entry.baseline is not None
        return self._change(entry, f"{entry.state} admitted by {by}", limits_passed=True, in_doubt=in_doubt)

    def note_open(self, entry: Entry) -> None:
        """Enter the request among the open ones, or take it out if it has ended and was published.

        It is no new version, so that a worker which has the item is not fenced out. It is for a message that
        leaves while another worker holds the lease, and for what the previous version left in its own index.
        Does nothing where the item has changed: that write has entered or removed it.
        """
        sets: dict[str, Any] = {}
        removes = list(OPEN_ATTRIBUTES)
        if is_open(entry):
            removes.remove("open")
            sets["open"] = {"S": open_partition(str(entry.key))}
        if entry.unpublished:
            sets["unpublished"] = {"BOOL": True}
        self._note(entry, sets, removes)

    def adopt(self, entry: Entry) -> None:
        """Give an item of the previous version its place in ``by_day``: the day of its last write.

        For an operator's command after the change of versions; it is no new version of the item.
        """
        last = timeline.seconds(entry.timeline[-1])
        self._note(entry, {"day": {"S": day_partition(str(entry.key), last)}}, [])

    def hold_entry(self, entry: Entry, provider: str, subject: str, name: str) -> bool:
        """Note that an entry of a provider's books is explained by this request; strongly consistent.

        Args:
            entry: whose it is.
            provider: whose books.
            subject: the payment or order.
            name: what the provider calls the entry.

        Returns:
            Whether it is this request's now, or was before; ``False`` if another request holds it.
        """
        pk = f"{HELD_PREFIX}{provider}#{subject}#{name}"
        try:
            self._client.put_item(
                TableName=self._table,
                Item={
                    **_pk(pk),
                    "holder": {"S": str(entry.key)},
                    "expires_at": {"N": str(int(self._clock()) + _HELD_FOR * self._ttl)},
                },
                ConditionExpression="attribute_not_exists(pk) OR #holder = :holder",
                ExpressionAttributeNames={"#holder": "holder"},
                ExpressionAttributeValues={":holder": {"S": str(entry.key)}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def siblings(self, entry: Entry) -> Siblings:
        """Other cancellations of the same payment at the same provider.

        Membership comes from an index that may lag without bound; the items themselves are read
        consistently. So what is said here only ever makes an answer less certain. What makes an entry of
        the provider's books this request's is ``hold_entry`` (docs/adr/0010).

        Raises:
            UnreadableItem: one of them cannot be read: it may hold anything.
            LedgerError: they could not all be read.
        """
        keys = map(Key.of, self._of_payment(entry.payment_ref))
        others = [str(key) for key in keys if key != entry.key and self._may_share_payment(key, entry.key)]
        items = (i for i in self._reader.items(others) if payment_ref_of(i) == entry.payment_ref)
        entries = [decode(item) for item in items]
        succeeded = [e for e in entries if e.outcome and e.state is State.SUCCEEDED]
        held = {e.key: _reference(e) for e in succeeded}
        return Siblings(
            cancellation_ids=frozenset(i for i in held.values() if i),
            others_succeeded=bool(succeeded),
            open_amounts=tuple(_asked(e) for e in entries if not e.state.terminal),
            settled_by_hand=tuple(_told(e) for e in succeeded if not held[e.key] and _moved(e)),
        )

    def _may_share_payment(self, one: Key, other: Key) -> bool:
        """Not where two providers use the same id. A cancel type of a newer version counts as anybody's."""
        providers = {self._provider_of(key.cancel_type) for key in (one, other)}
        return None in providers or len(providers) == 1

    def _of_payment(self, payment_ref: str | None) -> list[str]:
        """Keys of the payment's requests; where an order has its name, others of the order are among them.

        An item whose payment is its order is in ``by_order`` only.
        """
        if payment_ref is None:
            return []
        return [
            *self._indexed("by_payment", "payment_ref", payment_ref),
            *self._indexed("by_order", "order_id", payment_ref),
        ]

    def _indexed(self, index: str, attribute: str, value: str) -> list[str]:
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

    def _change(
        self,
        seen: Entry,
        event: str,
        refuse: Callable[[Entry], LedgerError] = _fenced,
        *,
        day: bool = False,
        **changes: Any,
    ) -> Entry:
        """Change the item if owner and version are still those of ``seen``.

        An update and not a put: attributes written by a newer version of this code survive. ``day``: the
        request is claimed or ends now.
        """
        if seen.state is State.UNKNOWN:
            raise WrittenByNewerVersion(f"{seen.key} was written by a newer version: it is left alone")
        now = self._clock()
        entry = _stamped(seen, now, event, **changes)
        sets, removes = changed(encode(seen, now=now, ttl=self._ttl), encode(entry, now=now, ttl=self._ttl))
        if day:
            sets["day"] = {"S": day_partition(str(entry.key), now)}
        # Removed even where `seen` was in no index: somebody may have noted it as open since.
        removes += OPEN_ATTRIBUTES
        if is_open(entry):
            removes.remove("open")
            sets["open"] = {"S": open_partition(str(entry.key))}
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_pk(str(entry.key)),
                **_update(sets, removes, seen),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            return self._own_or_raise(entry, self._old(refused, entry.key), refuse)
        return entry

    def _note(self, entry: Entry, sets: Mapping[str, Any], removes: list[str]) -> None:
        """Change an item's places in indexes, if it is as ``entry`` saw it."""
        try:
            self._client.update_item(
                TableName=self._table, Key=_pk(str(entry.key)), **_update(sets, removes, entry)
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return

    def _own_or_raise(self, wanted: Entry, found: Entry, refuse: Callable[[Entry], LedgerError]) -> Entry:
        """A write that was applied though its answer was lost is refused when botocore repeats it."""
        if _written(found) == _written(wanted):
            return found
        raise refuse(found) from None

    def _old(self, refused: Any, key: Key) -> Entry:
        item = refused.response.get("Item")
        entry = decode(item) if item else self.get(key)
        if entry is None:
            raise Fenced(f"{key} has vanished from the ledger: do not replay it before finding out why")
        return entry


#: What a repaired message says anew.
_PAYLOAD: Final = (
    "fingerprint",
    "order_id",
    "requested_by",
    "requested_at",
    "request",
    "currency",
    "payment_ref",
    "baseline",
)

#: Version 1 wrote owners as text.
_CONDITION: Final = "(#owner = :owner OR #owner = :owner_as_text) AND #version = :version"


def repairable(entry: Entry) -> bool:
    """Whether a message with another payload may take the item over: it was invalid, and nothing was sent."""
    error = entry.outcome.error if entry.outcome else None
    invalid = error is not None and error.code == ErrorCode.INVALID_REQUEST
    return entry.state is State.PARKED and invalid and not entry.in_doubt


def _fence(seen: Entry) -> tuple[dict[str, str], dict[str, Any]]:
    """Names and values of ``_CONDITION``."""
    names = {"#owner": "owner", "#version": "version"}
    values = {
        ":owner": owner_value(seen.owner),
        ":owner_as_text": {"S": seen.owner},
        ":version": {"N": str(seen.revision)},
    }
    return names, values


def _update(sets: Mapping[str, Any], removes: list[str], seen: Entry) -> dict[str, Any]:
    """An update expression and its condition."""
    names, values = _fence(seen)
    clauses = []
    if sets:
        clauses.append(f"SET {', '.join(f'#{name} = :new_{name}' for name in sets)}")
    if removes:
        clauses.append(f"REMOVE {', '.join(f'#{name}' for name in removes)}")
    return {
        "UpdateExpression": " ".join(clauses),
        "ConditionExpression": _CONDITION,
        "ExpressionAttributeNames": names | {f"#{name}": name for name in (*sets, *removes)},
        "ExpressionAttributeValues": values | {f":new_{name}": value for name, value in sets.items()},
    }


def _stamped(entry: Entry, now: float, event: str, **changes: Any) -> Entry:
    events = timeline.appended(entry.timeline, now, event)
    return replace(entry, **changes, timeline=events, revision=entry.revision + 1)


def _recorded(state: State, entry: Entry) -> str:
    """The event that says how it ended: `timeline.recorded` reads it."""
    error = entry.outcome.error if entry.outcome else None
    code = f" {error.code}" if error else ""
    return f"{state}{code}: {entry.proof or ''}"


def _learnt(entry: Entry, baseline: Baseline | None) -> dict[str, Any]:
    """What a new baseline changes. A payment that was chosen stays chosen."""
    if baseline is None:
        return {}
    return {"baseline": baseline, "payment_ref": entry.payment_ref or baseline.subject}


def _reference(entry: Entry) -> str | None:
    """What the provider calls the cancellation that this entry recorded."""
    if entry.outcome is None:
        return None
    return entry.outcome.provider.cancellation_id or entry.outcome.provider.return_request_id


def _asked(entry: Entry) -> Decimal | None:
    amount = entry.request.get("amount")
    return Decimal(str(amount)) if amount is not None else None


def _moved(entry: Entry) -> bool:
    return entry.outcome is not None and entry.outcome.money is not None


def _told(entry: Entry) -> Decimal | None:
    money = entry.outcome.money if entry.outcome else None
    return money.cancelled if money else _asked(entry)


def _written(entry: Entry) -> tuple[object, ...]:
    """What tells one write of an item from every other one."""
    return (entry.owner, entry.state, entry.revision, entry.timeline[-1:])


def _pk(key: str) -> dict[str, Any]:
    return {"pk": {"S": key}}
