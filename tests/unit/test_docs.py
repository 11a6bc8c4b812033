from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
ADRS = PROJECT / "docs" / "adr"
_CODE = {".py", ".yaml", ".yml", ".toml", ".txt", ".md", ".in", ""}
_OURS = {".github", ".ci"}
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def files() -> Iterator[Path]:
    """Every text of ours; what is made here lies in folders that begin with a dot."""
    for folder, folders, names in os.walk(PROJECT):
        folders[:] = [name for name in folders if not name.startswith((".", "__")) or name in _OURS]
        paths = (Path(folder) / name for name in names)
        yield from (path for path in paths if path.suffix in _CODE)


TEXTS = {path: path.read_text(encoding="utf-8") for path in files()}
DOCUMENTS = sorted(path for path in TEXTS if path.suffix == ".md")


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def prose(text: str) -> str:
    """Without code, in which brackets are no links."""
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link of a document leads to a file or folder, and its fragment to a heading there."""
    for link in _LINK.findall(prose(TEXTS[document])):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, fragment = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        assert target.exists(), link
        if fragment:
            assert fragment in anchors(TEXTS[target]), link


def test_documents_that_the_code_names_exist() -> None:
    """A comment that sends its reader to docs/ does not send him into the void."""
    named = {
        (path, name)
        for path, text in TEXTS.items()
        for name in re.findall(r"docs/[\w/.-]+\.(?:md|svg|png)", text)
    }
    assert len(named) > 10
    assert [(str(path), name) for path, name in named if not (PROJECT / name).exists()] == []


def test_no_text_cites_what_its_reader_does_not_have() -> None:
    """A fact or a rule is cited from a page of the repository, by the path of that page."""
    outside = re.compile(r"\bDESIGN\b|\b[Dd]ocuments? 00\d|(?<![\w/(\[])`?providers\.md\b")
    citing = [
        f"{path.relative_to(PROJECT)}: {found[0]}"
        for path, text in TEXTS.items()
        if path != Path(__file__) and path.suffix != ".txt"
        for found in outside.finditer(text)
    ]
    assert citing == []


def test_decisions_that_are_named_exist() -> None:
    """ADR 7, or docs/adr/0007, is a file whose title begins with its number."""
    numbers = {int(path.name[:4]): path for path in ADRS.glob("[0-9]*.md")}
    for number, path in numbers.items():
        assert TEXTS[path].startswith(f"# {number}. "), path
    named = {
        (path, int(number))
        for path, text in TEXTS.items()
        for number in re.findall(r"\bADRs? (\d+)|docs/adr/(\d{4})", text)
        for number in number
        if number
    }
    assert len(named) > 10
    assert [(str(path), number) for path, number in named if number not in numbers] == []


def test_every_decision_is_in_the_list() -> None:
    """With its number and its title, and behind that what supersedes it where something does."""
    row = re.compile(r"^- \[(\d+)\]\((\S+)\): (.+?)( \(superseded (?:in part )?by ADR \d+\))?$", re.MULTILINE)
    rows = row.findall(TEXTS[ADRS / "README.md"])
    listed = [(number, name, title) for number, name, title, _ in rows]
    superseded = {path.name for path in ADRS.glob("[0-9]*.md") if "\nStatus: superseded" in TEXTS[path]}
    assert {name for _, name, _, marked in rows if marked} == superseded
    assert {(name, f"# {number}. {title}") for number, name, title in listed} == {
        (path.name, TEXTS[path].splitlines()[0]) for path in ADRS.glob("[0-9]*.md")
    }


def test_targets_of_make_exist() -> None:
    """What a document tells to type is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", TEXTS[PROJECT / "Makefile"], re.MULTILINE))
    named = {
        (path, target)
        for path in DOCUMENTS
        for target in re.findall(r"(?:`|^(?:\$ )?)(?:[A-Z_]+=\S+ )*make ([a-z-]+)", TEXTS[path], re.MULTILINE)
    }
    assert len(named) > 5
    assert [(str(path), target) for path, target in named if target not in targets] == []
