"""What the functions of a stack have logged."""

from __future__ import annotations

from collections.abc import Iterator

from local.stack.stack import Stack


def log_lines(stack: Stack, group: str = "") -> Iterator[str]:
    """Every line in the log groups whose name begins with ``group``, of every invocation that has ended."""
    for page in stack.aws.logs.get_paginator("describe_log_groups").paginate():
        for found in page["logGroups"]:
            if found["logGroupName"].startswith(group):
                yield from _lines(stack, found["logGroupName"])


def _lines(stack: Stack, group: str) -> Iterator[str]:
    logs = stack.aws.logs
    # Page by page: there is a stream for every invocation, and 50 to a page.
    for page in logs.get_paginator("describe_log_streams").paginate(logGroupName=group):
        for stream in page["logStreams"]:
            events = logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
            yield from (event["message"] for event in events)
