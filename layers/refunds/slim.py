"""Takes out of botocore's data what no call reads: documentation, and the endpoints of other services.

``python3 slim.py FOLDER``, for the layer's build. What is read of them stays in memory: 9 MiB of a function.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any


def slim(data: Path) -> None:
    """Rewrite what is in botocore's ``data``: its folders are the services that are called."""
    services = {folder.name for folder in data.iterdir() if folder.is_dir()}
    endpoints = data / "endpoints.json"
    found = json.loads(endpoints.read_bytes())
    for partition in found["partitions"]:
        partition["services"] = {k: v for k, v in partition["services"].items() if k in services}
    _write(endpoints, found)
    for packed in data.glob("*/*/*.json.gz"):
        _write(
            packed.with_suffix(""),
            json.loads(gzip.decompress(packed.read_bytes()), object_hook=_undocumented),
        )
        packed.unlink()


def _undocumented(found: dict[str, Any]) -> dict[str, Any]:
    """Without its text; a member of that name is described by an object, and stays."""
    return {k: v for k, v in found.items() if k != "documentation" or not isinstance(v, str)}


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, separators=(",", ":")), encoding="utf-8")


if __name__ == "__main__":
    slim(Path(sys.argv[1]))
