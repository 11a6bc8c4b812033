from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.fakes import messaging
from tests.privacy.planted import SECRET
from tests.unit.rig import Rig, running_rig


@pytest.fixture(scope="session")
def _planted_rig() -> Iterator[Rig]:
    with running_rig() as rig:
        secrets = rig.aws.services[messaging.SECRETS_TARGET]
        assert isinstance(secrets, messaging.Secrets)
        secrets.text = json.dumps(SECRET)
        yield rig


@pytest.fixture
def rig(_planted_rig: Rig) -> Rig:
    """An empty account and an empty world, with a secret that holds everything it can hold."""
    _planted_rig.reset()
    return _planted_rig
