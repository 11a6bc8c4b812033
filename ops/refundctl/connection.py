"""Which deployment is meant, and how to reach it.

Table, buses and queues come from the stack's outputs, everything else from the configuration of a
deployed function: an operator works with the settings that the functions work with.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import typer

from refunds.errors import ConfigurationError

if TYPE_CHECKING:
    from refundctl.questions import Questions
    from refunds.operators.operations import Operations

_STACK_FILE: Final = Path(".local") / "stack.json"
_CONNECTIONS: Final = 20
_LONGEST_INVOCATION: Final = 900  # seconds; Lambda's limit
_NOTABLE_SKEW: Final = 2.0  # seconds; the Date header has whole ones
_LOCAL_CREDENTIALS: Final = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


@dataclass(frozen=True)
class Target:
    """The options that name a deployment; every command takes them.

    As a context manager it closes at its end what it connected.
    """

    stack: Annotated[
        str | None,
        typer.Option(
            "--stack",
            metavar="NAME",
            envvar="REFUNDCTL_STACK",
            help="CloudFormation stack, e.g. refunds-prod.",
        ),
    ] = None
    local: Annotated[
        bool,
        typer.Option("--local", envvar="REFUNDCTL_LOCAL", help="The local stack that `make up` started."),
    ] = False
    region: Annotated[
        str | None,
        typer.Option(
            "--region",
            metavar="REGION",
            envvar="AWS_REGION",
            help="AWS region; else the one of your AWS configuration.",
        ),
    ] = None
    hold: Annotated[
        int,
        typer.Option(
            "--hold",
            metavar="SECONDS",
            min=1,
            max=43_200,
            help="Seconds a message looked at stays hidden if refundctl is killed, at least.",
        ),
    ] = 120
    _connected: ExitStack = field(default_factory=ExitStack, init=False, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connected.close()

    def operations(self) -> Operations:
        """Connect.

        Raises:
            ConfigurationError: no deployment is named, or it is not one of a refund handler.
        """
        from refunds.operators.cancel_queues import queues_of_outputs
        from refunds.operators.operations import Operations
        from refunds.settings import Settings
        from refunds.telemetry.logs import quiet_libraries

        quiet_libraries()
        if self.local and self.stack is not None:
            raise ConfigurationError(
                "say which deployment you mean: --stack and --local are both given, "
                "perhaps by REFUNDCTL_STACK or REFUNDCTL_LOCAL"
            )
        if not self.local and self.stack is None:
            raise ConfigurationError("say which deployment you mean: --stack NAME or --local")
        make, outputs = _local() if self.local else _remote(self.stack or "", self.region)
        environment, skew = _function_configuration(make, outputs)
        operations = Operations(
            make_aws_client=make,
            settings=Settings.from_environment(environment),
            all_queues=queues_of_outputs(outputs),
            hold=self.hold,
            clock=lambda: time.time() + skew,
            indexes=environment.get("LEDGER_INDEXES") or "current",
        )
        operations.asked_elsewhere = _questions(outputs, operations)
        return self._connected.enter_context(operations)


def questions(operations: Operations) -> Questions:
    """Who asks the providers for this process."""
    from refundctl.questions import Questions

    if not isinstance(operations.asked_elsewhere, Questions):
        raise TypeError("a deployment that refundctl has connected asks through its functions")
    return operations.asked_elsewhere


def principal(operations: Operations) -> str:
    """Who AWS says you are."""
    return str(operations.aws("sts").get_caller_identity()["Arn"])


def _local() -> tuple[Callable[[str], Any], Mapping[str, str]]:
    path = _stack_file()
    described = json.loads(path.read_text(encoding="utf-8"))
    make = _factory(described["region"], endpoint_url=described["endpoint_url"], **_LOCAL_CREDENTIALS)
    return make, described["outputs"]


def _stack_file() -> Path:
    """``.local/stack.json`` here or further up, or where ``REFUNDCTL_LOCAL_STACK`` says."""
    named = os.environ.get("REFUNDCTL_LOCAL_STACK")
    here = Path.cwd()
    candidates = [Path(named)] if named else [folder / _STACK_FILE for folder in (here, *here.parents)]
    for path in candidates:
        if path.exists():
            return path
    raise ConfigurationError("no local stack is running here: run `make up`")


def _remote(stack: str, region: str | None) -> tuple[Callable[[str], Any], Mapping[str, str]]:
    make = _factory(region)
    with closing(make("cloudformation")) as stacks:
        described = stacks.describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    return make, outputs


def _factory(region: str | None, endpoint_url: str | None = None, **credentials: str) -> Callable[[str], Any]:
    """Clients with more patience than the functions': an operator's network is further away.

    Lambda answers when the function that was invoked has: it is waited for as long as one may run.
    """
    from botocore.config import Config

    from refunds.aws import AwsClients

    def clients(read_timeout: int) -> AwsClients:
        retries: Any = {"mode": "standard", "total_max_attempts": 5}
        return AwsClients(
            connections=_CONNECTIONS,
            config=Config(connect_timeout=5, read_timeout=read_timeout, retries=retries),
            endpoint_url=endpoint_url,
            session={"region_name": region, **credentials},
            shows_messages=True,
        )

    usual, patient = clients(30), clients(_LONGEST_INVOCATION)
    return lambda service: (patient if service == "lambda" else usual).client(service)


def _questions(outputs: Mapping[str, str], operations: Operations) -> Questions:
    from refundctl.questions import Questions

    return Questions(
        operations.aws("lambda"),
        replay_function=_function(outputs, "DlqReplay"),
        sweeper_function=_function(outputs, "Sweeper"),
        ledger_alone=operations.judge(asks=False),
    )


def _function(outputs: Mapping[str, str], function: str) -> str:
    name = f"{function}FunctionName"
    if name not in outputs:
        raise ConfigurationError(f"the stack has no output {name}: is it a refund handler's stack?")
    return outputs[name]


def _function_configuration(
    make: Callable[[str], Any], outputs: Mapping[str, str]
) -> tuple[dict[str, str], float]:
    """A deployed function's environment, and by how many seconds AWS's clock is ahead of this machine's.

    Leases are judged by the functions' clock: a laptop that is ahead would find one ended that is not.
    """
    from email.utils import parsedate_to_datetime

    name = _function(outputs, "DlqReplay")  # whose configuration operators may read
    asked = time.time()
    with closing(make("lambda")) as functions:
        answer = functions.get_function_configuration(FunctionName=name)
    now = (asked + time.time()) / 2
    header = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    skew = parsedate_to_datetime(header).timestamp() - now if header else 0.0
    return answer["Environment"]["Variables"], skew if abs(skew) > _NOTABLE_SKEW else 0.0
