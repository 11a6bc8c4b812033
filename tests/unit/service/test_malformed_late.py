from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from refunds.domain.disposition import DeadLetter, Publish, Redeliver
from refunds.domain.entry import State
from refunds.errors import InvalidRequest
from tests.unit.service.world import Gateway, World, wanted

PARTIAL: Any = {"amount": 3_000}
INVALID = ("parked", "INVALID_REQUEST", False)


def _refuse(*_: Any, **__: Any) -> Any:
    raise InvalidRequest("tier is not three capital letters or digits")


def test_what_cannot_be_written_is_refused_before_the_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wire request is built first: told, not in the ledger, and the id is not burnt."""
    world = World()
    monkeypatch.setattr(world.portone, "check", _refuse)
    assert isinstance(world.deliver(wanted(**PARTIAL)), Publish)
    assert world.told() == [INVALID]
    assert world.ledger.items == {}
    monkeypatch.undo()
    world.deliver(wanted(amount=2_000))
    assert world.told() == [INVALID, ("succeeded", None, None)]


@pytest.mark.parametrize(
    ("plan", "told"), [("", INVALID), ("lose before", ("parked", "OUTCOME_UNKNOWN", True))]
)
def test_an_invalid_request_found_by_the_client_parks_and_is_told(
    plan: str, told: tuple[str, str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However late it is found, there is an outcome; in doubt only if an earlier attempt was."""
    world = World((Gateway(answers=[plan] if plan else []),))
    if plan:
        world.deliver(wanted(**PARTIAL))
    monkeypatch.setattr(world.portone, "cancel", _refuse)
    disposition = world.deliver(wanted(**PARTIAL))
    assert isinstance(disposition, Publish)
    assert disposition.dead_letter is not None
    assert world.told() == [told]
    assert world.item().state is State.PARKED


def test_an_invalid_request_at_a_restart_parks_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An item that provably sent nothing does not end silently in the DLQ."""
    world = World((Gateway(answers=["취소금액이 미정산 금액보다 큽니다"]),))
    assert isinstance(world.deliver(wanted(**PARTIAL)), Redeliver)
    monkeypatch.setattr(world.portone, "check", _refuse)
    world.deliver(wanted(**PARTIAL))
    assert world.told() == [INVALID]
    monkeypatch.undo()
    world.deliver(wanted(amount=2_000))
    assert world.told() == [INVALID, ("succeeded", None, None)]
    assert world.gateway.refunded == 2_000


def test_a_state_of_a_newer_version_is_left_alone() -> None:
    """Nothing is sent or written for an item that this version cannot read; others go on."""
    world = World((Gateway(answers=["lose before"]),))
    world.deliver(wanted(**PARTIAL))
    entry = replace(world.item(), state=State.of("HALF_WAY"))
    world.ledger.items[entry.key] = entry
    assert entry.state is State.UNKNOWN
    assert not entry.state.terminal
    assert isinstance(world.deliver(wanted(**PARTIAL)), Redeliver)
    assert isinstance(world.deliver(wanted(**PARTIAL), final=True), DeadLetter)
    assert world.ledger.items[entry.key] is entry
    assert len(world.gateway.sent) == 1
