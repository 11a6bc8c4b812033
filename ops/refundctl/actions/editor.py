"""Lets the operator edit a text in the editor of his choice."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from refunds.operators.repair import NotRepairable

_USUAL: Final = "vi"


def edited(text: str) -> str:
    """``text`` as ``$VISUAL`` or ``$EDITOR`` leaves it.

    The file is in a folder of its own that only the operator can read, and is gone afterwards: the
    text holds personal data.

    Raises:
        NotRepairable: the editor failed, or nothing was changed.
    """
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or _USUAL)
    with tempfile.TemporaryDirectory(prefix="refundctl-") as folder:
        path = Path(folder) / "message.json"
        path.write_text(text, encoding="utf-8")
        ended = subprocess.run([*editor, str(path)], check=False)  # noqa: S603 - the operator's own editor
        after = path.read_text(encoding="utf-8")
    if ended.returncode != 0:
        raise NotRepairable(f"{editor[0]} ended with status {ended.returncode}: nothing was changed")
    if after == text:
        raise NotRepairable("the editor was left without a change")
    return after
