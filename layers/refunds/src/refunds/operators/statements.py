"""How a statement about a request is recorded: once per change, each with its revision and its id."""

from __future__ import annotations

from refunds.contracts.outbound import Outcome, outcome_id
from refunds.domain.entry import Entry
from refunds.domain.outcomes import same_statement


def stated(entry: Entry, outcome: Outcome) -> Outcome:
    """The outcome as it is recorded in and published of ``entry``.

    The same statement stays as it was stored, to the letter. Another one gets the version that the item
    has once it is recorded, and an id of its own.
    """
    if entry.outcome is not None and same_statement(entry.outcome, outcome):
        return entry.outcome
    number = entry.statement if entry.outcome is None else entry.statement + 1
    name = outcome_id(
        outcome.cancel_type, outcome.cancel_request_id, outcome.outcome, outcome.error, number=number
    )
    return outcome.model_copy(update={"outcome_id": name, "revision": entry.revision + 1})
