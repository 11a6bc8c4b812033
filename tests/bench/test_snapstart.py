"""What SnapStart needs of a function: the snapshot is taken of its initialized process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]

# What Lambda's runtime does before it takes a snapshot.
_SNAPSHOT = """
import sys, threading

def watch(event, arguments):
    if event in ("socket.connect", "socket.bind", "subprocess.Popen"):
        raise AssertionError(event)

sys.addaudithook(watch)
import app
print("botocore.session" in sys.modules)
print(threading.active_count())
"""


def test_before_the_snapshot() -> None:
    """The snapshot holds boto3, and no connection, thread or setting that restored copies would share."""
    done = subprocess.run(
        [sys.executable, "-c", _SNAPSHOT],
        cwd=PROJECT / "functions" / "payment_cancel",
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.split(), done.stderr) == (["True", "1"], "")
