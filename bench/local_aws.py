"""The same work through the queue of a local AWS: the deployed template, the documented way beside it.

The provider answers as slowly as elsewhere. The local AWS (MiniStack) is as fast as it is: one process is
queue, poller, DynamoDB and EventBridge at once, and the machine's processors are shared with the functions.
"""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.deployment import BASELINE, Deployment
from bench.events import Orders
from bench.measure import BATCH
from bench.queue import CONCURRENCY
from bench.simulation import World
from bench.world.aws import SECRET
from local.stack import Options, Stack, start, workers
from local.stack.stack import MINISTACK
from local.stack.toolchain import StackError, host

_POLL = 0.05
_PATIENCE = 600.0
_TABLE = "documented"
_VISIBILITY = "60"


@dataclass(frozen=True)
class LocalDrain:
    """So many messages in so many seconds, and how many processors were busy with what meanwhile."""

    messages: int
    seconds: float
    functions: float
    emulator: float
    provider: float

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.messages / self.seconds


@contextmanager
def local_stack(folder: Path, world: World) -> Iterator[Stack]:
    """The deployed template, with the benchmark's provider."""
    options = Options(
        directory=folder,
        portone_base_url=world.plain_provider,
        ebp_base_url=world.plain_provider,
        parameters={"PaymentCancelVisibilityTimeout": _VISIBILITY},
    )
    with start(options) as stack:
        stack.aws.secrets.put_secret_value(
            SecretId=stack.outputs["ProviderSecretArn"], SecretString=json.dumps(SECRET)
        )
        yield stack


class LocalQueue:
    """A queue of the local AWS and the function that is fed from it.

    Args:
        stack: the local AWS.
        world: the provider.
        queue_url: where messages go.
        function: the function's name.
    """

    def __init__(self, stack: Stack, world: World, queue_url: str, function: str) -> None:
        self._stack = stack
        self._world = world
        self._queue_url = queue_url
        self._function = function
        mappings = stack.aws.functions.list_event_source_mappings()["EventSourceMappings"]
        arn = stack.aws.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        self._mapping = next(
            m["UUID"] for m in mappings if m["EventSourceArn"] == arn["Attributes"]["QueueArn"]
        )

    def drain(self, orders: Orders, messages: int) -> LocalDrain:
        """Fill the queue while nothing is taken from it, then time until it is empty.

        Args:
            orders: makes the messages.
            messages: how many.

        Raises:
            StackError: it is not empty within ten minutes, or the provider was asked another number of times.
        """
        self._enable(on=False)
        self._send(orders, messages)
        before, asked = self._used(), self._asked()
        begin = time.perf_counter()
        self._enable(on=True)
        self._wait_until_empty()
        seconds = time.perf_counter() - begin
        if self._asked() - asked != messages:
            raise StackError(f"{self._asked() - asked} cancellations for {messages} messages")
        busy = {name: (used - before[name]) / seconds for name, used in self._used().items()}
        return LocalDrain(messages, seconds, busy["functions"], busy["emulator"], busy["provider"])

    def _send(self, orders: Orders, count: int) -> None:
        for first in range(0, count, BATCH):
            bodies = [orders.message()["body"] for _ in range(min(BATCH, count - first))]
            self._stack.aws.sqs.send_message_batch(
                QueueUrl=self._queue_url,
                Entries=[{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)],
            )

    def _enable(self, *, on: bool) -> None:
        self._stack.aws.functions.update_event_source_mapping(UUID=self._mapping, Enabled=on)

    def _asked(self) -> int:
        """Cancellations the provider has been asked for."""
        return self._world.seen().requests["provider"].get("cancel", 0)

    def _wait_until_empty(self) -> None:
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            found = self._stack.aws.sqs.get_queue_attributes(
                QueueUrl=self._queue_url,
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )
            if set(found["Attributes"].values()) == {"0"}:
                return
            time.sleep(_POLL)
        raise StackError(f"messages are left in {self._queue_url}")

    def _used(self) -> dict[str, float]:
        """Seconds of processor time so far."""
        emulator = psutil.Process(self._stack.pids[MINISTACK])
        return {
            "functions": sum(_processor(worker) for worker in workers(self._stack, self._function)),
            "emulator": _processor(emulator),
            "provider": _processor(psutil.Process(self._world.pid)),
        }


def project_queue(stack: Stack, world: World) -> LocalQueue:
    """The deployed function's own."""
    outputs = stack.outputs
    return LocalQueue(stack, world, outputs["PaymentCancelQueueUrl"], outputs["PaymentCancelFunctionName"])


def documented_queue(
    stack: Stack, world: World, deployment: Deployment, name: str, *, layer: str
) -> LocalQueue:
    """One of the baselines, deployed beside the project's functions, with a table and a queue of its own."""
    aws, machine = stack.aws, host()
    with suppress(aws.dynamodb.exceptions.ResourceInUseException):
        aws.dynamodb.create_table(
            TableName=_TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
    queue_url = aws.sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": _VISIBILITY})[
        "QueueUrl"
    ]
    attributes = aws.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]
    published = aws.functions.publish_layer_version(
        LayerName=name, Content={"ZipFile": _zipped({"": deployment.layers[layer]})}
    )
    function = deployment.functions[name]
    aws.functions.create_function(
        FunctionName=name,
        Runtime=machine.runtime,  # type: ignore[arg-type]
        Role=f"arn:aws:iam::{stack.account}:role/{name}",
        Handler="app.handler",
        Timeout=60,
        MemorySize=512,
        Layers=[published["LayerVersionArn"]],
        Code={"ZipFile": _zipped({"": function.folder, "bench/baseline": BASELINE})},
        Environment={"Variables": _variables(function.environment, stack, world)},
    )
    aws.functions.create_event_source_mapping(
        EventSourceArn=attributes["QueueArn"],
        FunctionName=name,
        BatchSize=BATCH,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        ScalingConfig={"MaximumConcurrency": CONCURRENCY},
    )
    return LocalQueue(stack, world, queue_url, name)


def _variables(configured: Mapping[str, str], stack: Stack, world: World) -> dict[str, str]:
    own = {name: value for name, value in configured.items() if not name.startswith("AWS_")}
    return own | {
        "LEDGER_TABLE_NAME": _TABLE,
        "ACCOUNTING_BUS_NAME": stack.outputs["AccountingBusName"],
        "PROVIDER_SECRET_ID": stack.outputs["ProviderSecretArn"],
        "PORTONE_BASE_URL": world.plain_provider,
        "POWERTOOLS_TRACE_DISABLED": "true",
    }


def _zipped(folders: Mapping[str, Path]) -> bytes:
    """An archive of these folders' contents, each below its name."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for prefix, folder in folders.items():
            for path in sorted(folder.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    archive.write(path, str(Path(prefix) / path.relative_to(folder)))
    return content.getvalue()


def _processor(process: psutil.Process) -> float:
    with suppress(psutil.Error):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0
