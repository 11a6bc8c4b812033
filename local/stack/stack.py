"""A running local stack: what it consists of, and its end."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from local.stack.clients import CREDENTIALS, Clients
from local.stack.processes import remove_unattended, running, stop
from local.stack.toolchain import STATE_DIR, StackError

if TYPE_CHECKING:
    import subprocess

    import psutil

MINISTACK = "ministack"
SIMULATOR = "simulator"
# Within the stack's directory: what `sam local` needs to know of it.
SAM_FOLDER = "sam"
# What the command line of each process shows, so that a reused pid is never stopped.
_MARKERS = {MINISTACK: "ministack", SIMULATOR: "local.simulator"}


@dataclass
class Stack:
    """A local AWS with the deployed template, and usually the provider simulator.

    As a context manager it stops at the end.

    Attributes:
        endpoint_url: of the local AWS, for every service.
        outputs: the template's outputs.
        simulator_url: ``None`` where other providers were given for both.
        pids: by name, ``ministack`` and ``simulator``.
        directory: its logs and its ``stack.json``.
    """

    endpoint_url: str
    region: str
    account: str
    outputs: dict[str, str]
    simulator_url: str | None
    pids: dict[str, int]
    directory: Path = STATE_DIR
    children: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False, compare=False)

    @classmethod
    def load(cls, directory: Path = STATE_DIR) -> Stack:
        """The stack that `make up` left running.

        Raises:
            StackError: there is none.
        """
        path = directory / "stack.json"
        if not path.exists():
            raise StackError("no local stack is running: run `make up`")
        return cls(**json.loads(path.read_text(encoding="utf-8")), directory=directory)

    def save(self) -> None:
        """Write ``stack.json``, whole or not at all."""
        names = ("endpoint_url", "region", "account", "outputs", "simulator_url", "pids")
        description = {name: getattr(self, name) for name in names}
        with tempfile.NamedTemporaryFile("w", dir=self.directory, delete=False, encoding="utf-8") as file:
            json.dump(description, file, indent=2)
        Path(file.name).replace(self.directory / "stack.json")

    def is_running(self) -> bool:
        """Whether every one of its processes lives."""
        return len(self._processes()) == len(self.pids)

    def stop(self) -> None:
        """End its processes, exactly those, and forget it; its logs stay."""
        stop(self._processes())
        for child in self.children:
            child.wait()
        for file in ("stack.json", "credentials.json"):
            (self.directory / file).unlink(missing_ok=True)
        shutil.rmtree(self.directory / SAM_FOLDER, ignore_errors=True)
        # MiniStack unpacks the layer, a thousand files, for every worker: deleting them takes seconds.
        remove_unattended(self.directory / "tmp")

    def _processes(self) -> list[psutil.Process]:
        found = (running(pid, _MARKERS[name]) for name, pid in self.pids.items())
        return [process for process in found if process is not None]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def environment(self) -> dict[str, str]:
        """Variables that point an AWS client or the AWS CLI at this stack."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            **({"AWS_CA_BUNDLE": str(self.ca_bundle)} if self.ca_bundle else {}),
            **CREDENTIALS,
        }

    @cached_property
    def aws(self) -> Clients:
        """Clients of its local AWS."""
        return Clients(self.endpoint_url, self.region, self.ca_bundle)

    @property
    def ca_bundle(self) -> Path | None:
        """What a client has to trust, where the local AWS speaks HTTPS."""
        if not self.endpoint_url.startswith("https:"):
            return None
        return self.directory / "tmp" / "ministack-tls" / "server.crt"
