"""The SQS side of a message: when it comes again, and how it gets to the DLQ."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from refunds.domain.disposition import Reason, RetryClass

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

#: Message attribute: UNIX seconds at which a message was held back for the first time.
HELD_SINCE: Final = "held_since"
#: Message attribute of a dead letter: the cancel type whose message it is.
CANCEL_TYPE: Final = "cancel_type"

_MAX_DELAY: Final = 900  # seconds; SQS limit of DelaySeconds
#: Seconds; SQS refuses more than 43,200 counted from the receive, which a function sees up to 900 s later.
_MAX_VISIBILITY: Final = 43_200 - 900
_MAX_ATTRIBUTE: Final = 1_000  # characters
_MAX_MESSAGE: Final = 1_048_576  # bytes of body and attributes together; SQS limit
#: Control characters, and what SQS does not take at all (SendMessage, "MessageBody").
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+")


class MessageQueue:
    """The queue of one cancel type and its DLQ; either may be absent under ``sam local invoke``.

    Args:
        clock: UNIX seconds.
    """

    def __init__(
        self,
        client: SQSClient,
        queue_url: str | None,
        dlq_url: str | None,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._queue_url = queue_url
        self._dlq_url = dlq_url
        self._clock = clock

    def hide(self, receipt_handle: str, seconds: int) -> None:
        """Let the message come again after ``seconds``, or after as many as SQS allows."""
        if self._queue_url is None:
            return
        self._client.change_message_visibility(
            QueueUrl=self._queue_url,
            ReceiptHandle=receipt_handle,
            VisibilityTimeout=max(min(seconds, _MAX_VISIBILITY), 0),
        )

    def hold(self, body: str, *, since: float, seconds: int) -> bool:
        """Put a fresh copy of the message into its queue; ``Message.held_since`` finds ``since`` again.

        The copy's retention begins anew with it, so what is put back again and again never expires; a
        body that leaves no room for the attribute begins to count anew.

        Returns whether there is a queue to put it into.
        """
        if self._queue_url is None:
            return False
        self._send(
            self._queue_url,
            body,
            {HELD_SINCE: str(int(since))},
            data_type="Number",
            DelaySeconds=max(min(seconds, _MAX_DELAY), 0),
        )
        return True

    def dead_letter(
        self, body: str, reason: Reason, *, cancel_type: str, cancel_request_id: str | None
    ) -> bool:
        """Put a copy of the message into the DLQ, its reason as message attributes.

        The body always gets there; attributes are cut to the room that it leaves.

        Returns whether there is a DLQ to put it into.
        """
        if self._dlq_url is None:
            return False
        attributes = {  # what matters most is first: the last is cut, then left out
            "error_code": str(reason.code),
            CANCEL_TYPE: cancel_type,
            "cancel_request_id": cancel_request_id or "",
            "failed_at": datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds"),
            "error_message": reason.message[:_MAX_ATTRIBUTE],
        }
        self._send(self._dlq_url, body, attributes)
        return True

    def _send(
        self, queue_url: str, body: str, values: Mapping[str, str], *, data_type: str = "String", **delay: int
    ) -> None:
        """Send, without the attributes if SQS does not take them: the body is what must not be lost."""
        attributes = _attributes(values, data_type, _MAX_MESSAGE - len(body.encode(errors="surrogatepass")))
        message: dict[str, Any] = {"QueueUrl": queue_url, "MessageBody": body, **delay}
        try:
            self._client.send_message(**message, MessageAttributes=attributes)
        except Exception as error:
            if not (attributes and _refused(error)):
                raise
            self._client.send_message(**message)


def _attributes(values: Mapping[str, str], data_type: str, room: int) -> dict[str, Any]:
    """What fits of them, without what SQS refuses: empty values and characters that are no text.

    Only the last is cut: an identifier that is cut would name something else.
    """
    found: dict[str, Any] = {}
    *_, last = values
    for name, value in values.items():
        text = _UNPRINTABLE.sub(" ", value).strip()
        left = room - len(name) - len(data_type)
        if name == last:
            text = text.encode()[: max(left, 0)].decode(errors="ignore")
        if text and len(text.encode()) <= left:
            found[name] = {"DataType": data_type, "StringValue": text}
            room = left - len(text.encode())
    return found


def _refused(error: Exception) -> bool:
    """Whether SQS says that the message is not as it should be."""
    response: Any = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code", "") if isinstance(response, Mapping) else ""
    return str(code).rpartition(".")[2].startswith("Invalid")


@dataclass(frozen=True)
class Backoff:
    """Seconds a failed message stays invisible: exponential from ``base`` to ``cap``, jittered.

    ``later`` is the first delay of errors that last (bank maintenance around midnight, a
    merchant balance that is too small); SQS allows at most 43,200 s of invisibility.
    """

    base: float
    cap: float
    later: float


class RetrySchedule:
    """Exponential backoff with equal jitter, by class of error.

    Args:
        jitter: uniform in 0 … 1; spreads messages that failed together.
    """

    def __init__(self, backoff: Backoff, jitter: Callable[[], float] = random.random) -> None:
        self._backoff = backoff
        self._jitter = jitter

    def delay(self, retry_class: RetryClass, receive_count: int, not_before: float) -> int:
        """Whole seconds until the message may come again; sooner than ``not_before`` only at SQS's limit."""
        backoff = self._backoff
        first = backoff.later if retry_class is RetryClass.LATER else backoff.base
        cap = max(backoff.cap, first)
        ceiling = min(cap, first * 2.0 ** min(max(receive_count - 1, 0), 16))
        wait = max(ceiling * (0.5 + 0.5 * self._jitter()), not_before + self._jitter())
        return max(math.ceil(min(wait, _MAX_VISIBILITY)), 1)
