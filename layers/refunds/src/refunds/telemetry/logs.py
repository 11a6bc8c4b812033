"""Logs and metrics of what happened to each message: ids and codes, never what was in it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from aws_lambda_powertools import Logger

from refunds.contracts.outbound import Outcome, OutcomeKind
from refunds.domain.disposition import Reason, Requeue, Source
from refunds.domain.policy import Policy
from refunds.domain.provider_call import ProviderCall
from refunds.telemetry.metrics import Metrics

#: Their records hold URLs with ``pg_api_key``, headers with tokens and bodies with accounts.
_TALKATIVE: Final = ("httpx", "botocore", "boto3", "urllib3")  # the bounded transport silences its own


class Telemetry:
    """One function's log lines and metrics; safe for concurrent records."""

    def __init__(self, logger: Logger, policy: Policy, metrics: Metrics) -> None:
        self._logger = logger
        self._cancel_type = policy.cancel_type
        self._provider = policy.provider
        self._metrics = metrics

    @contextmanager
    def record(self, **keys: object) -> Iterator[None]:
        """Put ``keys`` on every log line this thread writes meanwhile."""
        self._logger.thread_safe_append_keys(cancel_type=self._cancel_type, **keys)
        try:
            yield
        finally:
            self._logger.thread_safe_clear_keys()

    def processed(self, outcome: Outcome, source: Source) -> None:
        """An outcome was reached, or found in the ledger and published again."""
        self._logger.info(
            "cancellation %s",
            outcome.outcome.value,
            extra={
                "error_code": str(outcome.error.code) if outcome.error else None,
                "attempts": outcome.attempts,
                "source": source.value,
            },
        )
        if source is Source.LEDGER:
            self._count("Repeated")
        else:
            self._measure(outcome, source)

    def redelivered(self, reason: Reason, seconds: int) -> None:
        """The message will come again."""
        self._logger.warning(
            "not processed yet: %s",
            reason.message,
            extra={"error_code": str(reason.code), "retry_in": seconds},
        )
        self._count("Retried", str(reason.code))

    def held(self, hold: Requeue) -> None:
        """The message was put back without having been worked on."""
        self._logger.info(
            "held back: %s",
            hold.reason.message,
            extra={"error_code": str(hold.reason.code), "retry_in": hold.seconds},
        )
        self._count("Held")
        # The queue's own age of its oldest message starts anew with every copy.
        self._metrics.add("HeldAge", hold.waited, "Seconds", {"cancel_type": self._cancel_type})

    def dead_lettered(self, reason: Reason) -> None:
        """The message waits in the DLQ."""
        self._logger.error(
            "moved to the dead-letter queue: %s", reason.message, extra={"error_code": str(reason.code)}
        )
        self._count("DeadLettered", str(reason.code))

    def failed(self, what: str, error: BaseException) -> None:
        """Something outside the protocol failed. The type is logged and not the text, which may hold data."""
        self._logger.error(what, extra={"error_type": type(error).__name__, "at": _place(error)})

    def called(self, call: ProviderCall) -> None:
        """A request was made to the provider."""
        self._logger.debug(
            "provider call %s",
            call.operation,
            extra={"status": call.status, "failure": call.failure, "seconds": round(call.seconds, 3)},
        )
        provider = {"provider": self._provider}
        operation = {**provider, "operation": call.operation}
        self._metrics.add("ProviderLatency", call.seconds * 1000, "Milliseconds", provider, operation)
        self._metrics.add("ProviderFailure", 1 if call.failure else 0, "Count", provider, operation)
        if call.failure:
            self._metrics.add("ProviderErrors", 1, "Count", {**provider, "error_class": call.failure})

    def flush(self) -> None:
        """Write the metrics gathered since the last time; one that cannot be written stops nothing else."""
        try:
            self._metrics.flush()
        except Exception as error:  # noqa: BLE001 - the messages are worth more than their metrics
            self.failed("metrics could not be written", error)

    def _measure(self, outcome: Outcome, source: Source) -> None:
        """What is counted once per outcome, as far as deliveries of one message can know."""
        kind = {"cancel_type": self._cancel_type}
        self._count(outcome.outcome.value.capitalize(), str(outcome.error.code) if outcome.error else None)
        if source is Source.QUESTION:
            self._count("ResolvedByQuery")
        if outcome.error is not None and outcome.error.may_have_been_applied:
            self._count("ParkedUnknown")
        age = _age(outcome)
        if age is not None:
            self._metrics.add("Age", age, "Seconds", kind)
        if outcome.outcome is OutcomeKind.SUCCEEDED and outcome.money and outcome.money.cancelled:
            currency = {**kind, "currency": outcome.money.currency}
            self._metrics.add("Refunded", float(outcome.money.cancelled), "None", currency)

    def _count(self, name: str, code: str | None = None) -> None:
        kind = {"cancel_type": self._cancel_type}
        if code is None:
            self._metrics.add(name, 1, "Count", kind)
        else:
            self._metrics.add(name, 1, "Count", kind, {**kind, "error_code": code})


def _age(outcome: Outcome) -> float | None:
    """Seconds from the request to its outcome; clocks may differ, an age is never negative."""
    if outcome.requested_at is None:
        return None
    asked = datetime.fromisoformat(outcome.requested_at)
    return max((datetime.fromisoformat(outcome.occurred_at) - asked).total_seconds(), 0.0)


def _place(error: BaseException) -> str:
    """Where it was raised; a traceback's text could show values that were at hand there."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].name}:{frames[-1].lineno}" if frames else "unknown"


def quiet_libraries() -> None:
    """Silence the libraries that would log what must not be logged, at any log level of ours."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
