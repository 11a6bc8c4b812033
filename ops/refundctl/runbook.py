"""The runbook's entries by error code and by alarm, for machines that have no docs folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Final

_DATA: Final = "runbook.json"
_SECTIONS: Final = ("Alarms", "Error codes")
_SECTION: Final = re.compile(r"^## (.+)$", re.MULTILINE)
_ENTRY: Final = re.compile(r"^### (.+)$", re.MULTILINE)
_FINAL: Final = " · final"
_FENCE: Final = "```"


def entries(text: str) -> dict[str, dict[str, object]]:
    """What ``runbook.json`` holds, from the text of docs/runbook.md.

    By name (``OUTCOME_UNKNOWN``, ``dlq-not-empty``): whether the code is final, and the entry's text.
    """
    found: dict[str, dict[str, object]] = {}
    for title, section in _parts(_SECTION, text):
        if title not in _SECTIONS:
            continue
        for heading, body in _parts(_ENTRY, section):
            for name in heading.removesuffix(_FINAL).split(", "):
                found[name.removeprefix("…-")] = {"final": heading.endswith(_FINAL), "text": body.strip()}
    return found


def _parts(heading: re.Pattern[str], text: str) -> Iterator[tuple[str, str]]:
    """Headings of one level, each with what follows it."""
    _, *parts = heading.split(text)
    yield from zip(parts[::2], parts[1::2], strict=True)


def load() -> Mapping[str, Mapping[str, object]]:
    """The entries that this version of refundctl was built with."""
    text = resources.files("refundctl").joinpath(_DATA).read_text(encoding="utf-8")
    loaded: dict[str, dict[str, object]] = json.loads(text)
    return loaded


def written(found: Mapping[str, Mapping[str, object]]) -> str:
    """The text of ``runbook.json``."""
    return json.dumps(found, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def plain(text: str) -> str:
    """An entry as a terminal shows it: paragraphs on one line each, code as it stands, no Markdown."""
    lines: list[str] = []
    paragraph: list[str] = []
    code = False

    def flush() -> None:
        if paragraph:
            lines.append(_unmarked(" ".join(paragraph)))
            paragraph.clear()

    for line in text.splitlines():
        if line.startswith(_FENCE):
            flush()
            code = not code
        elif code:
            lines.append(f"  {line}")
        elif not line.strip():
            flush()
            lines.append("")
        else:
            if re.match(r"(- |\d+\. )", line):
                flush()
            paragraph.append(line.strip())
    flush()
    return "\n".join(lines)


def _unmarked(text: str) -> str:
    text = re.sub(r"\[([^\]]+)\]\(#[^)]+\)", r"\1", text)
    text = re.sub(r"\[([^\]]+)\]\(([^)]+)\)", r"\1 (docs/\2)", text)
    return re.sub(r"`([^`]+)`", r"\1", text).replace("**", "").replace("*", "")
