"""A deployment in memory that refundctl is run against, in this process."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from local import trigger
from refundctl.__main__ import run
from refundctl.connection import Target
from refundctl.questions import Questions
from refunds.cancel_types import MODULES, all_cancel_types
from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.functions import ReplayFunction, SweeperFunction
from refunds.operators.operations import Operations
from refunds.settings import Settings
from tests.fakes.answers import AwsError
from tests.fakes.direct import Direct
from tests.fakes.endpoint import Service
from tests.fakes.sqs import Queue, Queues
from tests.unit.operators.rig import OperatorRig
from tests.unit.rig import ENVIRONMENT

_PLACES = "https://sqs.invalid/1"
_PROVIDERS = {"PORTONE_BASE_URL": "https://portone.invalid", "EBP_BASE_URL": "https://ebp.invalid"}


@dataclass
class Account:
    """Every queue, and the services that are asked for who somebody is and for how old messages are."""

    queues: Queues
    ages: dict[str, float] = field(default_factory=dict)
    functions: dict[str, Callable[[dict[str, Any]], Any]] = field(default_factory=dict)
    invoked: list[dict[str, Any]] = field(default_factory=list)

    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """One operation of any of them."""
        if operation == "GetCallerIdentity":
            return {"Arn": "arn:aws:iam::000000000000:user/kim"}
        if operation == "GetMetricData":
            return {"MetricDataResults": [self._age(query) for query in request["MetricDataQueries"]]}
        if operation == "Invoke":
            return self._invoke(request["FunctionName"], json.loads(request["Payload"]))
        return self.queues.carry_out(operation, request)

    def _invoke(self, name: str, event: dict[str, Any]) -> dict[str, Any]:
        """Lambda: an error of the function is an answer, too."""
        self.invoked.append(event)
        if name not in self.functions:
            raise AwsError("AccessDeniedException")
        try:
            return {"Payload": io.BytesIO(json.dumps(self.functions[name](event)).encode())}
        except ValueError as error:
            said = json.dumps({"errorMessage": str(error)}).encode()
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(said)}

    def _age(self, query: Mapping[str, Any]) -> dict[str, Any]:
        (dimension,) = query["MetricStat"]["Metric"]["Dimensions"]
        found = self.ages.get(dimension["Value"])
        return {"Id": query["Id"], "Values": [] if found is None else [found]}


class Client(Direct):
    """One that can be closed."""

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it showed."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Standard output, as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The rows of one type."""
        return [row for row in self.rows if row["type"] == kind]

    @property
    def words(self) -> str:
        """Everything for people, without line breaks."""
        return " ".join((self.out + self.err).split())


class Station:
    """The account, what is in it, and a terminal."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.operators = OperatorRig()
        self.capsys = capsys
        names = [kind.replace("_", "-") for kind in MODULES]
        self.account = Account(Queues(self.operators.now))
        lanes = tuple(
            CancelQueues(kind.policy, f"{_PLACES}/{name}", f"{_PLACES}/{name}-dlq")
            for kind, name in zip(all_cancel_types(), names, strict=True)
        )
        services: dict[str, Service] = {"dynamodb": self.operators.tables, "events": self.operators.bus}
        self.operations = Operations(
            make_aws_client=lambda name: Client(services.get(name, self.account)),
            settings=Settings.from_environment(ENVIRONMENT | _PROVIDERS),
            all_queues=lanes,
            clock=lambda: self.operators.now,
        )
        client: Any = Client(self.account)
        self.operations.asked_elsewhere = Questions(
            client,
            replay_function="replay",
            sweeper_function="sweeper",
            ledger_alone=self.operations.judge(asks=False),
        )
        self.account.functions = {
            "replay": self._function(ReplayFunction),
            "sweeper": self._function(SweeperFunction),
        }
        monkeypatch.setattr(Target, "operations", lambda _: self.operations)

    def _function(self, kind: type[ReplayFunction | SweeperFunction]) -> Callable[[dict[str, Any]], Any]:
        """One that has what only functions have: the providers' keys."""
        function: Any = kind({})
        function._operations = replace(self.operations, asked_elsewhere=None)  # noqa: SLF001 - what it would make
        function._operations.__dict__["_status_inquiry"] = self.operators.inquiry  # noqa: SLF001 - of its environment
        context: Any = trigger.Context()
        return lambda event: function(event, context)

    def queue(self, kind: str = "payment_cancel") -> Queue:
        """The queue of a cancel type."""
        return self.account.queues[f"{_PLACES}/{kind.replace('_', '-')}"]

    def dlq(self, kind: str = "payment_cancel") -> Queue:
        """The dead-letter queue of a cancel type."""
        return self.account.queues[f"{_PLACES}/{kind.replace('_', '-')}-dlq"]

    def park(self, key: str = "cr-1", code: str = "PROVIDER_UNAVAILABLE", **changes: Any) -> str:
        """A dead letter, one minute old; its message id."""
        dlq = self.dlq()
        message_id = f"m-{key}"
        dlq.put(message_id, json.dumps(detail(key) | changes, ensure_ascii=False))
        dlq.messages[message_id].attributes = {
            "error_code": {"DataType": "String", "StringValue": code},
            "error_message": {"DataType": "String", "StringValue": f"why {key} is here"},
        }
        return message_id

    def run(self, *arguments: str) -> Ran:
        """Type a command."""
        self.capsys.readouterr()
        code = run(arguments)
        shown = self.capsys.readouterr()
        return Ran(code, shown.out, shown.err)

    def rows(self, *arguments: str, code: int = 0) -> Ran:
        """Type a command with ``--json``, which must end with this exit code."""
        ran = self.run(*arguments, "--json")
        assert ran.code == code, (ran.code, ran.out, ran.err)
        return ran

    def audit(self, key: str = "cr-1") -> list[str]:
        """Who did what to a request."""
        return self.operations.audit.of(f"payment_cancel#{key}")


def detail(key: str = "cr-1") -> dict[str, Any]:
    """What the order service asks for."""
    return trigger.detail(
        key, {"imp_uid": f"imp_{key}", "amount": 1000}, requested_at="2026-11-21T14:00:00+09:00"
    )
