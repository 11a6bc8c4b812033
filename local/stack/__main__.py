"""`python -m local.stack up | down | tail | invoke FUNCTION EVENT`: the local stack, from the Makefile."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from local.simulator.control import SimulatorControl
from local.stack import sam_local
from local.stack.deployment import STACK_NAME
from local.stack.invoke import invoke
from local.stack.launch import Options, Say, start, update
from local.stack.processes import listening_address
from local.stack.stack import MINISTACK, Stack
from local.stack.tail import tail
from local.stack.toolchain import PROJECT, STATE_DIR, StackError

# What a shell says of a program that Ctrl-C has ended.
INTERRUPTED = 130


def main() -> int:
    """Read the arguments and do it; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start the stack, or deploy the working tree to the running one")
    commands.add_parser("down", help="stop the stack")
    commands.add_parser("tail", help="show the outcomes on the accounting bus, as they come")
    invoking = commands.add_parser("invoke", help="one event through `sam local invoke`, in Docker")
    invoking.add_argument("function", help="its folder, e.g. payment_cancel")
    invoking.add_argument("event", type=Path, help="file of the trigger event")
    arguments = parser.parse_args()
    try:
        if arguments.command == "up":
            return _up()
        if arguments.command == "down":
            return _down()
        if arguments.command == "tail":
            return _tail()
        return invoke(Stack.load(), arguments.function, arguments.event)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\ninterrupted: {_what_is_left()}", file=sys.stderr)
        return INTERRUPTED


def _up() -> int:
    say = _progress()
    options = Options.from_environment(os.environ)
    stack = _left_running()
    if stack is None:
        stack = start(options, say)
        _seed_samples(stack)
    else:
        refuse_moving(stack, os.environ, options)
        say("the stack is running: deploying the working tree to it")
        update(stack, options, say)
    sweep_often(stack)
    sam_local.write(stack)
    say("ready")
    print(f"\nlocal AWS   {stack.endpoint_url}  (region {stack.region}, any credentials)")
    print(f"providers   {stack.simulator_url or 'as given'}")
    print(f"described   {(STATE_DIR / 'stack.json').relative_to(PROJECT)}")
    if not sam_local.reachable_from_containers(stack):
        print("sam local   cannot reach it: make down && BIND_HOST=0.0.0.0 make up")
    print("\nto look at (events/README.md has events to publish):")
    looks = {
        "make tail": "outcomes on the accounting bus, as they come",
        ".venv/bin/refundctl status ID --local": "the story of one cancel_request_id",
        ".venv/bin/refundctl dlq list --local": "what waits for a person",
    }
    if stack.simulator_url:
        looks[f"curl -s {stack.simulator_url}/_control/summary"] = "what the providers really moved"
    for order, shows in looks.items():
        print(f"  {order:<54}  {shows}")
    return 0


def sweep_often(stack: Stack) -> None:
    """Let the sweeper run every minute, as often as a rule can: here nobody waits for production's ten."""
    resources = stack.aws.cloudformation.describe_stack_resources(
        StackName=STACK_NAME, LogicalResourceId="SweeperFunctionSchedule"
    )["StackResources"]
    for rule in resources:
        stack.aws.events.put_rule(Name=rule["PhysicalResourceId"], ScheduleExpression="rate(1 minute)")


def refuse_moving(stack: Stack, environment: Mapping[str, str], options: Options) -> None:
    """A running stack stays where it is: another PORT or BIND_HOST is no update."""
    port = urlsplit(stack.endpoint_url).port or 0
    if environment.get("PORT") and options.port != port:
        raise StackError(f"the stack is up on port {port}: make down before PORT={options.port} make up")
    address = listening_address(stack.pids[MINISTACK], port)
    if environment.get("BIND_HOST") and socket.gethostbyname(options.bind) != address:
        raise StackError(
            f"the stack is up and listens on {address}: make down before BIND_HOST={options.bind} make up"
        )


def _what_is_left() -> str:
    if (STATE_DIR / "stack.json").exists():
        return "the stack that was up before still runs"
    return "nothing is left running"


def _seed_samples(stack: Stack) -> None:
    """Give the simulator the payments, receipts and orders that the events in events/ are about."""
    if stack.simulator_url is None:
        return
    seeds = json.loads((PROJECT / "events" / "simulator.json").read_text(encoding="utf-8"))
    with SimulatorControl(stack.simulator_url) as simulator:
        simulator.seed_payments(*seeds["payments"])
        simulator.seed_receipts(*seeds["receipts"])
        simulator.seed_orders(*seeds["orders"])


def _left_running() -> Stack | None:
    """The stack of an earlier `up`, if all of it still runs; the rest of a broken one is stopped."""
    if not (STATE_DIR / "stack.json").exists():
        return None
    stack = Stack.load()
    if stack.is_running():
        return stack
    stack.stop()
    return None


def _down() -> int:
    if (STATE_DIR / "stack.json").exists():
        Stack.load().stop()
        print("the local stack is stopped, and what was in its ledger and queues is gone")
    else:
        print("no local stack is running")
    return 0


def _tail() -> int:
    stack = Stack.load()
    if not stack.is_running():
        raise StackError("the local stack is not running: make up")
    with suppress(KeyboardInterrupt):  # the usual end of it
        tail(stack, lambda line: print(line, flush=True))
    return 0


def _progress() -> Say:
    started = time.monotonic()
    return lambda text: print(f"{time.monotonic() - started:6.1f} s  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
