from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from refundctl.actions.dead_letters import find
from refunds.contracts.fingerprint import fingerprint
from refunds.domain.entry import State
from refunds.errors import ErrorCode
from refunds.ledger.audit import Actor
from refunds.operators.dead_letters import Selection
from refunds.operators.replay import Judged, Replay
from tests.unit.operators.requests import dead_letter
from tests.unit.refundctl.station import Station, detail

_BY_KIM = ("--by", "kim", "--reason", "not wanted, ticket 4711")
_YES = ("--no-ask", "--yes", "--reason", "ticket 4711")


def test_the_list_is_typed(station: Station) -> None:
    """Ages are numbers, times are ISO 8601 in UTC, counts are numbers."""
    station.park()
    ran = station.rows("dlq", "list")
    (message,), (group,) = ran.of("message"), ran.of("group")
    assert message["age_seconds"] == 60
    assert message["sent_at"] == group["oldest"] == "2027-01-15T07:59:00Z"
    assert group["count"] == 1


@pytest.mark.parametrize(
    "words",
    [("--id", "cr-9"), ("--order", "O-9"), ("-e", "CRASHED"), ("--match", "nobody"), ("--older-than", "1d")],
)
@pytest.mark.parametrize("command", ["list", "replay"])
def test_a_filter_that_matches_nothing_is_an_error(
    station: Station, command: str, words: tuple[str, str]
) -> None:
    """It is named: a slip of the finger looks like an empty queue otherwise."""
    station.park()
    ran = station.rows("dlq", command, *words, code=1)
    (error,) = ran.of("error")
    assert error["error"] == "NothingMatches"
    assert "no messages match" in error["message"]
    assert words[1] in error["message"]


def test_an_id_that_matches_nothing_is_named_beside_one_that_does(station: Station) -> None:
    """The others are shown."""
    station.park()
    ran = station.rows("dlq", "list", "--id", "cr-1", "--id", "cr-9", code=1)
    assert [row["cancel_request_id"] for row in ran.of("message")] == ["cr-1"]
    assert ran.of("error")[0]["message"] == "no messages match --id cr-9"


def test_empty_queues_are_no_error(station: Station) -> None:
    """Nothing was asked for that is not there."""
    assert station.run("dlq", "list").out.strip() == "No dead letters."
    assert station.run("dlq", "list", "-t", "payment-cancel").code == 0
    assert station.run("dlq", "replay").out.strip() == "No messages match."


@pytest.mark.parametrize(
    "text",
    ["request.imp_uid=imp_cr-1", "request.amount=1000", "고객 변심", "WHY CR-1 IS HERE", "order_id=ORD-1"],
)
def test_messages_are_found_by_what_they_say(station: Station, text: str) -> None:
    """By a field of the event, or by words of it or of its reason."""
    station.park()
    station.park("cr-2", order_id="ORD-2", reason="x", request={"imp_uid": "imp_2", "amount": 5})
    ran = station.rows("dlq", "list", "--match", text)
    assert [row["cancel_request_id"] for row in ran.of("message")] == ["cr-1"]


def test_a_replay_empties_the_dead_letter_queue(station: Station) -> None:
    """Nothing is left: exit code 0, and the trail names who and why."""
    station.park()
    ran = station.rows("dlq", "replay", *_YES)
    assert (ran.of("replay")[0]["replayed"], ran.of("replay")[0]["left"]) == (1, 0)
    assert station.dlq().messages == {}
    assert "ticket 4711" in station.audit()[0]


def test_a_replay_says_what_it_leaves_and_what_to_type(station: Station) -> None:
    """Exit code 4; which messages, why, and the commands for them."""
    station.park()
    station.park("cr-2", "INVALID_REQUEST", request={"imp_uid": "imp_2", "amount": 0})
    ran = station.run("dlq", "replay", *_YES)
    assert ran.code == 4
    assert "1 replayed. 1 stayed in the dead-letter queue:" in ran.words
    assert "1 invalid" in ran.words
    assert "request.amount" in ran.words
    assert "refundctl dlq replay --id cr-2 --edit" in ran.words
    assert "refundctl dlq discard --id cr-2" in ran.words
    assert station.rows("dlq", "replay", *_YES, code=4).of("replay")[0]["left"] == 1


