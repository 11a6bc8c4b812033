"""Goes through dead letters one by one, and asks what to do with each."""

from __future__ import annotations

from collections import Counter
from contextlib import closing

import typer

from refundctl.actions.actor import actor as acting
from refundctl.actions.dead_letters import find, pretty
from refundctl.actions.matching import Seen
from refundctl.actions.replaying import ReplayOrder, told
from refundctl.connection import Target
from refundctl.endings import EXIT_INTERRUPTED, EXIT_LEFT
from refundctl.output import Output, span
from refundctl.parameters import Filters
from refunds.ledger.audit import Actor
from refunds.operators.cancel_queues import chosen
from refunds.operators.dead_letters import DeadLetterMessage, Selection
from refunds.operators.discarding import DiscardRefused
from refunds.operators.masking import mask_body
from refunds.operators.operations import Operations
from refunds.operators.rate_limiter import RateLimiter
from refunds.operators.replay import Plan
from refunds.operators.replay_verdicts import ReplayVerdict

_QUESTION = "replay (r), skip (s), discard (d), show the message (m), quit (q)"


def step(target: Target, filters: Filters, output: Output, order: ReplayOrder) -> None:
    """Show a message with its verdict, the oldest first, and do what is typed."""
    operations = target.operations()
    actor = acting(operations, order.by, order.reason)
    seen = Seen(filters)
    found = find(operations, chosen(operations.all_queues, filters.cancel_types or ()), filters.selection())
    for dead_letter in found:
        seen.add(dead_letter)
    seen.check()
    done: Counter[str] = Counter()
    try:
        for number, dead_letter in enumerate(found[: order.limit], start=1):
            output.remark(f"{number} of {len(found)}")
            if not _one(operations, dead_letter, actor, order, output, done):
                break
    except (KeyboardInterrupt, typer.Abort):
        _sum_up(done, len(found), output)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    left = _sum_up(done, len(found), output)
    if left:
        raise typer.Exit(EXIT_LEFT)


def _sum_up(done: Counter[str], total: int, output: Output) -> int:
    left = total - done["replayed"] - done["discarded"]
    output.row("steps", replayed=done["replayed"], discarded=done["discarded"], left=left)
    output.say(f"\n{done['replayed']} replayed, {done['discarded']} discarded, {left} left.")
    return left


def _one(
    operations: Operations,
    dead_letter: DeadLetterMessage,
    actor: Actor,
    order: ReplayOrder,
    output: Output,
    done: Counter[str],
) -> bool:
    """Whether to go on."""
    (judgement,) = operations.judge(asks=order.ask).judge([dead_letter])
    facts = {
        "cancel_type": dead_letter.queues.cancel_type,
        "cancel_request_id": dead_letter.cancel_request_id,
        "order_id": dead_letter.order_id,
        "age": span(operations.clock() - dead_letter.sent_at),
        "error_code": dead_letter.error_code,
        "why": dead_letter.error_message,
        "verdict": f"{judgement.verdict}: {judgement.why}",
    }
    output.facts(dead_letter.message_id, facts.items())
    while True:
        match typer.prompt(_QUESTION, default="s", err=True).strip().lower()[:1]:
            case "r":
                done["replayed"] += _replay(operations, dead_letter, actor, order, output)
                return True
            case "d":
                done["discarded"] += _discard(operations, dead_letter, actor, output)
                return True
            case "m":
                output.say(pretty(mask_body(dead_letter.body)))
            case "q":
                return False
            case "s":
                return True


def _replay(
    operations: Operations, dead_letter: DeadLetterMessage, actor: Actor, order: ReplayOrder, output: Output
) -> bool:
    """Whatever its verdict: the operator has seen it. One that would come back at once stays."""
    wanted = frozenset(ReplayVerdict) - {ReplayVerdict.INVALID}
    plan = Plan(Selection(ids=frozenset({dead_letter.message_id})), actor, wanted)
    worker = operations.replay(asks=order.ask)
    moved = False
    with closing(worker.run([dead_letter.queues], plan, RateLimiter(order.rate))) as judged:
        for one in judged:
            output.row("message", **told(one, operations.clock()))
            output.say("Replayed." if one.replayed else f"Not replayed: {one.failure or one.judgement.why}")
            moved = moved or one.replayed
    return moved


def _discard(operations: Operations, dead_letter: DeadLetterMessage, actor: Actor, output: Output) -> bool:
    try:
        discarded = operations.discarding.discard(dead_letter, actor)
    except DiscardRefused as error:
        output.remark(str(error))
        return False
    output.row("discarded", message_id=dead_letter.message_id, removed=discarded.removed, told=discarded.told)
    output.say(discarded.what)
    return discarded.removed
