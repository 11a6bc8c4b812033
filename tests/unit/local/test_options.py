from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from local.stack import __main__ as command
from local.stack import invoke as invoking
from local.stack import sam_local
from local.stack.launch import Options
from local.stack.stack import MINISTACK, SAM_FOLDER, Stack
from local.stack.toolchain import StackError


@pytest.mark.parametrize("port", ["abc", "0", "80000", "-1", "4566.0", "٤٥٦٦"])
def test_a_port_that_is_none_is_told(port: str) -> None:
    """One sentence names the variable, what it is and what it may be."""
    with pytest.raises(StackError, match=r"PORT is .*, which is no port number \(1 to 65535\)"):
        Options.from_environment({"PORT": port})


@pytest.mark.parametrize("host", ["203.0.113.7", "no..where", "999.1.1.1"])
def test_an_address_of_another_machine_is_told(host: str) -> None:
    """What cannot be listened on is no BIND_HOST."""
    with pytest.raises(StackError, match="which is no address of this machine"):
        Options.from_environment({"BIND_HOST": host})


@pytest.fixture
def listening(tmp_path: Path) -> Stack:
    """A stack whose local AWS is this very process, on a port of its own."""
    return Stack(
        "http://127.0.0.1:1", "ap-northeast-2", "0" * 12, {}, None, {MINISTACK: os.getpid()}, tmp_path
    )


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, None),
        ({"PORT": "same"}, None),
        ({"BIND_HOST": "127.0.0.1"}, None),
        ({"PORT": "1"}, "make down before PORT=1 make up"),
        ({"BIND_HOST": "0.0.0.0"}, "make down before BIND_HOST=0.0.0.0 make up"),  # noqa: S104 - as asked for
    ],
    ids=str,
)
def test_a_running_stack_does_not_move(listening: Stack, variables: dict[str, str], told: str | None) -> None:
    """Another PORT or BIND_HOST than the running stack's is refused; the same one is not."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        listening.endpoint_url = f"http://127.0.0.1:{port}"
        asked = {name: str(port) if value == "same" else value for name, value in variables.items()}
        options = Options(port=int(asked.get("PORT", port)), bind=asked.get("BIND_HOST", "127.0.0.1"))
        if told is None:
            command.refuse_moving(listening, asked, options)
        else:
            with pytest.raises(StackError, match=told):
                command.refuse_moving(listening, asked, options)


def test_a_stack_on_loopback_is_out_of_a_containers_reach(listening: Stack) -> None:
    """Docker on Linux reaches what listens on every address, and not what listens on loopback."""
    for bind, reachable in (("127.0.0.1", False), ("0.0.0.0", True)):  # noqa: S104 - the point of the test
        with socket.create_server((bind, 0)) as server:
            listening.endpoint_url = f"http://127.0.0.1:{server.getsockname()[1]}"
            assert sam_local.reachable_from_containers(listening) is reachable


def test_variables_lead_to_this_machine_from_a_container() -> None:
    """Addresses of the local services are a container's, also within JSON; other text stays."""
    seen = sam_local.seen_from_container(
        {"URL": "http://127.0.0.1:4566/q", "JSON": '["http://localhost:1/a"]', "NAME": "localhost"}
    )
    assert seen == {
        "URL": "http://host.docker.internal:4566/q",
        "JSON": '["http://host.docker.internal:1/a"]',
        "NAME": "localhost",
    }


@pytest.fixture
def described(listening: Stack) -> Stack:
    folder = listening.directory / SAM_FOLDER
    folder.mkdir()
    (folder / "variables.json").write_text(json.dumps({"SweeperFunction": {}}), encoding="utf-8")
    return listening


def test_an_event_that_is_none_is_told(described: Stack, tmp_path: Path) -> None:
    """A folder, a missing file and text that is no JSON are one sentence each."""
    text = tmp_path / "an event.json"
    with pytest.raises(StackError, match="which is no file: see events/"):
        invoking.invoke(described, "sweeper", tmp_path)
    with pytest.raises(StackError, match=r"an event\.json', which is no file"):
        invoking.invoke(described, "sweeper", text)
    for content in (b"not JSON", b"\xff\xfe"):
        text.write_bytes(content)
        with pytest.raises(StackError, match="which is no JSON"):
            invoking.invoke(described, "sweeper", text)


def test_a_function_that_is_none_is_told(described: Stack, tmp_path: Path) -> None:
    """The sentence lists the functions there are."""
    event = tmp_path / "event.json"
    event.write_text("{}", encoding="utf-8")
    with pytest.raises(StackError, match=r"none of .*dlq_replay.*payment_cancel.*sweeper"):
        invoking.invoke(described, "nope", event)


@pytest.mark.parametrize(("receipt", "dlq"), [("", ""), ("AQEB", "http://dlq")])
def test_an_exported_dead_letter_gets_no_copy(
    described: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receipt: str, dlq: str
) -> None:
    """Replayed from its file, it adds nothing to the dead-letter queue in which it still waits."""
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"Records": [{"receiptHandle": receipt, "body": "{}"}]}), encoding="utf-8")
    variables = described.directory / SAM_FOLDER / "variables.json"
    variables.write_text(json.dumps({"SweeperFunction": {"DLQ_URL": "http://dlq"}}), encoding="utf-8")
    orders: list[tuple[str, ...]] = []
    monkeypatch.setattr(invoking, "reachable_from_containers", lambda _stack: True)
    monkeypatch.setattr(invoking, "_refuse_without_docker", lambda: None)
    monkeypatch.setattr(invoking, "_sam_build", lambda _stack: 0)

    def sam(*order: str) -> int:
        orders.append(order)
        return 0

    monkeypatch.setattr(invoking, "_sam", sam)
    assert invoking.invoke(described, "sweeper", event) == 0
    (order,) = orders
    told = order[order.index("--env-vars") + 1] if "--env-vars" in order else str(variables)
    assert json.loads(Path(told).read_text(encoding="utf-8"))["SweeperFunction"]["DLQ_URL"] == dlq


def test_without_docker_one_sentence(
    described: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no Docker answers, nothing is built first."""
    event = tmp_path / "event.json"
    event.write_text("{}", encoding="utf-8")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(invoking, "reachable_from_containers", lambda _stack: True)
    with pytest.raises(StackError, match="no Docker answers here"):
        invoking.invoke(described, "sweeper", event)


@pytest.mark.parametrize("left", [False, True])
def test_an_interruption_says_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, left: bool
) -> None:
    """Ctrl-C is a sentence, not a traceback, with the exit status a shell expects."""

    def interrupted() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "STATE_DIR", tmp_path)
    monkeypatch.setattr(command, "_up", interrupted)
    monkeypatch.setattr("sys.argv", ["python -m local.stack", "up"])
    if left:
        (tmp_path / "stack.json").touch()
    assert command.main() == 130
    said = capsys.readouterr().err.strip()
    assert said == "interrupted: " + (
        "the stack that was up before still runs" if left else "nothing is left running"
    )
