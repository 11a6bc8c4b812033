"""Stops and starts sending."""

from __future__ import annotations

from collections.abc import Sequence

from refundctl.connection import Target
from refundctl.output import Output
from refunds.operators.cancel_queues import chosen
from refunds.operators.pause import Switched


def pause(target: Target, output: Output, cancel_types: Sequence[str], *, single_events: bool) -> None:
    """Stop sending."""
    operations = target.operations()
    all_queues = chosen(operations.all_queues, cancel_types)
    _report(operations.sending.pause(all_queues, single_events=single_events), output)
    output.suggest("Queues keep messages for 4 days. To go on:", "refundctl resume")


def resume(target: Target, output: Output, cancel_types: Sequence[str]) -> None:
    """Send again."""
    operations = target.operations()
    all_queues = chosen(operations.all_queues, cancel_types)
    stopped = operations.sending.single_events_stopped(all_queues)
    _report(operations.sending.resume(all_queues), output)
    if stopped:
        output.row("stopped", functions=stopped)
        output.suggest(
            "Events that came while functions were stopped wait in the dead-letter queues. To replay them:",
            "refundctl dlq replay -e UNHANDLED",
        )


def sending(target: Target, output: Output) -> None:
    """Whether each cancel type is sending or paused."""
    operations = target.operations()
    _report(operations.sending.state(operations.all_queues), output)


def _report(switched: Sequence[Switched], output: Output) -> None:
    for one in switched:
        output.row("sending", cancel_type=one.cancel_type, state=one.state.value)
    output.table("Sending", ["type", "state"], [(one.cancel_type, one.state.value) for one in switched])
