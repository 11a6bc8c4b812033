"""The ledger on DynamoDB, as AWS documents it, on every AWS there is.

Where an emulator differs, AWS's documentation decides: `API_UpdateItem`, `API_Query`, `API_BatchGetItem`
of the DynamoDB API Reference, "Update expressions" and "Item sizes and formats" of its Developer Guide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from refunds.domain.entry import Key, State
from refunds.domain.limits import Limits
from refunds.domain.operation import Money
from refunds.errors import Fenced
from refunds.ledger import audit
from refunds.ledger.audit import Actor, AuditTrail
from refunds.ledger.batch_read import BatchReader
from refunds.ledger.claims import AlreadyClaimed, Ledger
from refunds.ledger.hourly_count import DynamoDbHourlyCounter
from refunds.ledger.queries import LedgerQueries
from refunds.ledger.shards import day_of, open_partition
from tests.emulators.account import INDEXES, Account
from tests.emulators.everywhere import everywhere
from tests.template.expanded import Expanded
from tests.unit.ledger.conftest import NOON, new_entry, outcome, parked

BY = Actor("kim", "arn:aws:iam::000000000000:user/kim", "asked by phone")


@dataclass
class Books:
    """A ledger, its queries and its table."""

    account: Account
    table: str
    listening: list[tuple[str, Callable[..., None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        client = self.account.dynamodb
        self.client: Any = client
        self.ledger = Ledger(client, self.table, clock=lambda: NOON, ttl_days=400)
        self.queries = LedgerQueries(client, self.table, ["payment_cancel", "order_cancel"])

    def item(self, pk: str) -> dict[str, Any] | None:
        """An item as it is stored."""
        answer = self.client.get_item(TableName=self.table, Key={"pk": {"S": pk}}, ConsistentRead=True)
        found: dict[str, Any] | None = answer.get("Item")
        return found

    def pages_of(self, items: int) -> None:
        """Let a page of a query have no more items."""

        def limited(params: dict[str, Any], **_: object) -> None:
            params["Limit"] = items

        self.listen("provide-client-params.dynamodb.Query", limited)

    def listen(self, event: str, handler: Callable[..., None]) -> None:
        """Hand an event of the client over, until the test ends: others use the client after it."""
        self.client.meta.events.register(event, handler)
        self.listening.append((event, handler))

    def stop_listening(self) -> None:
        """The client is as it was."""
        for event, handler in self.listening:
            self.client.meta.events.unregister(event, handler)

    def update(self, pk: str, expression: str, **said: Any) -> None:
        """One raw update."""
        self.client.update_item(
            TableName=self.table, Key={"pk": {"S": pk}}, UpdateExpression=expression, **said
        )


@pytest.fixture
def books(account: Account) -> Iterator[Books]:
    """An empty table."""
    found = Books(account, account.table())
    yield found
    found.stop_listening()


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


@everywhere()
def test_a_refused_claim_shows_the_item_that_is_there(books: Books) -> None:
    """`ReturnValuesOnConditionCheckFailure`: no second read, which might see another one."""
    first = books.ledger.claim(new_entry())
    asked: list[str] = []
    books.listen("before-call.dynamodb", lambda model, **_: asked.append(model.name))
    with pytest.raises(AlreadyClaimed) as refused:
        books.ledger.claim(new_entry(owner="f" * 32))
    assert refused.value.entry == first
    assert asked == ["PutItem"]


@everywhere()
def test_who_was_taken_over_records_nothing(books: Books) -> None:
    """The refused update changes nothing, and the winner's item is what it says."""
    old = books.ledger.claim(new_entry())
    winner = books.ledger.take_over(old, owner="e" * 32, lease_until=NOON + 300)
    before = books.item(str(old.key))
    with pytest.raises(Fenced, match="taken over"):
        books.ledger.record(old, State.SUCCEEDED, outcome(old), in_doubt=False, proof="late")
    assert books.item(str(old.key)) == before
    assert books.ledger.get(old.key) == winner


