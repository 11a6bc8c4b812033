from __future__ import annotations

import json
from typing import Any

import pytest

from local.trigger import envelope, record
from refunds.domain.disposition import Disposition, Reason, Redeliver
from refunds.errors import ErrorCode, NotProcessed
from refunds.messaging.message import Message, Origin
from refunds.service.parts import Delivery
from tests.unit.messaging.parts import POLICY, Asked, Service, bench, without
from tests.unit.rig import DLQ_URL, Wanted

OWN = Origin("order-service", "111122223333")


def again(_asked: Asked, _delivery: Delivery) -> Disposition:
    return Redeliver(Reason(ErrorCode.PROVIDER_UNAVAILABLE, "not now"))


def odd(wanted: Wanted) -> list[tuple[str, object]]:
    """Records as people write them, each with a name."""
    good = record(wanted.body)
    attributes = good["attributes"]
    return [
        ("without messageId", without(good, "messageId")),
        ("empty messageId", {**good, "messageId": ""}),
        ("without attributes", without(good, "attributes")),
        ("attributes that are none", {**good, "attributes": None}),
        ("attributes that are a list", {**good, "attributes": []}),
        ("an empty count", {**good, "attributes": {**attributes, "ApproximateReceiveCount": ""}}),
        ("a count in words", {**good, "attributes": {**attributes, "ApproximateReceiveCount": "many"}}),
        ("a count beyond sense", {**good, "attributes": {**attributes, "ApproximateReceiveCount": 1e400}}),
        ("a negative count", {**good, "attributes": {**attributes, "ApproximateReceiveCount": "-4"}}),
        ("without messageAttributes", without(good, "messageAttributes")),
        ("messageAttributes that are text", {**good, "messageAttributes": "held_since"}),
        (
            "an attribute of another kind",
            {**good, "messageAttributes": {"held_since": {"binaryValue": "MQ=="}}},
        ),
        ("an attribute that is a number", {**good, "messageAttributes": {"held_since": 5}}),
        ("without receiptHandle", without(good, "receiptHandle")),
        ("a body that is an object", {**good, "body": wanted.detail}),
        ("a body that is an envelope", {**good, "body": envelope(wanted.detail)}),
    ]


@pytest.mark.parametrize("place", range(16), ids=[name for name, _ in odd(Wanted())])
def test_a_record_made_by_hand_is_carried_out(place: int) -> None:
    """What is missing or odd about a record takes neither it nor its neighbours down."""
    before, wanted, after = Wanted("imp_1"), Wanted("imp_2"), Wanted("imp_3")
    _, strange = odd(wanted)[place]
    with bench() as one:
        assert one.batch(record(before.body), strange, record(after.body)) == []
    assert one.told == dict.fromkeys((before.key, wanted.key, after.key), "succeeded")


@pytest.mark.parametrize(
    "strange", [None, 5, "text", [], {}, {"body": []}, {"body": 5}, {"body": ""}, {"body": {}}]
)
def test_what_is_no_record_is_moved_away(strange: object) -> None:
    """What says nothing goes to the DLQ as JSON text, and its neighbours are carried out."""
    wanted = Wanted()
    with bench() as one:
        assert one.batch(strange, record(wanted.body)) == []
    assert one.told == {wanted.key: "succeeded"}
    (moved,) = one.queues.sent
    assert moved["QueueUrl"] == DLQ_URL
    assert moved["MessageBody"]
    json.loads(moved["MessageBody"])
    assert moved["MessageAttributes"]["error_code"]["StringValue"] == "INVALID_REQUEST"


def test_who_cannot_be_named_takes_the_batch_along() -> None:
    """A record that must come again and has no messageId fails the whole batch, after all were processed."""
    wanted, nameless = Wanted("imp_1"), Wanted("imp_2")

    def process(asked: Asked, delivery: Delivery) -> Disposition:
        return (
            again(asked, delivery)
            if asked.cancel_request_id == nameless.key
            else service.first(asked, delivery)
        )

    class Mixed(Service):
        first = staticmethod(Service().process)

    service = Mixed(process=process)
    with bench(service) as one:
        with pytest.raises(NotProcessed, match="messageId"):
            one.batch(without(record(nameless.body), "messageId"), record(wanted.body))
        assert one.told == {wanted.key: "succeeded"}


