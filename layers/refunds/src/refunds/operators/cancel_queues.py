"""Where the messages of a cancel type wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from refunds.cancel_types import MODULES, cancel_type
from refunds.domain.policy import Policy
from refunds.errors import ConfigurationError

_NAMED: Final = "payment_cancel"  # whose queue the replay function is told


@dataclass(frozen=True)
class CancelQueues:
    """One cancel type with the URLs of its queue and its dead-letter queue."""

    policy: Policy
    queue_url: str
    dlq_url: str

    @property
    def cancel_type(self) -> str:
        """The cancel type's name."""
        return self.policy.cancel_type


def queues_of_outputs(outputs: Mapping[str, str]) -> tuple[CancelQueues, ...]:
    """All queues, from a stack's outputs (``PaymentCancelQueueUrl``, ``PaymentCancelDlqUrl``, …).

    Raises:
        ConfigurationError: an output is missing; it is named.
    """
    return tuple(
        CancelQueues(
            cancel_type(name).policy, _output(outputs, name, "QueueUrl"), _output(outputs, name, "DlqUrl")
        )
        for name in MODULES
    )


def queues_of_url(url: str) -> tuple[CancelQueues, ...]:
    """Every cancel type's queues, from the URL of ``payment_cancel``'s: the others differ in the name only.

    Raises:
        ConfigurationError: it is no such URL.
    """
    prefix = url.removesuffix(_slug(_NAMED))
    if prefix == url:
        raise ConfigurationError(f"OPERATOR_QUEUE_URL is not the URL of the queue of {_NAMED}")
    return tuple(
        CancelQueues(cancel_type(name).policy, prefix + _slug(name), f"{prefix}{_slug(name)}-dlq")
        for name in MODULES
    )


def chosen(all_queues: Iterable[CancelQueues], cancel_types: Iterable[str]) -> tuple[CancelQueues, ...]:
    """The queues of these cancel types; every one if none is named.

    Raises:
        ConfigurationError: there is no such cancel type.
    """
    known = {queues.cancel_type: queues for queues in all_queues}
    wanted = tuple(cancel_types) or tuple(known)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ConfigurationError(f"no cancel type {', '.join(unknown)}: choose from {', '.join(known)}")
    return tuple(known[name] for name in wanted)


def output_name(cancel_type_name: str, what: str) -> str:
    """The stack output of a cancel type, e.g. ``PaymentCancelQueueUrl``."""
    return "".join(part.capitalize() for part in cancel_type_name.split("_")) + what


def _slug(name: str) -> str:
    return name.replace("_", "-")


def _output(outputs: Mapping[str, str], name: str, what: str) -> str:
    key = output_name(name, what)
    if key not in outputs:
        raise ConfigurationError(f"the stack has no output {key}: is it a refund handler's stack?")
    return outputs[key]
