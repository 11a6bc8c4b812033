from __future__ import annotations

import pytest

from tests.unit.refundctl.station import Station


@pytest.fixture
def station(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Station:
    """A deployment in memory, and a terminal that talks to it."""
    return Station(capsys, monkeypatch)
