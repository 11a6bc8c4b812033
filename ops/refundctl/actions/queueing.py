"""Shows the queues."""

from __future__ import annotations

from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from refundctl.actions.depths import ages, depth
from refundctl.connection import Target
from refundctl.output import Output, span
from refunds.operators.cancel_queues import chosen
from refunds.operators.operations import Operations


def queues(target: Target, output: Output, cancel_types: Sequence[str]) -> None:
    """Depths of the queues and dead-letter queues, and how old their oldest messages are."""
    operations = target.operations()
    all_queues = chosen(operations.all_queues, cancel_types)
    urls = [url for one in all_queues for url in (one.queue_url, one.dlq_url)]
    known = _ages(operations, urls, output)
    rows = []
    for one in all_queues:
        for what, url in (("queue", one.queue_url), ("DLQ", one.dlq_url)):
            found = depth(operations, url)
            # CloudWatch goes on telling the age of what has left for a minute or two.
            age = known.get(url) if found.total else None
            output.row(
                "queue",
                cancel_type=one.cancel_type,
                dead_letters=url == one.dlq_url,
                waiting=found.waiting,
                in_flight=found.in_flight,
                delayed=found.delayed,
                oldest_age_seconds=age,
            )
            oldest = "" if age is None else span(age)
            rows.append((one.cancel_type, what, found.waiting, found.in_flight, found.delayed, oldest))
    columns = ["type", "", "waiting", "in flight", "delayed", "oldest"]
    output.table("Queues", columns, rows)
    if any(what == "DLQ" and waiting for _, what, waiting, *_ in rows):
        output.suggest("What waits in the dead-letter queues, and why:", "refundctl dlq list")


def _ages(operations: Operations, urls: Sequence[str], output: Output) -> dict[str, int]:
    """Depths are worth showing without ages: whoever may not read metrics is told."""
    try:
        return ages(operations, urls)
    except (ClientError, BotoCoreError) as error:
        output.remark(f"Ages are not known: CloudWatch could not be asked ({type(error).__name__})")
        return {}
