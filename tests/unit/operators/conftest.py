from __future__ import annotations

from collections.abc import Iterator

import pytest

from refunds.cancel_types import all_cancel_types
from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.operations import Operations
from refunds.settings import Settings
from tests.unit.rig import DLQ_URL, QUEUE_URL, Rig


@pytest.fixture
def operations(rig: Rig) -> Iterator[Operations]:
    """An operator's operators in the rig's account."""
    all_queues = tuple(CancelQueues(kind.policy, QUEUE_URL, DLQ_URL) for kind in all_cancel_types())
    settings = Settings.from_environment(rig.environment)
    with Operations(make_aws_client=rig.aws.connect, settings=settings, all_queues=all_queues) as made:
        yield made
