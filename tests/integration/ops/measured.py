"""Runs refundctl and tells, as the last line of standard error, how large the process became, in bytes.

From inside: the largest size that the kernel tells a parent includes the parent's own, up to the exec.
"""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

from refundctl.__main__ import run


def peak() -> int:
    """The largest resident size so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="ascii"))
        if found is not None:
            return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    code = run(sys.argv[1:])
    sys.stderr.write(f"\n{peak()}\n")
    sys.exit(code)
