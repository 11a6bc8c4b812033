from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.unit.rig import Rig, running_rig

# No example fails because the machine is slow.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def _running_rig() -> Iterator[Rig]:
    with running_rig() as rig:
        yield rig


@pytest.fixture
def rig(_running_rig: Rig) -> Rig:
    """Whole functions over an empty account and an empty world."""
    _running_rig.reset()
    return _running_rig
