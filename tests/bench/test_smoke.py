"""One function of the benchmark, built and run as it measures it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.deployment import OURS, deploy
from bench.events import Orders
from bench.measure import Bench
from bench.simulation import World


@pytest.mark.skipif(sys.platform != "linux", reason="Lambda's emulator is a program for Linux")
def test_calls_of_a_warm_batch(tmp_path: Path) -> None:
    """Ten refunds take two ledger writes and a call each, one publication, and connections that are kept."""
    with World(tmp_path) as world:
        deployment = deploy(tmp_path / "layers", world.environment, world.authority, [OURS])
        bench = Bench(world, deployment.functions, tmp_path)
        seen = bench.warm([OURS], Orders(), rounds=1, burst=2)[OURS].seen
        looked = bench.warm([OURS], Orders(checksum=False), rounds=1, burst=2)[OURS].seen
    assert {name: count for name, count in seen.requests["aws"].items() if count} == {
        "PutItem": 10,
        "UpdateItem": 10,
        "PutEvents": 1,
    }
    assert {name: count for name, count in seen.requests["provider"].items() if count} == {"cancel": 10}
    # How many of the ten are outside at the same moment is chance; one at least has a connection already.
    assert all(seen.connections[side] < 10 for side in ("aws", "provider"))
    assert looked.calls("provider") == 20
