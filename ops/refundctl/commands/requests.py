"""``refundctl status``, ``refundctl resolve`` and ``refundctl admit``."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import typer

from refundctl.choices import check_code, complete_code
from refundctl.connection import Target
from refundctl.output import Output
from refundctl.parameters import CancelTypeOption, amount, duration, not_blank
from refunds.errors import ErrorCode

RequestId = Annotated[
    str,
    typer.Argument(metavar="CANCEL_REQUEST_ID", help="The order service's id of it.", callback=not_blank),
]


def status(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="cancel_request_id, order_id, imp_uid or merchant_uid.", callback=not_blank
        ),
    ],
    target: Target,
    output: Output,
    *,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until it has ended or a person has to do something.")
    ] = False,
    longest: Annotated[
        str, typer.Option("--wait-for", metavar="TIME", help="How long at most: 90s, 15m. Implies --wait.")
    ] = "",
    dlq: Annotated[
        bool, typer.Option("--dlq/--no-dlq", help="Look through the dead-letter queues for its messages.")
    ] = True,
) -> None:
    """Tell what is known of a request, an order or a payment, and where the messages are."""
    patience = duration(longest or "10m") if wait or longest else None
    from refundctl.actions import telling

    telling.status(identifier, target, output, dlq=dlq, patience=patience)


def resolve(  # noqa: PLR0913 - one option each
    request_id: RequestId,
    target: Target,
    output: Output,
    *,
    cancel_type: CancelTypeOption = None,
    ending: Annotated[
        Literal["succeeded", "failed"] | None,
        typer.Option("--as", metavar="succeeded|failed", help="Resolve by hand: what you know to be true."),
    ] = None,
    evidence: Annotated[
        str | None,
        typer.Option("--evidence", metavar="TEXT", help="How you know: console, statement, ticket."),
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Your name, for the request's history.")
    ] = None,
    refunded: Annotated[
        Decimal | None,
        typer.Option(
            "--amount",
            metavar="AMOUNT",
            parser=amount,
            help="What was refunded, where the ledger cannot know: 1000, 181.56.",
        ),
    ] = None,
    currency: Annotated[
        str | None,
        typer.Option(
            "--currency", metavar="CODE", help="ISO 4217, where the ledger does not know it: KRW, USD."
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference", metavar="ID", help="The provider's id: cancellation_id or returnRequestId."
        ),
    ] = None,
    code: Annotated[
        str,
        typer.Option(
            "--code",
            metavar="CODE",
            callback=check_code,
            autocompletion=complete_code,
            help="Why it failed, with --as failed.",
        ),
    ] = ErrorCode.PROVIDER_REFUSED.value,
    never_booked: Annotated[
        bool,
        typer.Option(
            "--never-booked",
            help="With --as failed: a gateway that books later says itself that it will not carry it out.",
        ),
    ] = False,
    confirm: Annotated[
        str | None,
        typer.Option("--confirm", metavar="ID", help="The cancel_request_id again, instead of being asked."),
    ] = None,
) -> None:
    """Ask the provider what became of a request; or, with --as, resolve it by hand. Never sends."""
    if ending is not None and (not evidence or not by):
        raise typer.BadParameter("resolving by hand needs --evidence and --by")
    from refundctl.actions import resolving

    by_hand = None
    if ending is not None:
        by_hand = resolving.ByHand(
            ending,
            evidence or "",
            by or "",
            refunded,
            currency.upper() if currency else None,
            reference,
            code,
            never_booked,
            confirm,
        )
    resolving.resolve(request_id, target, output, cancel_type, by_hand)


def admit(
    request_id: RequestId,
    target: Target,
    output: Output,
    *,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Your name.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it may pass.")],
    cancel_type: CancelTypeOption = None,
) -> None:
    """Let one request pass that a limit keeps back (LIMIT_EXCEEDED); then replay its message."""
    from refundctl.actions import resolving

    resolving.admit(request_id, target, output, cancel_type, by, reason)
