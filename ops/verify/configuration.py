"""What is deployed, compared with what the code relies on; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from botocore.exceptions import ClientError

from refunds.operators.cancel_queues import output_name
from verify.findings import Deployment, Finding

_ALIAS: Final = ":live"


def mappings_invoke_the_alias(deployment: Deployment) -> Finding:
    """A version that nobody released gets no message, and a batch fails message by message."""
    wrong = [
        mapping["FunctionArn"]
        for mapping in _mappings(deployment)
        if not mapping["FunctionArn"].endswith(_ALIAS)
        or mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]
    ]
    return Finding("each event source mapping invokes the alias live", not wrong, ", ".join(wrong))


def a_dlq_keeps_longer(deployment: Deployment) -> Finding:
    """A message that SQS moves keeps the time at which it was sent."""
    sqs = deployment.client("sqs")
    names = ["MessageRetentionPeriod"]
    wrong = []
    for queues in deployment.operations.all_queues:
        kept, in_dlq = (
            int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"][names[0]])
            for url in (queues.queue_url, queues.dlq_url)
        )
        wrong += [queues.cancel_type] if in_dlq <= kept else []
    return Finding("a DLQ keeps messages for longer than its queue", not wrong, ", ".join(wrong))


def loops_are_allowed(deployment: Deployment) -> Finding:
    """A message that is put back during an outage goes round more often than Lambda lets it by default."""
    functions = deployment.client("lambda")
    try:
        found = {
            name: functions.get_function_recursion_config(FunctionName=name)["RecursiveLoop"]
            for name in _functions(deployment)
        }
    except ClientError as error:
        return Finding("each function may be invoked by its own messages", None, str(error))
    wrong = [name for name, value in found.items() if value != "Allow"]
    return Finding("each function may be invoked by its own messages", not wrong, ", ".join(wrong))


def limits_are_text(deployment: Deployment) -> Finding:
    """`Fn::ToJsonString` was resolved to what the parameter says."""
    functions = deployment.client("lambda")
    wrong = []
    for name in _functions(deployment):
        answer = functions.get_function_configuration(FunctionName=name)
        limits = answer["Environment"]["Variables"].get("LIMITS_OF_VERSION", "")
        wrong += [name] if "Ref" in limits or "Fn::" in limits else []
    return Finding("the limits of a version are text", not wrong, ", ".join(wrong))


def _functions(deployment: Deployment) -> list[str]:
    return [
        deployment.outputs[output_name(queues.cancel_type, "FunctionName")]
        for queues in deployment.operations.all_queues
    ]


def _mappings(deployment: Deployment) -> Iterator[Any]:
    for name in _functions(deployment):
        for function in (f"{name}{_ALIAS}", name):
            answer = deployment.client("lambda").list_event_source_mappings(FunctionName=function)
            yield from answer["EventSourceMappings"]
