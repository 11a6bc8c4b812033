"""What SnapStart needs of a function: the snapshot is taken of its initialized process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

# What Lambda's runtime does before it takes a snapshot, with the module it does it with.
_SNAPSHOT = """
import sys, threading

def watch(event, arguments):
    if event in ("socket.connect", "socket.bind", "subprocess.Popen"):
        raise AssertionError(event)

sys.addaudithook(watch)
import app
from snapshot_restore_py import get_before_snapshot
print("botocore.session" in sys.modules)
for prepare, positional, named in get_before_snapshot():
    prepare(*positional, **named)
print("botocore.session" in sys.modules)
print(threading.active_count())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Lambda's runtime client is installed on Linux only")
def test_before_the_snapshot() -> None:
    """The snapshot holds botocore, and no connection, thread or setting that restored copies would share."""
    (packages,) = (PROJECT / ".venvs" / "bench" / "lib").glob("python*/site-packages")
    done = subprocess.run(
        [sys.executable, "-c", _SNAPSHOT],
        cwd=PROJECT / "functions" / "payment_cancel",
        env={"PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.split(), done.stderr) == (["False", "True", "1"], "")
