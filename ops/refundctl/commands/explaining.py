"""``refundctl explain`` and ``refundctl completion``."""

from __future__ import annotations

from typing import Annotated

import typer

from refundctl.choices import DLQ_CODES, Shell
from refundctl.endings import NothingMatches
from refundctl.output import Output


def _names() -> list[str]:
    from refundctl.runbook import load

    return sorted(load())


def explain(
    code: Annotated[
        str,
        typer.Argument(metavar="CODE", autocompletion=_names, help="An error code, or the name of an alarm."),
    ],
    output: Output,
) -> None:
    """What an error code or an alarm means, and what to do: the runbook's entry."""
    from refundctl.runbook import load, plain

    known = load()
    name = _known(code, list(known))
    entry = known[name]
    final, text = bool(entry["final"]), str(entry["text"])
    output.row("explanation", code=name, final=final if name in DLQ_CODES else None, text=text)
    ends = (
        "The request has ended, no money moved, nothing waits; a new attempt needs a new cancel_request_id."
    )
    output.facts(f"{name}{' (final)' if final else ''}", ())
    output.prose(plain(text))
    if final:
        output.say(f"\n{ends}")


def _known(asked: str, names: list[str]) -> str:
    """The entry meant: by its name in any case, or by an alarm's full name, which ends in it."""
    wanted = asked.strip().casefold()
    folded = {name.casefold(): name for name in names}
    if wanted in folded:
        return folded[wanted]
    ends = [name for name in names if wanted.endswith(f"-{name.casefold()}")]
    if ends:
        return max(ends, key=len)
    import difflib

    close = difflib.get_close_matches(wanted, folded, 3)
    hint = (
        f"did you mean {' or '.join(folded[name] for name in close)}?"
        if close
        else f"known are {', '.join(names)}"
    )
    raise NothingMatches(f"the runbook has no entry {asked}: {hint}")


def completion(shell: Annotated[Shell, typer.Argument(help="Which shell: bash, zsh or fish.")]) -> None:
    """Print a script that completes commands, types and codes: eval "$(refundctl completion bash)"."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined] # typer imports it there

    print(get_completion_script(prog_name="refundctl", complete_var="_REFUNDCTL_COMPLETE", shell=shell))