@everywhere()
def test_a_write_whose_answer_was_lost_is_recognised(books: Books) -> None:
    """Repeated as botocore repeats it, it is refused and found to be one's own."""
    entry = books.ledger.claim(new_entry())
    assert books.ledger.claim(new_entry()) == entry
    ended = books.ledger.record(entry, State.SUCCEEDED, outcome(entry), in_doubt=False, proof="seen")
    assert books.ledger.record(entry, State.SUCCEEDED, outcome(entry), in_doubt=False, proof="seen") == ended


@everywhere()
def test_a_conditional_update_makes_no_item(books: Books) -> None:
    """An item that has vanished stays away: nobody's condition is true of nothing."""
    entry = books.ledger.claim(new_entry())
    books.client.delete_item(TableName=books.table, Key={"pk": {"S": str(entry.key)}})
    with pytest.raises(Fenced, match="vanished"):
        books.ledger.record(entry, State.SUCCEEDED, outcome(entry), in_doubt=False, proof="seen")
    assert books.item(str(entry.key)) is None


@everywhere(moto="keeps a number as it was written")
def test_an_unconditional_update_makes_the_item(books: Books) -> None:
    """Of its key and what is set; a number has lost the zeros at its end (API_AttributeValue, `N`)."""
    books.update(
        "new",
        "SET #a = :a REMOVE #b ADD #n :n",
        ExpressionAttributeNames={"#a": "a", "#b": "b", "#n": "n"},
        ExpressionAttributeValues={":a": {"S": "x"}, ":n": {"N": "1.50"}},
    )
    assert books.item("new") == {"pk": {"S": "new"}, "a": {"S": "x"}, "n": {"N": "1.5"}}


@everywhere()
def test_an_update_may_only_remove(books: Books) -> None:
    """An absent item that only loses something is made of its key."""
    books.update("new", "REMOVE gone")
    assert books.item("new") == {"pk": {"S": "new"}}


@everywhere()
def test_a_list_is_appended_to_where_there_is_one(books: Books) -> None:
    """Without `if_not_exists`, an absent list is refused ("Update expressions")."""
    append = {
        "ExpressionAttributeNames": {"#l": "lines"},
        "ExpressionAttributeValues": {":line": {"L": [{"S": "x"}]}},
    }
    with pytest.raises(ClientError) as refused:
        books.update("list", "SET #l = list_append(#l, :line)", **append)
    assert code(refused) == "ValidationException"
    assert books.item("list") is None


