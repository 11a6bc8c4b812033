from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len

from refundctl.output import Output

ID = "cr-20261121-0001-with-a-long-name"
WHY = "PortOne hands out no access token (unusable answer): nothing was sent, 결제취소에 실패하였습니다"
COLUMNS = ["age", "type", "cancel_request_id", "why"]
ROWS = [("1m 5s", "payment_cancel", ID, WHY), ("1h", "vbank_revoke", "cr-2", None)]


def show(output: Output) -> None:
    output.table("Two dead letters", COLUMNS, ROWS, words=True)
    output.facts(ID, [("cancel_type", "payment_cancel"), ("proof", WHY), ("lease", None)])
    output.suggest(WHY, f"refundctl dlq replay --id {ID} --yes --reason 'PortOne is back, ticket 4711'")
    output.remark(WHY)


def at_a_terminal(columns: int, act: Callable[[Output], None], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that a terminal so wide gets, control sequences included."""
    ours, theirs = os.openpty()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.delenv("NO_COLOR", raising=False)
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        for stream in ("stdout", "stderr"):
            monkeypatch.setattr(sys, stream, terminal)
        act(Output())
    monkeypatch.undo()
    return _everything(ours).decode().split("\r\n")


def _everything(descriptor: int) -> bytes:
    found = b""
    with os.fdopen(descriptor, "rb", buffering=0) as terminal:
        while True:
            try:
                found += terminal.read(65_536)
            except OSError:  # how Linux says that the other end was closed
                return found


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_terminal_gets_whole_ids_and_wrapped_words(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However narrow it is: what is to be copied stands on one line, sentences end where the line does."""
    lines = at_a_terminal(columns, show, monkeypatch)
    text = "\n".join(lines)
    assert text.count(ID) == 3
    assert "--yes --reason 'PortOne is back, ticket 4711'" in text
    words = [line for line in lines if not any(part in line for part in (ID, "cancel_request_id", "cr-2"))]
    assert max(cell_len(line) for line in words if "\x1b" not in line) <= columns
    assert (f"1m 5s  payment_cancel  {ID}  {WHY}" in text) is (columns == 200)


def test_a_pipe_gets_a_line_per_row_without_colour(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that grep, awk and less show what belongs together."""
    monkeypatch.setenv("COLUMNS", "40")
    show(Output())
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err
    assert f"1m 5s  payment_cancel  {ID}  {WHY}" in shown.out.splitlines()
    assert shown.err.splitlines() == [WHY]


def test_json_is_alone_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing for people between the lines; remarks are on standard error."""
    output = Output(as_json=True)
    show(output)
    output.row("message", path=str(Path("a")))
    assert capsys.readouterr().out == '{"type": "message", "path": "a"}\n'
