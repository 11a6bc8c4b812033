"""What can be observed of a request to a provider, without anything that was in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Fault = Literal["not_sent", "no_answer", "server_error", "throttled", "unreadable"]
"""``not_sent``: no connection. ``no_answer``: none, or not to its end. ``server_error``: HTTP 5xx.
``throttled``: HTTP 429. ``unreadable``: an answer without a JSON object in it."""


@dataclass(frozen=True)
class ProviderCall:
    """One request to a provider.

    Attributes:
        operation: method and path without its values: ``DELETE /vbanks/{imp_uid}``.
        seconds: until its answer had been read, or it failed.
        status: HTTP status; ``None`` where no answer arrived.
        failure: why it is no proper answer; ``None`` if it is one, a refusal included.
    """

    operation: str
    seconds: float
    status: int | None
    failure: Fault | None