def test_an_interrupted_replay_says_how_far_it_came(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 130; the sum of what was done, and that the same command goes on."""
    station.park()
    station.park("cr-2")
    usual = Replay.run

    def until_ctrl_c(self: Replay, *arguments: object) -> Iterator[Judged]:
        judged = usual(self, *arguments)  # type: ignore[arg-type]
        yield next(judged)
        judged.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(Replay, "run", until_ctrl_c)
    ran = station.run("dlq", "replay", *_YES)
    assert ran.code == 130
    assert "Interrupted: 1 replayed, 0 looked at and left." in ran.words
    assert station.dlq().hidden() == set()


def test_a_look_that_is_incomplete_says_so(station: Station) -> None:
    """What SQS did not show may be what somebody looks for: exit code 4 after a replay."""
    station.park()
    station.park("cr-2")
    station.dlq().most_in_flight = 0
    ran = station.run("dlq", "replay", *_YES)
    assert ran.code == 4
    assert "Incomplete: SQS did not show about so many messages: payment_cancel 2." in ran.words


def test_a_patch_corrects_one_invalid_message(station: Station) -> None:
    """First it is told what would change, then it is replayed in its place."""
    station.park(code="INVALID_REQUEST", request={"imp_uid": "imp_1", "amount": 0})
    patch = ("dlq", "replay", "--id", "cr-1", "--patch", '{"request": {"amount": 3000}}')
    assert station.rows(*patch).of("repair")[0]["changed"] == ["request.amount"]
    assert station.rows(*patch, *_YES).of("repair")[0]["replayed"] is True
    assert station.dlq().messages == {}
    assert '"amount":3000' in station.queue().sent[0]


def test_a_patch_keeps_cents(station: Station) -> None:
    """A number with decimals is written as it was typed; a key twice is refused, as in a message."""
    station.park(code="INVALID_REQUEST", request={"imp_uid": "imp_1", "amount": 0}, currency="USD")
    patch = ("dlq", "replay", "--id", "cr-1", *_YES, "--patch")
    assert "appears twice" in station.run(*patch, '{"request": {"amount": 3, "amount": 5}}').words
    assert station.rows(*patch, '{"request": {"amount": 30.25}}').of("repair")[0]["replayed"] is True
    assert '"amount":30.25' in station.queue().sent[0]


def discard(key: str = "cr-1", *more: str) -> tuple[str, ...]:
    return ("dlq", "discard", "--id", key, *_BY_KIM, *more)


def test_discarding_is_told_before_it_is_done(station: Station) -> None:
    """Without --yes nothing is written, published or deleted."""
    station.park()
    ran = station.run(*discard())
    assert ran.code == 0
    assert "ends as failed, accounting is told" in ran.words
    assert "add --yes" in ran.words
    assert len(station.dlq().messages) == 1
    assert station.operators.tables.items["ledger"] == {}
    assert station.operators.told() == []


@pytest.mark.parametrize(
    "changes", [{}, {"request": {"imp_uid": "imp_1", "amount": 0}}], ids=["valid", "invalid"]
)
def test_a_discarded_request_ends_as_failed(station: Station, changes: dict[str, Any]) -> None:
    """Recorded, told with a final outcome in which nothing moved, noted, deleted: its id is used up."""
    station.park(code="INVALID_REQUEST" if changes else "PROVIDER_UNAVAILABLE", **changes)
    ran = station.rows(*discard("cr-1", "--yes"))
    assert [(row["removed"], row["told"]) for row in ran.of("discarded")] == [(True, True)]
    assert station.dlq().messages == {}
    assert station.operators.told() == [("cr-1", "failed")]
    (outcome,) = station.operators.bus.details()
    assert (outcome["money"]["cancelled"], outcome["error"]["may_have_been_applied"]) == (0, False)
    assert outcome["revision"] == 1
    entry = station.operators.entry()
    assert (entry.state, entry.unpublished) == (State.FAILED, False)
    assert "kim" in station.audit()[0]
    assert "discarded message m-cr-1" in station.audit()[0]


def test_what_may_have_moved_money_is_not_discarded(station: Station) -> None:
    """In doubt, pending, with a worker or carried out: nothing is written and the message stays."""
    operators = station.operators
    operators.park("cr-doubt")
    operators.pend("cr-pending")
    operators.succeed("cr-done")
    operators.claim("cr-leased", in_doubt=False, lease_until=operators.now + 60)
    for key in ("cr-doubt", "cr-pending", "cr-done", "cr-leased"):
        entry = operators.entry(key)
        station.park(key)
        operators.spoil(f"payment_cancel#{key}", fingerprint=_fingerprint(key))
        told = len(operators.told())
        ran = station.rows(*discard(key, "--yes"), code=4)
        assert [row["removed"] for row in ran.of("discarded")] == [False], key
        assert f"m-{key}" in station.dlq().messages
        assert operators.entry(key).revision == entry.revision
        assert len(operators.told()) == told


def _fingerprint(key: str) -> dict[str, str]:
    cancellation = dead_letter(json.dumps(detail(key))).reading.cancellation
    assert cancellation is not None
    return {"S": fingerprint("payment_cancel", cancellation)}


def test_a_parked_request_of_which_nothing_was_sent_can_be_discarded(station: Station) -> None:
    """It ends by the operator's word, with the code that its message has."""
    station.operators.park("cr-1", ErrorCode.LIMIT_EXCEEDED, in_doubt=False)
    station.operators.spoil("payment_cancel#cr-1", fingerprint=_fingerprint("cr-1"))
    station.park(code="LIMIT_EXCEEDED")
    station.rows(*discard("cr-1", "--yes"))
    assert station.operators.told()[-1] == ("cr-1", "failed")
    assert station.operators.bus.details()[-1]["error"]["code"] == "LIMIT_EXCEEDED"
    assert station.dlq().messages == {}


def test_another_payload_under_a_used_id_goes_without_a_word(station: Station) -> None:
    """What accounting knows of that id stays true."""
    station.operators.succeed("cr-1")
    station.park(code="DUPLICATE_KEY_DIFFERENT_PAYLOAD")
    ran = station.rows(*discard("cr-1", "--yes"))
    assert [(row["removed"], row["told"]) for row in ran.of("discarded")] == [(True, False)]
    assert station.operators.told() == []
    assert station.operators.entry().state is State.SUCCEEDED
    assert len(station.audit()) == 1


def test_another_payload_waits_for_what_its_id_stands_for(station: Station) -> None:
    """While that may have moved money, nothing under its id is thrown away."""
    station.operators.park("cr-1")
    station.park(code="DUPLICATE_KEY_DIFFERENT_PAYLOAD")
    station.rows(*discard("cr-1", "--yes"), code=4)
    assert len(station.dlq().messages) == 1


def test_a_message_that_says_nothing_is_noted_by_its_own_id(station: Station) -> None:
    """There is nobody to tell accounting about."""
    station.dlq().put("m-1", "not JSON")
    ran = station.rows(*discard("m-1", "--yes"))
    assert [(row["removed"], row["told"]) for row in ran.of("discarded")] == [(True, False)]
    assert len(station.operations.audit.of("payment_cancel#message m-1")) == 1


def test_a_discard_that_dies_after_the_record_goes_on_when_repeated(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request has ended, accounting is still to be told: the second time tells it and deletes."""
    station.park()
    monkeypatch.setattr(type(station.operations.resolver), "publish", _die)
    with pytest.raises(RuntimeError):
        station.run(*discard("cr-1", "--yes"))
    assert station.operators.entry().unpublished
    assert len(station.dlq().messages) == 1
    monkeypatch.undo()
    discarding, (message,) = station.operations.discarding, list(station.dlq().messages)
    (found,) = find(station.operations, station.operations.all_queues, Selection(ids=frozenset({message})))
    assert discarding.discard(found, Actor("kim", "kim", "again")).removed
    assert station.operators.told() == [("cr-1", "failed")]


def _die(*_: object) -> None:
    raise RuntimeError("the process dies here")


def test_messages_are_gone_through_one_by_one(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replayed, skipped and discarded as it is typed; what is left ends with exit code 4."""
    for key in ("cr-1", "cr-2", "cr-3"):
        station.park(key)
    answers = iter(["m", "r", "s", "d"])
    monkeypatch.setattr("refundctl.actions.stepping.typer.prompt", lambda *_, **__: next(answers))
    ran = station.run("dlq", "replay", "--step", "--no-ask", *_BY_KIM)
    assert ran.code == 4
    assert "1 replayed, 1 discarded, 1 left." in ran.words
    assert set(station.dlq().messages) == {"m-cr-2"}
    assert len(station.queue().sent) == 1
    assert station.operators.told() == [("cr-3", "failed")]


def test_an_interrupted_walk_says_how_far_it_came(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at the question: what was done is done."""
    station.park()
    station.park("cr-2")
    answers = iter(["r"])

    def prompt(*_: object, **__: object) -> str:
        if (answer := next(answers, None)) is None:
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr("refundctl.actions.stepping.typer.prompt", prompt)
    ran = station.run("dlq", "replay", "--step", "--no-ask", *_BY_KIM)
    assert ran.code == 130
    assert "1 replayed, 0 discarded, 1 left." in ran.words
