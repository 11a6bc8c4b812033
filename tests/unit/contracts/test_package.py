"""The contracts without the handler: the package, and who publishes with it."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from examples.producer.producer import publish, refund
from local import schemas
from local.contract.catalogue import PROJECT
from refunds.contracts.outbound import SCHEMA_VERSION

PACKAGE = PROJECT / "packages" / "refund-contracts"
OUTSIDE = ("boto3", "botocore", "httpx", "aws_lambda_powertools", "refunds.domain", "refunds.application")
READ = """
import json, sys
sys.path.insert(0, sys.argv[1])
from refunds.contracts import outbound, payment_cancel, number_revoke, receipt_revoke, order_cancel, trigger
assert outbound.__file__.startswith(sys.argv[1]), outbound.__file__
outcome = outbound.Outcome.from_json(sys.stdin.read())
print(json.dumps([outcome.to_json(), sorted(sys.modules)]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=PACKAGE, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


def test_the_package_needs_no_aws(wheel: Path) -> None:
    """Its models read an outcome, and nothing of AWS or of the handler's inside is loaded for it."""
    text = json.dumps(
        json.loads((schemas.OUTCOMES / "payment_cancel_succeeded_usd.json").read_text())["detail"]
    )
    finished = subprocess.run(
        [sys.executable, "-c", READ, str(wheel)], input=text, text=True, capture_output=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    written, modules = json.loads(finished.stdout)
    assert json.loads(written) == json.loads(text)
    assert not {module for module in modules if module.startswith(OUTSIDE)}


def test_the_package_is_of_this_version() -> None:
    """Its version is the contract's, and its dependencies are those of the models."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"].startswith(f"{SCHEMA_VERSION}.")
    assert [name.partition(">")[0] for name in project["dependencies"]] == ["pydantic"]


class Bus:
    """Takes every second entry at first, as a throttled EventBridge does."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self._calls = 0

    def put_events(self, *, Entries: list[Any]) -> Any:  # noqa: N803 - boto3's name
        """As boto3's client does."""
        self._calls += 1
        kept = Entries[::2] if self._calls == 1 else Entries
        self.taken += kept
        answers = [
            {"EventId": "1"} if entry in kept else {"ErrorCode": "ThrottlingException"} for entry in Entries
        ]
        return {"Entries": answers, "FailedEntryCount": len(Entries) - len(kept)}


def test_the_producer_publishes_what_the_schema_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cancellation reaches the bus once, with exact amounts, and is valid by the published schema."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    bus: Any = Bus()
    wanted = [
        refund(f"cr-{place}", "ORD-1", "imp_1", amount=amount, currency=currency, reason="고객 변심")
        for place, (amount, currency) in enumerate(
            [(Decimal("181.56"), "USD"), (Decimal(3000), "KRW"), (None, "KRW")]
        )
    ]
    publish(bus, "orders", wanted)
    details = {json.loads(entry["Detail"])["cancel_request_id"]: entry for entry in bus.taken}
    assert sorted(details) == ["cr-0", "cr-1", "cr-2"]
    assert len(bus.taken) == 3
    validator = Draft202012Validator(json.loads((schemas.DIRECTORY / "payment_cancel.json").read_text()))
    for entry in bus.taken:
        assert (entry["Source"], entry["DetailType"]) == ("order-service", "PaymentCancelRequested")
        assert list(validator.iter_errors(json.loads(entry["Detail"]))) == []
    assert '"amount":181.56' in details["cr-0"]["Detail"]
    assert "amount" not in json.loads(details["cr-2"]["Detail"])["request"]


def test_the_producer_is_told_what_is_wrong() -> None:
    """What the handler would refuse is refused before it is sent."""
    with pytest.raises(ValidationError, match="0 decimals in KRW"):
        refund("cr-1", "ORD-1", "imp_1", amount=Decimal("1000.5"), currency="KRW", reason="")
