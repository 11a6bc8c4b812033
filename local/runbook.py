"""Writes the entries of docs/runbook.md into refundctl (`make runbook`)."""

from __future__ import annotations

from pathlib import Path

from refundctl.runbook import entries, written

_PROJECT = Path(__file__).parents[1]


def main() -> None:
    """Write them."""
    text = (_PROJECT / "docs" / "runbook.md").read_text(encoding="utf-8")
    inside = _PROJECT / "ops" / "refundctl" / "runbook.json"
    inside.write_text(written(entries(text)), encoding="utf-8")


if __name__ == "__main__":
    main()