def test_two_records_of_one_message_id() -> None:
    """Two records that carry one id are two records."""
    first, second = Wanted("imp_1"), Wanted("imp_2")
    records = [record(wanted.body, message_id="same") for wanted in (first, second)]
    with bench() as one:
        assert one.batch(*records) == []
    assert one.told.keys() == {first.key, second.key}


def test_nothing_is_hidden_without_a_receipt() -> None:
    """A record without receipt handle cannot be hidden, and SQS is not asked to."""
    message = without(record(Wanted().body), "receiptHandle")
    with bench(Service(process=again)) as one:
        assert one.batch(message) == [message["messageId"]]
    assert one.queues.hidden == {}


@pytest.mark.parametrize("name", ["source", "account"])
def test_a_foreign_envelope_is_refused_and_told(name: str) -> None:
    """An envelope of another source or account is moved away and told, and not carried out."""
    wanted, own = Wanted("imp_1"), Wanted("imp_2")
    good = {**envelope(own.detail), "account": "111122223333"}
    foreign = {**envelope(wanted.detail), "account": "111122223333", name: "somebody-else"}
    begun: list[str] = []
    with bench(origin=OWN) as one:
        do = one.service.process

        def process(asked: Asked, delivery: Delivery) -> Disposition:
            begun.append(asked.cancel_request_id)
            return do(asked, delivery)

        one.service.process = process
        assert one.batch(record(json.dumps(foreign)), record(json.dumps(good))) == []
    assert one.told == {wanted.key: "parked", own.key: "succeeded"}
    assert begun == [own.key]
    (attributes,) = one.queues.attributes()
    assert attributes["error_code"] == "INVALID_REQUEST"
    assert name in attributes["error_message"]
    assert "somebody-else" not in attributes["error_message"]


def test_a_foreign_event_that_failed_before() -> None:
    """The wrapping of a Lambda destination hides no foreign account."""
    event = {**envelope(Wanted().detail), "account": "999999999999"}
    wrapped = {"requestContext": {}, "requestPayload": event}
    assert Message.of(POLICY, record(json.dumps(wrapped)), OWN).reading.error is not None
    assert Message.of(POLICY, record(json.dumps(wrapped))).reading.error is None


def test_bare_details_have_no_origin() -> None:
    """A detail without an envelope, and an envelope without source and account, are carried out."""
    bare, partial = Wanted("imp_1"), Wanted("imp_2")
    enveloped = without(envelope(partial.detail), "source", "account")
    with bench(origin=OWN) as one:
        assert one.batch(record(bare.body), record(json.dumps(enveloped))) == []
    assert one.told == dict.fromkeys((bare.key, partial.key), "succeeded")


def test_a_dead_letter_of_another_type_is_not_carried_out() -> None:
    """A dead letter in another type's queue is moved away as what it is, and nothing is told."""
    wanted = Wanted()
    strange: dict[str, Any] = record(wanted.body)
    strange["messageAttributes"] = {"cancel_type": {"stringValue": "vbank_revoke", "dataType": "String"}}
    with bench() as one:
        assert one.batch(strange) == []
    assert one.told == {}
    (attributes,) = one.queues.attributes()
    assert attributes["cancel_type"] == "vbank_revoke"
    assert "vbank_revoke" in attributes["error_message"]


def test_a_single_event_that_utf8_does_not_know() -> None:
    """An event with a lone surrogate reaches the DLQ escaped, and any other in as few bytes as it takes."""
    assert Message.of_event(POLICY, {"reason": "\ud800"}).body == '{"reason": "\\ud800"}'
    assert Message.of_event(POLICY, {"reason": "변심"}).body == '{"reason": "변심"}'
