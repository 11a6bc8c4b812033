"""The commands: what can be typed. Each is loaded when it is named; what it does, when it runs."""

from __future__ import annotations

import copy
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup


class _Lazy:
    """Of a command or a group: help and completion load nothing that only values of options need."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The options; while the shell completes a line, nobody works with their values."""
        found: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        return [_as_typed(option) for option in found] if ctx.resilient_parsing else found

    def get_help_option(self, ctx: Any) -> Any:
        """The option ``--help``; where it is not given there is no value to convert."""
        option: Any = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None and "process_value" not in vars(option):
            usual = option.process_value
            option.process_value = lambda context, value: None if value is None else usual(context, value)
        return option


def _as_typed(option: Any) -> Any:
    """A copy of an option that takes whatever was typed: converting it would load pydantic."""
    found = copy.copy(option)
    found.process_value = lambda _context, value: value
    return found


#: Where each command is, by its group's name and its own: ``module:function``.
_PLACES: Final[dict[tuple[str, str], str]] = {}


class Group(_Lazy, TyperGroup):
    """A group of commands that are known by name and summary until one of them is named."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that was named, with its options."""
        name, command, rest = super().resolve_command(ctx, args)
        place = _PLACES.get((self.name or "", name or ""))
        return name, command if command is None or place is None else _whole(command, place), rest


class Command(_Lazy, TyperCommand):
    """One command."""


def _whole(known: Any, place: str) -> Any:
    """A command as its module declares it, under the name and with the examples that are known here."""
    from refundctl.option_groups import with_option_groups

    module, _, function = place.partition(":")
    only = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    command = with_option_groups(getattr(import_module(f"{__name__}.{module}"), function))
    only.command(known.name, cls=Command, short_help=known.short_help, epilog=known.epilog)(command)
    return typer.main.get_command(only)


def _examples(*commands: str) -> str:
    """The end of a command's help; the sign keeps its lines as they are."""
    return "\n".join(["\b", "Examples:", *(f"  refundctl {command}" for command in commands)])


def _version(value: bool) -> None:  # noqa: FBT001 - typer calls it so
    if value:
        from importlib.metadata import version

        print(f"refundctl {version('refund-handler')}")
        raise typer.Exit


_SETTINGS: Final = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    add_completion=False,  # its options would load what completing does not need: `refundctl completion`
    rich_markup_mode=None,  # plain help: whole words in 80 columns, and nothing to load
    pretty_exceptions_enable=False,  # tracebacks with local variables would show messages
    context_settings=_SETTINGS,
    epilog=_examples(
        "queues --stack refunds-prod",
        "dlq list",
        "explain OUTCOME_UNKNOWN",
        "status cr-20261121-0001",
        "dlq replay -e PROVIDER_UNAVAILABLE",
    )
    + "\n\n\b\nExit codes: 0 done, 1 error, 2 wrong usage, 3 differences found,\n"
    "4 something is left to do, 130 interrupted.",
)
_dlq = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Dead-letter queues: list, show, replay, discard, export.",
)


@app.callback()
def _main(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """See, repair, replay and resolve refunds. Every command takes --json. Start with `dlq list`."""


def _add(to: typer.Typer, name: str, place: str, summary: str, *examples: str) -> None:
    """``summary`` is the command's line in the list of commands: it fits 80 columns."""
    _PLACES["dlq" if to is _dlq else "", name] = place

    def known() -> None:
        """Stand for the command until it is named."""

    to.command(name, cls=Command, short_help=summary, epilog=_examples(*examples))(known)


_add(
    _dlq,
    "list",
    "dlq:list_messages",
    "What is there, since when and why.",
    "dlq list",
    "dlq list -t order_cancel --older-than 1d",
    "dlq list --match request.imp_uid=imp_448280090638",
    "dlq list --json | jq -r 'select(.type == \"message\").cancel_request_id'",
)
_add(_dlq, "show", "dlq:show_message", "One message, masked, and its verdict.", "dlq show cr-20261121-0001")
_add(
    _dlq,
    "replay",
    "dlq:replay",
    "Tell what a replay would do; do it.",
    "dlq replay -e PROVIDER_UNAVAILABLE",
    "dlq replay -e PROVIDER_UNAVAILABLE --limit 5 --yes --reason 'ticket 4711'",
    "dlq replay --step --reason 'ticket 4711'",
    'dlq replay --id cr-1 --patch \'{"request": {"amount": 3000}}\'',
)
_add(
    _dlq,
    "discard",
    "dlq:discard",
    "End requests that never moved money.",
    "dlq discard --id cr-1 --by kim --reason 'not wanted, ticket 4711'",
    "dlq discard --id cr-1 --by kim --reason 'not wanted, ticket 4711' --yes",
)
_add(
    _dlq,
    "export",
    "dlq:export",
    "Write messages as files for sam local.",
    "dlq export --id cr-1 --to letters",
)
app.add_typer(_dlq, name="dlq")
_add(
    app,
    "queues",
    "sending:queues",
    "How many messages wait, and for how long.",
    "queues",
    "queues -t payment_cancel --json",
)
_add(
    app,
    "explain",
    "explaining:explain",
    "What a code or an alarm means, and what to do.",
    "explain OUTCOME_UNKNOWN",
    "explain refunds-prod-payment-cancel-held",
)
_add(
    app,
    "status",
    "requests:status",
    "What became of a request, an order, a payment.",
    "status cr-20261121-0001",
    "status imp_448280090638 --no-dlq",
    "status cr-20261121-0001 --wait-for 5m",
)
_add(
    app,
    "resolve",
    "requests:resolve",
    "Ask the provider, or end a request by hand.",
    "resolve cr-20261121-0001",
    "resolve cr-1 --as succeeded --reference RR-1 --by kim --evidence 'console, 4711'",
    "resolve cr-1 --as failed --by kim --evidence 'console, 4711'",
)
_add(
    app,
    "admit",
    "requests:admit",
    "Let a request pass that a limit keeps back.",
    "admit cr-1 --by kim --reason 'approved by lee, ticket 4711'",
)
_add(
    app,
    "republish",
    "accounting:republish",
    "Publish outcomes again that accounting lost.",
    "republish --since 2h",
    "republish --since 2026-11-21T05:00:00+09:00 --until 2h --yes",
)
_add(
    app,
    "reconcile",
    "accounting:reconcile",
    "Compare PortOne's books with the ledger.",
    "reconcile",
    "reconcile --date 2026-11-20 --csv differences.csv",
)
_add(app, "pause", "sending:pause", "Stop sending; everything stays queued.", "pause -t payment_cancel")
_add(app, "resume", "sending:resume", "Send again.", "resume")
_add(app, "sending", "sending:sending", "Whether each cancel type is sending or paused.", "sending")
_add(
    app,
    "carry-over",
    "sending:carry_over",
    "Keep what waits through a pause of days.",
    "carry-over",
    "carry-over -t payment_cancel --older-than 2d --yes",
)
_add(
    app,
    "completion",
    "explaining:completion",
    "A script that completes types and codes.",
    "completion bash > ~/.local/share/bash-completion/completions/refundctl",
)
