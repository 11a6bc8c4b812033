from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from refunds.loading import collector_at_rest, lambda_function

FUNCTIONS = Path(__file__).parents[2] / "functions"
REFUNDS = ("payment_cancel", "vbank_revoke", "cvs_revoke", "receipt_revoke", "order_cancel")

LOADED = """
import gc, sys

import refunds.loading

collections = []
gc.callbacks.append(lambda phase, _info: collections.append(phase))
sys.path.insert(0, {folder!r})
import app
assert not collections, "garbage was collected while the function was loaded"
assert gc.isenabled(), "the collector does not work any more"
assert gc.get_freeze_count() > 10_000, "what was loaded is looked at by every collection"
"""


class Node:
    """Part of a cycle."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.parametrize("name", REFUNDS)
def test_nothing_is_collected_while_a_function_is_loaded(name: str) -> None:
    """Loading a function's modules runs no collection, and none looks at them later."""
    code = LOADED.format(folder=str(FUNCTIONS / name))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("collecting", [True, False])
def test_the_collector_is_left_as_it_was_found(collecting: bool) -> None:  # noqa: FBT001 - a parameter
    """Also when loading fails, which is the next one's concern."""
    (gc.enable if collecting else gc.disable)()
    with pytest.raises(KeyError, match="cash_revoke"):
        lambda_function("cash_revoke")
    assert gc.isenabled() is collecting


def test_what_was_made_afterwards_is_still_collected() -> None:
    """Only what lives for ever is set aside: a message's objects are freed as before."""
    with collector_at_rest():
        kept = Node()
    after = Node()
    gone = weakref.ref(after)
    del after
    gc.collect()
    assert gone() is None
    assert kept.itself is kept