@everywhere()
def test_an_audit_trail_is_read_in_its_order(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """`list_append` with `if_not_exists` makes the list, and a full item is followed by another one."""
    monkeypatch.setattr(audit, "_LINES", 2)
    trail = AuditTrail(books.account.dynamodb, books.table, clock=lambda: NOON, ttl_days=400)
    for number in range(5):
        trail.append("payment_cancel#cr-1", BY, f"replay {number}")
    lines = trail.of("payment_cancel#cr-1")
    assert [line.split()[2] for line in lines] == ["0", "1", "2", "3", "4"]
    assert books.item("audit#payment_cancel#cr-1#3") is not None


@everywhere()
def test_an_entry_is_held_by_one_request(books: Books) -> None:
    """Whoever holds it holds it again; nobody else gets it."""
    first, second = (books.ledger.claim(new_entry(number)) for number in (1, 2))
    held = [books.ledger.hold_entry(entry, "portone", "imp_1", "e-1") for entry in (first, second, first)]
    assert held == [True, False, True]


@everywhere()
def test_keys_come_page_by_page(books: Books) -> None:
    """In order, each once, from behind any key, whether or not an item has it."""
    entries = [books.ledger.claim(new_entry(number)) for number in range(1, 8)]
    books.pages_of(3)
    keys = sorted(str(entry.key) for entry in entries)
    found = books.queries.of_payment("imp_448280090641")
    assert sorted(str(entry.key) for entry in found) == keys
    (day,) = {
        partition
        for partition in books.queries.day_partitions(day_of(NOON))
        if any(key == entries[0].key for key in books.queries.keys_in(partition))
    }
    in_day = list(books.queries.keys_in(day))
    behind = Key("payment_cancel", f"{in_day[0].cancel_request_id}-")
    assert in_day == sorted(in_day, key=str)
    assert list(books.queries.keys_in(day, behind)) == in_day[1:]
    assert len(books.ledger.siblings(entries[0]).open_amounts) == 6


@everywhere(moto="says nothing of a page that is full and the last one")
def test_a_full_page_has_a_last_key(books: Books) -> None:
    """Also where nothing follows: only a page without one is the last (API_Query, `LastEvaluatedKey`)."""
    books.ledger.claim(new_entry())
    books.pages_of(1)
    page = books.client.query(
        TableName=books.table,
        IndexName="by_order",
        KeyConditionExpression="#a = :v",
        ExpressionAttributeNames={"#a": "order_id"},
        ExpressionAttributeValues={":v": {"S": "ORD20261121004"}},
    )
    keys = {"pk": {"S": "payment_cancel#cr-1"}, "order_id": {"S": "ORD20261121004"}}
    assert page["Items"] == [keys]
    assert page["LastEvaluatedKey"] == keys


@everywhere()
def test_what_is_open_is_found_and_what_ends_leaves(books: Books) -> None:
    """The sparse index has what is open only: the attribute is removed with the end."""
    entry = books.ledger.claim(new_entry())
    entry = books.ledger.record(entry, State.PARKED, parked(entry), in_doubt=True, proof="nobody knows")
    assert [one.key for one in books.queries.open_entries()] == [entry.key]
    assert (books.item(str(entry.key)) or {})["open"] == {"S": open_partition(str(entry.key))}
    books.ledger.record(entry, State.SUCCEEDED, outcome(entry), in_doubt=False, proof="seen")
    assert list(books.queries.open_entries()) == []
    assert [one.key for one in books.queries.find("ORD20261121004")] == [entry.key]


@everywhere()
def test_an_hour_is_counted_by_one_update(books: Books) -> None:
    """A request counts once: its second update is refused, and the old item says why."""
    counter = DynamoDbHourlyCounter(books.account.dynamodb, books.table, "payment_cancel", clock=lambda: NOON)
    limits = Limits(per_hour=3, amount_per_hour={"KRW": Decimal(2500), "USD": Decimal("20.50")})
    won, dollars = Money(Decimal(1000), "KRW"), Money(Decimal("10.25"), "USD")
    keys = [Key("payment_cancel", f"cr-{number}") for number in range(5)]
    assert [counter.add(won, limits, keys[0]) for _ in range(3)] == [True] * 3
    assert counter.add(won, limits, keys[1])
    assert not counter.add(won, limits, keys[2])
    assert counter.add(dollars, limits, keys[3])
    assert not counter.add(dollars, limits, keys[4])


@everywhere()
def test_an_item_beyond_400_kb_is_refused(books: Books) -> None:
    """The claim fails and nothing is stored: nothing was sent either."""
    with pytest.raises(ClientError) as refused:
        books.ledger.claim(new_entry(request={"imp_uid": "imp_1", "extra": "고" * 150_000}))
    assert code(refused) == "ValidationException"
    assert books.item("payment_cancel#cr-1") is None


@everywhere()
def test_an_item_does_not_grow_beyond_400_kb(books: Books) -> None:
    """An update that would make it larger is refused and changes nothing."""
    grow = "SET #x = list_append(if_not_exists(#x, :none), :more)"
    said = {
        "ExpressionAttributeNames": {"#x": "x"},
        "ExpressionAttributeValues": {":none": {"L": []}, ":more": {"L": [{"S": "x" * 250_000}]}},
    }
    books.update("large", grow, **said)
    with pytest.raises(ClientError) as refused:
        books.update("large", grow, **said)
    assert code(refused) == "ValidationException"
    assert len((books.item("large") or {})["x"]["L"]) == 1


def large_items(books: Books) -> list[str]:
    """Keys of items that are together more than one answer has."""
    names = [f"large-{number:02}" for number in range(45)]
    for name in names:
        item = {"pk": {"S": name}, "x": {"S": "x" * 390_000}}
        books.client.put_item(TableName=books.table, Item=item)
    return names


@everywhere(ministack="gives any number of bytes at once")
def test_16_mb_end_an_answer(books: Books) -> None:
    """The rest comes back as `UnprocessedKeys`, and reading goes on with it (API_BatchGetItem)."""
    names = large_items(books)
    answers: list[dict[str, Any]] = []
    books.listen("after-call.dynamodb.BatchGetItem", lambda parsed, **_: answers.append(parsed))
    items = BatchReader(books.account.dynamodb, books.table, pause=lambda _: None).items(names)
    assert sorted(item["pk"]["S"] for item in items) == names
    assert [bool(answer["UnprocessedKeys"]) for answer in answers] == [True, False]


@everywhere()
def test_a_key_is_read_once_however_often_it_is_named(books: Books) -> None:
    """Repeated keys are refused by DynamoDB, and more than a hundred too: the reader sends neither."""
    books.ledger.claim(new_entry())
    names = ["payment_cancel#cr-1"] * 2 + [f"absent-{number}" for number in range(120)]
    items = BatchReader(books.account.dynamodb, books.table).items(names)
    assert [item["pk"]["S"] for item in items] == ["payment_cancel#cr-1"]
    for keys in (names[:2], names[1:102]):
        with pytest.raises(ClientError) as refused:
            books.client.batch_get_item(
                RequestItems={books.table: {"Keys": [{"pk": {"S": key}} for key in keys]}}
            )
        assert code(refused) == "ValidationException"


@everywhere(moto="calls it ResourceNotFoundException")
def test_an_index_that_is_not_there_is_refused(books: Books) -> None:
    """Not taken for an empty one."""
    with pytest.raises(ClientError) as refused:
        books.client.query(
            TableName=books.table,
            IndexName="by_nothing",
            KeyConditionExpression="#a = :v",
            ExpressionAttributeNames={"#a": "day"},
            ExpressionAttributeValues={":v": {"S": "x"}},
        )
    assert code(refused) == "ValidationException"


@everywhere()
@pytest.mark.parametrize(
    "said",
    [
        {
            "ExpressionAttributeNames": {"#a": "a"},
            "ExpressionAttributeValues": {":x": {"S": ""}, ":y": {"S": ""}},
        },
        {"ExpressionAttributeNames": {"#a": "a", "#b": "b"}, "ExpressionAttributeValues": {":x": {"S": ""}}},
        {"ExpressionAttributeNames": {"#a": "a"}, "ExpressionAttributeValues": {":y": {"S": ""}}},
        {"ExpressionAttributeNames": {"#a": "pk"}, "ExpressionAttributeValues": {":x": {"S": "other"}}},
    ],
    ids=["unused value", "unused name", "unknown value", "the key"],
)
def test_an_expression_that_does_not_fit_is_refused(books: Books, said: dict[str, Any]) -> None:
    """Names and values are all used and all given, and a key stays what it is."""
    with pytest.raises(ClientError) as refused:
        books.update("odd", "SET #a = :x", **said)
    assert code(refused) == "ValidationException"


@everywhere(ministack="carries out both")
def test_one_attribute_is_changed_once(books: Books) -> None:
    """Two paths of one update never overlap ("Update expressions")."""
    with pytest.raises(ClientError) as refused:
        books.update(
            "odd",
            "SET #a = :x REMOVE #a",
            ExpressionAttributeNames={"#a": "a"},
            ExpressionAttributeValues={":x": {"S": "x"}},
        )
    assert code(refused) == "ValidationException"


def test_the_table_is_the_templates(expanded: Expanded) -> None:
    """What is tried here is the table that is deployed."""
    table = expanded.properties("LedgerTable")
    indexes = {
        index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]]
        for index in table["GlobalSecondaryIndexes"]
    }
    assert table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert indexes == {index: [key, "pk"] for index, key in INDEXES.items()}
    assert {str(index["Projection"]) for index in table["GlobalSecondaryIndexes"]} == {
        "{'ProjectionType': 'KEYS_ONLY'}"
    }
