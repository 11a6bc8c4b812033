"""Who acts, as the audit trail names them."""

from __future__ import annotations

import typer

from refundctl.connection import principal
from refunds.ledger.audit import Actor
from refunds.operators.operations import Operations


def actor(operations: Operations, by: str | None, reason: str | None) -> Actor:
    """The person named, with the identity that AWS sees.

    Raises:
        typer.BadParameter: no reason is given.
    """
    if not reason or not reason.strip():
        raise typer.BadParameter("it needs a --reason, for the audit trail")
    identity = principal(operations)
    return Actor(by if by and by.strip() else identity, identity, reason)
