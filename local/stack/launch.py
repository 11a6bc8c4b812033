"""Start a local stack: MiniStack, the provider simulator, the deployed template, the credentials."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.stack import processes
from local.stack.build import build
from local.stack.clients import Clients
from local.stack.deployment import REGION, STACK_NAME, deploy, local_parameters
from local.stack.stack import MINISTACK, SIMULATOR, Stack
from local.stack.timing import stretched, time_scale
from local.stack.toolchain import STATE_DIR, Host, StackError, clean_environment, host, tool

ACCOUNT = "000000000000"
LOOPBACK = "127.0.0.1"
_USUAL_PORT = 4566
_LAST_PORT = 65_535

Say = Callable[[str], None]


def say_nothing(_: str) -> None:
    """For callers that show no progress."""


@dataclass(frozen=True)
class Options:
    """How to start a stack.

    Attributes:
        directory: where its logs and ``stack.json`` go; one running stack per directory.
        port: of the local AWS; ``None`` takes a free one.
        bind: the address the services listen on; 0.0.0.0 lets containers reach them.
        portone_base_url: another provider in the simulator's place; ``None`` takes the simulator.
        ebp_base_url: likewise.
        parameters: template parameters that differ from samconfig.toml's environment `local`.
        authorize: the local AWS speaks HTTPS and enforces the template's roles and policies; else
            everybody may do everything over plain HTTP. Needs `openssl`.
        time_scale: how far samconfig.toml's local timeouts are stretched, for a busy machine.
    """

    directory: Path = STATE_DIR
    port: int | None = None
    bind: str = LOOPBACK
    portone_base_url: str | None = None
    ebp_base_url: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    authorize: bool = False
    time_scale: float = 1.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Options:
        """What the developer asks for: PORT, BIND_HOST, PORTONE_BASE_URL, EBP_BASE_URL, TIME_SCALE.

        Without PORT it is the usual port of a local AWS, or a free one where that is taken.

        Raises:
            StackError: one of them is nothing of its kind, or BIND_HOST is not this machine's.
        """
        port = environment.get("PORT")
        if port and not (port.isdecimal() and port.isascii() and 0 < int(port) <= _LAST_PORT):
            raise StackError(f"PORT is {port!r}, which is no port number (1 to {_LAST_PORT})")
        bind = environment.get("BIND_HOST") or LOOPBACK
        if not processes.is_here(bind):
            raise StackError(f"BIND_HOST is {bind!r}, which is no address of this machine")
        usual = _USUAL_PORT if processes.is_free(_USUAL_PORT) else None
        return cls(
            port=int(port) if port else usual,
            bind=bind,
            portone_base_url=environment.get("PORTONE_BASE_URL") or None,
            ebp_base_url=environment.get("EBP_BASE_URL") or None,
            time_scale=time_scale(environment),
        )


def start(options: Options | None = None, say: Say = say_nothing) -> Stack:
    """Build, start, deploy; the stack that answers is ready for events.

    Raises:
        StackError: a step failed; whatever was started has been stopped again.
    """
    options = options or Options()
    options.directory.mkdir(parents=True, exist_ok=True)
    machine = host()
    if options.time_scale > 1:
        say(f"the machine is busy: timeouts are {options.time_scale:g} times as long (TIME_SCALE)")
    stack = Stack("", REGION, ACCOUNT, {}, None, {}, options.directory)
    try:
        _start_ministack(stack, options, say)
        if not (options.portone_base_url and options.ebp_base_url):
            _start_simulator(stack, options, say)
        update(stack, options, say, machine)
    except BaseException:
        stack.stop()
        raise
    return stack


def update(stack: Stack, options: Options, say: Say = say_nothing, machine: Host | None = None) -> None:
    """Deploy the working tree to a stack that is running, and write its ``stack.json``.

    Raises:
        StackError: build or deployment failed.
    """
    machine = machine or host()
    say(f"building for {machine.runtime} on {machine.architecture}")
    template = build(machine)
    say("deploying the template")
    deploy(template, stack.environment(), _parameters(stack, options, machine))
    stack.outputs = _outputs(stack.aws)
    _put_credentials(stack)
    stack.save()


def _start_ministack(stack: Stack, options: Options, say: Say) -> None:
    port = options.port or processes.free_port(options.bind)
    if not processes.is_free(port, options.bind):
        raise StackError(f"port {port} is taken, or not yours to use: set PORT to another one")
    say(f"starting MiniStack on port {port}")
    scratch = options.directory / "tmp"
    scratch.mkdir(exist_ok=True)
    environment = clean_environment() | {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": options.bind,
        "MINISTACK_HOST": LOOPBACK,
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "AWS_DEFAULT_REGION": REGION,
        **({"AUTH": "true", "USE_SSL": "true"} if options.authorize else {}),
        "STATE_DIR": str(scratch),
        "TMPDIR": str(scratch),
    }
    log = options.directory / f"{MINISTACK}.log"
    child = processes.spawn([tool(MINISTACK, "ministack")], log, environment)
    stack.children.append(child)
    stack.pids[MINISTACK] = child.pid
    processes.wait_until(lambda: processes.listening_address(child.pid, port), child, log)
    stack.endpoint_url = f"{'https' if options.authorize else 'http'}://{LOOPBACK}:{port}"


def _start_simulator(stack: Stack, options: Options, say: Say) -> None:
    say("starting the provider simulator")
    credentials = options.directory / "credentials.json"
    credentials.touch(mode=0o600)
    credentials.write_text(json.dumps(_new_credentials()), encoding="utf-8")
    log = options.directory / f"{SIMULATOR}.log"
    command = [sys.executable, "-m", "local.simulator", "--host", options.bind, "--port", "0"]
    child = processes.spawn([*command, "--credentials", str(credentials)], log)
    stack.children.append(child)
    stack.pids[SIMULATOR] = child.pid
    port = processes.wait_until(lambda: _announced_port(log), child, log)
    stack.simulator_url = f"http://{LOOPBACK}:{port}"


def _announced_port(log: Path) -> int | None:
    """The port in the JSON line that the simulator prints once it listens."""
    for line in log.read_text(encoding="utf-8").splitlines():
        if line.startswith("{"):
            return int(json.loads(line)["port"])
    return None


def _new_credentials() -> dict[str, dict[str, str]]:
    """A provider secret made up for this stack; the simulator accepts no other."""
    return {
        "portone": {"imp_key": secrets.token_hex(8), "imp_secret": secrets.token_hex(20)},
        "ebp": {"access_key": secrets.token_hex(16), "hash_key": secrets.token_hex(16)},
    }


def _parameters(stack: Stack, options: Options, machine: Host) -> dict[str, str]:
    providers = {
        "PortOneBaseUrl": options.portone_base_url or stack.simulator_url,
        "EbpBaseUrl": options.ebp_base_url or stack.simulator_url,
    }
    known = {name: url for name, url in providers.items() if url is not None}
    runtime = {"PythonRuntime": machine.runtime, "Architecture": machine.architecture}
    timings = stretched(local_parameters(), options.time_scale)
    return {**runtime, **known, **timings, **options.parameters}


def _outputs(aws: Clients) -> dict[str, str]:
    described = aws.cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def _put_credentials(stack: Stack) -> None:
    """Give the functions the keys the simulator accepts; the template's placeholders fit nobody's."""
    credentials = stack.directory / "credentials.json"
    if credentials.exists():
        stack.aws.secrets.put_secret_value(
            SecretId=stack.outputs["ProviderSecretArn"], SecretString=credentials.read_text(encoding="utf-8")
        )
