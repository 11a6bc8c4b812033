"""`make tail`: the outcomes on the accounting bus of the running stack, as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from botocore.exceptions import EndpointConnectionError

from local.stack.outcomes import OutcomeLog
from local.stack.stack import Stack
from local.stack.statements import in_words
from local.stack.toolchain import StackError


def tail(stack: Stack, write: Callable[[str], None], *, goes_on: Callable[[], bool] = lambda: True) -> None:
    """Write a line per outcome published from now on, repetitions included, while ``goes_on`` says so.

    Raises:
        StackError: the stack has stopped.
    """
    try:
        with OutcomeLog.attach(stack) as log:
            write(f"listening on {stack.outputs['AccountingBusName']}; Ctrl-C ends it")
            while goes_on():
                for event in log.read(wait_seconds=1):
                    for line in lines(event):
                        write(line)
    except EndpointConnectionError:
        raise StackError("the local stack has stopped") from None


def lines(event: Mapping[str, Any]) -> Iterator[str]:
    """One outcome for people: what, of whom, how much; and below it why not."""
    detail = event["detail"]
    told = f"{event['detail-type']:<15}  {detail['cancel_request_id']}  {detail['cancel_type']}"
    yield "  ".join([told, f"revision {detail['revision']}", *_money(detail["money"])])
    if error := detail["error"]:
        may = "it may have been applied" if error["may_have_been_applied"] else "nothing was applied"
        yield f"{'':<15}  {error['code']}, {may}: {error['message']}"


def _money(money: Mapping[str, Any] | None) -> list[str]:
    if money is None:
        return []
    if money["cancelled"] is None:
        return [f"{money['currency']} unknown"]
    return [in_words({money["currency"]: Decimal(str(money["cancelled"]))})]
