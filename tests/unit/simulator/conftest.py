from __future__ import annotations

import pytest

from local.simulator import World
from tests.unit.simulator.caller import Caller, ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def world(clock: ManualClock) -> World:
    return World(clock=clock)


@pytest.fixture
def caller(world: World) -> Caller:
    caller = Caller(world)
    caller.fetch_token()
    world.requests.clear()
    return caller
