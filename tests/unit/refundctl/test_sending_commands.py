"""Carrying waiting messages over, as an operator types it."""

from __future__ import annotations

import pytest

from refunds.operators.pause import Sending, SendingSwitch, Switched
from tests.unit.refundctl.station import Station

DAY = 86_400.0


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every queue is paused."""
    _stands(monkeypatch, Sending.PAUSED)


def _stands(monkeypatch: pytest.MonkeyPatch, state: Sending) -> None:
    monkeypatch.setattr(
        SendingSwitch, "state", lambda _, all_queues: [Switched(one.cancel_type, state) for one in all_queues]
    )


@pytest.mark.usefixtures("paused")
def test_what_waits_is_told_before_anything_is_done(station: Station) -> None:
    """Without --yes nothing is received, and nothing is sent."""
    station.queue().put("m-1", age=3 * DAY)
    rows = station.rows("carry-over", "-t", "payment_cancel").of("waiting")
    assert rows == [{"type": "waiting", "cancel_type": "payment_cancel", "state": "paused", "messages": 1}]
    assert (list(station.queue().messages), station.queue().sent) == (["m-1"], [])


@pytest.mark.usefixtures("paused")
def test_waiting_messages_are_carried_over(station: Station) -> None:
    """Those that are old enough, of every type, and each is counted."""
    station.queue().put("old", "first", age=3 * DAY)
    station.queue().put("young", "second", age=60)
    station.queue("cvs_revoke").put("old", "third", age=3 * DAY)
    rows = station.rows("carry-over", "--older-than", "2d", "--yes").of("carried_over")
    counts = {row["cancel_type"]: row["messages"] for row in rows if row["messages"]}
    assert counts == {"payment_cancel": 1, "cvs_revoke": 1}
    assert station.queue().sent == ["first"]
    assert station.queue("cvs_revoke").sent == ["third"]
    assert "Carried over" in station.run("carry-over", "--yes").words


def test_a_queue_that_is_not_paused_is_left_alone(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its function receives the messages itself."""
    _stands(monkeypatch, Sending.ENABLED)
    station.queue().put("m-1", age=3 * DAY)
    ran = station.run("carry-over", "--yes")
    assert ran.code == 1
    assert "payment_cancel: not paused" in ran.err
    assert station.queue().sent == []


@pytest.mark.usefixtures("paused")
def test_what_is_not_shown_is_told(station: Station) -> None:
    """Exit code 4: it is to be typed again."""
    queue = station.queue()
    queue.put("m-1", age=3 * DAY)
    queue.most_in_flight = 0
    ran = station.run("carry-over", "-t", "payment_cancel", "--yes")
    assert ran.code == 4
    assert "did not show about 1 messages" in ran.words
