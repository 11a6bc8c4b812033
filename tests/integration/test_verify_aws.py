"""`make verify-aws` against the local AWS."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.stack import Stack
from verify import __main__ as verify

#: What MiniStack does otherwise than AWS; tests/emulators has them too.
OTHERWISE = {
    "a malformed entry of PutEvents is refused alone",
    "a delay over 900 s is refused",
    "each function may be invoked by its own messages",  # its CloudFormation leaves RecursiveLoop out
}


def test_a_deployed_stack_is_as_assumed(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One request of each type ends without money, everything is cleaned up, and differences are named."""
    monkeypatch.setenv("REFUNDCTL_LOCAL_STACK", str(stack.directory / "stack.json"))
    assert verify.main(["--local"]) == 1
    lines = capsys.readouterr().out.splitlines()
    wrong = {line[16:].partition(" (")[0] for line in lines if line.startswith("DOES NOT HOLD")}
    assert wrong == OTHERWISE
    assert len([line for line in lines if "a request about nothing ends" in line]) == 5
    items = stack.aws.dynamodb.scan(TableName=stack.outputs["LedgerTableName"])["Items"]
    assert [item["pk"]["S"] for item in items if "verify-" in item["pk"]["S"]] == []
    queues = stack.aws.sqs.list_queues().get("QueueUrls", [])
    buses = stack.aws.events.list_event_buses()["EventBuses"]
    assert not any("refunds-verify" in name for name in (*queues, *(bus["Name"] for bus in buses)))


def test_production_is_left_alone(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Nothing is sent to a stage that is none of those for trials."""
    path = tmp_path / "stack.json"
    path.write_text((stack.directory / "stack.json").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setenv("REFUNDCTL_LOCAL_STACK", str(path))
    monkeypatch.setattr(verify, "_STAGES", ("dev",))
    assert verify.main(["--local"]) == 2
    assert "only in dev" in capsys.readouterr().err
