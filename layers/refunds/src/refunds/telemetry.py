"""Logs and metrics of what happened to each message: ids and codes, never what was in it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from refunds.contracts.outbound import Outcome
from refunds.disposition import Reason

NAMESPACE = "RefundHandler"

#: Their records hold URLs with ``pg_api_key``, headers with tokens and bodies with accounts.
_TALKATIVE = ("httpx", "httpcore", "botocore", "urllib3")


class Telemetry:
    """One function's log lines and metrics; safe for concurrent records."""

    def __init__(self, logger: Logger, cancel_type: str) -> None:
        self._logger = logger
        self._cancel_type = cancel_type

    @contextmanager
    def record(self, **keys: object) -> Iterator[None]:
        """Put ``keys`` on every log line this thread writes meanwhile."""
        self._logger.thread_safe_append_keys(cancel_type=self._cancel_type, **keys)
        try:
            yield
        finally:
            self._logger.thread_safe_clear_keys()

    def identify(self, **keys: object) -> None:
        """Add what has become known of the record in hand."""
        self._logger.thread_safe_append_keys(**keys)

    def settled(self, outcome: Outcome) -> None:
        """An outcome was reached or found."""
        code = outcome.error.code.value if outcome.error else "NONE"
        self._logger.info(
            "cancellation %s", outcome.outcome.value, extra={"error_code": code, "attempts": outcome.attempts}
        )
        self._count(f"Cancel{outcome.outcome.value.capitalize()}", code)

    def redelivered(self, reason: Reason, seconds: int) -> None:
        """The message will come again."""
        self._logger.warning(
            "not settled yet: %s",
            reason.message,
            extra={"error_code": reason.code.value, "retry_in": seconds},
        )
        self._count("Retried", reason.code.value)

    def dead_lettered(self, reason: Reason) -> None:
        """The message waits in the DLQ."""
        self._logger.error(
            "moved to the dead-letter queue: %s", reason.message, extra={"error_code": reason.code.value}
        )
        self._count("DeadLettered", reason.code.value)

    def failed(self, what: str, error: BaseException) -> None:
        """Something outside the protocol failed. The type is logged and not the text, which may hold data."""
        self._logger.error(what, extra={"error_type": type(error).__name__, "at": _place(error)})

    def _count(self, name: str, code: str) -> None:
        with single_metric(name=name, unit=MetricUnit.Count, value=1, namespace=NAMESPACE) as metric:
            metric.add_dimension(name="cancel_type", value=self._cancel_type)
            metric.add_dimension(name="error_code", value=code)


def _place(error: BaseException) -> str:
    """Where it was raised; a traceback's text could show values that were at hand there."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].name}:{frames[-1].lineno}" if frames else "unknown"


def quiet_libraries() -> None:
    """Silence the libraries that would log what must not be logged, at any log level of ours."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
