from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from refunds import loading
from refunds.loading import collector_at_rest, lambda_function, stay_on_one_processor

FUNCTIONS = Path(__file__).parents[2] / "functions"
REFUNDS = ("payment_cancel", "vbank_revoke", "cvs_revoke", "receipt_revoke", "order_cancel")

LOADED = """
import gc, os, sys

import refunds.loading

collections = []
gc.callbacks.append(lambda phase, _info: collections.append(phase))
sys.path.insert(0, {folder!r})
import app
assert not collections, "garbage was collected while the function was loaded"
assert gc.isenabled(), "the collector does not work any more"
assert len(os.sched_getaffinity(0)) == 1, "its threads wake each other across processors"
assert gc.get_freeze_count() > 10_000, "what was loaded is looked at by every collection"
"""


class Node:
    """Part of a cycle."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    processors = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, processors)
    gc.unfreeze()
    gc.enable()


@pytest.mark.parametrize("name", REFUNDS)
def test_nothing_is_collected_while_a_function_is_loaded(name: str) -> None:
    """Loading a function runs no collection, none looks at it later, and it stays on one processor."""
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


def test_a_process_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor is read from the kernel's line, whatever the process calls itself."""
    here = max(os.sched_getaffinity(0))
    line = tmp_path / "stat"
    line.write_text(f"7 (my (py) thon) S {' '.join(str(1_000 + n) for n in range(35))} {here} 0 0\n")
    monkeypatch.setattr(loading, "_OWN_STATUS", str(line))
    stay_on_one_processor()
    assert os.sched_getaffinity(0) == {here}


@pytest.mark.parametrize(
    "line", [None, "", "7 (python) S 1 2", f"7 (python) S {'x ' * 40}", f"7 (p) S {'9999 ' * 40}"]
)
def test_elsewhere_a_process_goes_where_it_likes(
    line: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Linux's files, with odd ones, or without such a processor nothing happens and nothing fails."""
    baseline = os.sched_getaffinity(0)
    status = tmp_path / "stat"
    if line is not None:
        status.write_text(line)
    monkeypatch.setattr(loading, "_OWN_STATUS", str(status))
    stay_on_one_processor()
    assert os.sched_getaffinity(0) == baseline
