"""The commands."""

from __future__ import annotations

import typer

from refundctl.commands import accounting, dlq, replaying, sending, settle, status

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # tracebacks with local variables would show messages
    help="See, repair, replay and settle refunds. Every command takes --json. Start with `dlq list`.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
dlq.app.command("replay")(replaying.replay)
app.add_typer(dlq.app, name="dlq")
app.command("status")(status.status)
app.command("resolve")(settle.resolve)
app.command("admit")(settle.admit)
app.command("republish")(accounting.republish)
app.command("reconcile")(accounting.reconcile)
app.command("pause")(sending.pause)
app.command("resume")(sending.resume)
app.command("sending")(sending.sending)
