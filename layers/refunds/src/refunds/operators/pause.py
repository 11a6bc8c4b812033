"""The pause switch: no message is received, so none uses up a receive, until sending is resumed.

A queue keeps a message for a few days, paused or not, and what expires there goes to no DLQ: it is gone.
Whoever pauses for longer carries the waiting messages over to fresh copies (``CarryOver``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from refunds.errors import RefundsError
from refunds.operators.cancel_queues import CancelQueues

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient
    from types_boto3_sqs import SQSClient

_POLL_SECONDS: Final = 1.0
_ON: Final = frozenset({"Enabled", "Enabling"})


class Sending(StrEnum):
    """Whether messages of a cancel type are received."""

    ENABLED = "enabled"
    PAUSED = "paused"
    CHANGING = "changing"


class SwitchStuck(RefundsError):
    """AWS has not turned every mapping over in time; it goes on turning them."""


@dataclass(frozen=True)
class Switched:
    """One cancel type's mappings."""

    cancel_type: str
    state: Sending


class SendingSwitch:
    """Turns the event source mappings of cancel types off and on.

    Messages that were received before go on to their end, which comes within one function timeout.
    Events that invoke a function directly are stopped by ``single_events``: a function with a reserved
    concurrency of 0 throttles them, and Lambda puts an asynchronous event of such a function into the DLQ
    at once. So ``resume`` is followed by a replay of the DLQ.

    Args:
        clock: seconds, monotonic.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        functions: LambdaClient,
        queues: SQSClient,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._functions = functions
        self._queues = queues
        self._clock = clock
        self._sleep = sleep

    def state(self, all_queues: Sequence[CancelQueues]) -> list[Switched]:
        """How each cancel type stands now."""
        return [Switched(queues.cancel_type, self._state(queues)) for queues in all_queues]

    def pause(
        self, all_queues: Sequence[CancelQueues], *, single_events: bool = False, seconds: float = 180.0
    ) -> list[Switched]:
        """Stop receiving; returns once no mapping receives any more.

        With ``single_events``, every other way to invoke the functions is closed as well, in that order: a
        mapping that still polls a closed function would burn the receives of what it gets.

        Raises:
            SwitchStuck: a mapping still receives after ``seconds``.
        """
        done = self._turn(all_queues, Sending.PAUSED, seconds)
        for name in self._function_names(all_queues) if single_events else ():
            self._functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        return done

    def resume(self, all_queues: Sequence[CancelQueues], *, seconds: float = 180.0) -> list[Switched]:
        """Open what was closed, then receive again.

        Events that came while ``single_events`` were stopped wait in the DLQ: replay them.

        Raises:
            SwitchStuck: a mapping does not receive after ``seconds``.
        """
        for name in self._function_names(all_queues):
            self._functions.delete_function_concurrency(FunctionName=name)
        return self._turn(all_queues, Sending.ENABLED, seconds)

    def single_events_stopped(self, all_queues: Sequence[CancelQueues]) -> list[str]:
        """The functions whose direct invocations are stopped now: what came meanwhile is in their DLQs."""
        return [
            name
            for name in self._function_names(all_queues)
            if self._functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
            == 0
        ]

    def _turn(self, all_queues: Sequence[CancelQueues], wanted: Sending, seconds: float) -> list[Switched]:
        for queues in all_queues:
            for mapping in self._mappings(queues):
                if (mapping["State"] in _ON) is not (wanted is Sending.ENABLED):
                    self._functions.update_event_source_mapping(
                        UUID=mapping["UUID"], Enabled=wanted is Sending.ENABLED
                    )
        until = self._clock() + seconds
        while True:
            done = self.state(all_queues)
            late = [one.cancel_type for one in done if one.state is not wanted]
            if not late:
                return done
            if self._clock() >= until:
                names = ", ".join(late)
                raise SwitchStuck(f"not {wanted} after {seconds:.0f} s: {names}; ask again for their state")
            self._sleep(_POLL_SECONDS)

    def _state(self, queues: CancelQueues) -> Sending:
        states = {mapping["State"] for mapping in self._mappings(queues)}
        if states == {"Disabled"}:
            return Sending.PAUSED
        return Sending.ENABLED if states == {"Enabled"} else Sending.CHANGING

    def _mappings(self, queues: CancelQueues) -> list[Any]:
        attributes = self._queues.get_queue_attributes(QueueUrl=queues.queue_url, AttributeNames=["QueueArn"])
        pages = self._functions.get_paginator("list_event_source_mappings").paginate(
            EventSourceArn=attributes["Attributes"]["QueueArn"]
        )
        return [mapping for page in pages for mapping in page["EventSourceMappings"]]

    def _function_names(self, all_queues: Sequence[CancelQueues]) -> list[str]:
        """Without the alias that the mapping invokes: concurrency is a function's."""
        arns = {mapping["FunctionArn"] for queues in all_queues for mapping in self._mappings(queues)}
        return sorted({arn.split(":")[6] for arn in arns})
