"""What it takes to ask a provider about a request, without ever sending it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from refunds.cancel_types import cancel_type
from refunds.contracts.inbound import Cancellation, ProviderRequest, parse_cancellation
from refunds.contracts.outbound import SCHEMA_VERSION
from refunds.domain.deadline import Deadline
from refunds.domain.entry import Entry, State
from refunds.domain.operation import Attempt, Operation, Resolution, ResolveContext
from refunds.domain.tag import tag_of
from refunds.ledger.claims import Ledger


@dataclass(frozen=True)
class StatusInquiry:
    """The provider operations and the ledger that tells a payment's cancellations apart.

    Attributes:
        operations: by cancel type.
        patience: seconds one question may take, its access token included.
    """

    operations: Mapping[str, Operation[Any]]
    ledger: Ledger
    patience: float

    def attempt(self, kind: str, cancellation: Cancellation[ProviderRequest]) -> Attempt[Any]:
        """An attempt that may be asked about for as long as ``patience``."""
        deadline = Deadline(time.monotonic() + self.patience, time.monotonic)
        return Attempt(cancellation, tag_of(kind, cancellation.cancel_request_id), deadline)

    def resolve(self, entry: Entry, cancellation: Cancellation[ProviderRequest]) -> Resolution:
        """What the provider shows of a request that may have been sent. ``entry.baseline`` must be there.

        Raises:
            LookupFailed, NotSent, ConfigurationError: it gave no usable answer.
            InvalidRequest: the provider cannot be asked about such a request.
        """
        if entry.baseline is None:
            raise ValueError(f"{entry.key} has no baseline to compare an answer with")
        context = ResolveContext(
            refusal=None,
            only_attempt=False,
            siblings=lambda: self.ledger.siblings(entry),
            sent_at=entry.begun_at,
        )
        attempt = self.attempt(entry.key.cancel_type, cancellation)
        return self.operations[entry.key.cancel_type].resolve(attempt, entry.baseline, context)


def recall(entry: Entry) -> Cancellation[Any]:
    """The cancellation as far as the ledger remembers it: fit for asking, not for sending.

    Personal data and the customer's reason were never stored. The currency is the event's, else the one that
    the provider showed: amounts with decimals are valid in it only.

    Raises:
        InvalidRequest: the item was written under another contract.
    """
    return parse_cancellation(
        cancel_type(entry.key.cancel_type).policy.contract,
        {
            "schema_version": SCHEMA_VERSION,
            "cancel_request_id": entry.key.cancel_request_id,
            "order_id": entry.order_id,
            "requested_at": entry.requested_at,
            "requested_by": entry.requested_by,
            "reason": "",
            **({} if (currency := known_currency(entry)) is None else {"currency": currency}),
            "request": dict(entry.request),
        },
    )


def may_be_booked_later(entry: Entry) -> bool:
    """Whether what was sent may still be booked, however long ago that was.

    At such a gateway neither an unchanged balance nor a missing entry proves anything, so nothing is ever
    sent again by anybody (docs/protocol.md).
    """
    if entry.state is State.PENDING:
        return True
    return entry.in_doubt and cancel_type(entry.key.cancel_type).policy.may_book_later(entry.baseline)


def known_currency(entry: Entry) -> str | None:
    """What the amounts of a request are in: what the provider showed, else what the event said.

    What a parked outcome says of a currency is only what the event is taken to have meant.
    """
    if entry.baseline is not None and entry.baseline.currency is not None:
        return entry.baseline.currency
    if entry.currency is not None:
        return entry.currency
    if entry.state is State.PARKED or entry.outcome is None or entry.outcome.money is None:
        return None
    return entry.outcome.money.currency
