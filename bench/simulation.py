"""The simulated provider and AWS as a process, and what the harness asks it."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import trustme

from bench.world.latency import Latency
from local.stack.toolchain import PROJECT

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Seen:
    """How many connections were made and which requests arrived, by name; ``-`` gives what came between."""

    connections: dict[str, int] = field(default_factory=dict)
    requests: dict[str, dict[str, int]] = field(default_factory=dict)
    published: int = 0
    write_units: int = 0

    def __sub__(self, earlier: Seen) -> Seen:
        """What came after ``earlier``."""
        return Seen(
            {name: count - earlier.connections[name] for name, count in self.connections.items()},
            {
                name: {
                    operation: count - earlier.requests.get(name, {}).get(operation, 0)
                    for operation, count in operations.items()
                }
                for name, operations in self.requests.items()
            },
            self.published - earlier.published,
            self.write_units - earlier.write_units,
        )

    def calls(self, server: str) -> int:
        """Requests to ``aws`` or ``provider``."""
        return sum(self.requests[server].values())


class World:
    """Running servers, trusted by whoever trusts ``authority``; close it, or use it in a ``with``.

    Args:
        folder: where the certificates go; they are made anew for each run.
    """

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.authority = authority.cert_pem.bytes()
        certificate = folder / "certificate.pem"
        authority.issue_cert(LOOPBACK, "localhost").private_key_and_cert_chain_pem.write_to_path(
            str(certificate)
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.world", str(certificate), str(certificate)],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        with self._process.stdout as announced:
            self._ports: dict[str, int] = json.loads(announced.readline())

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    @property
    def pid(self) -> int:
        """Of the servers' process."""
        return self._process.pid

    @property
    def environment(self) -> dict[str, str]:
        """The variables that send a function here."""
        return {
            "AWS_ENDPOINT_URL": f"https://{LOOPBACK}:{self._ports['aws']}",
            "PORTONE_BASE_URL": f"https://{LOOPBACK}:{self._ports['provider']}",
        }

    def seen(self) -> Seen:
        """All traffic so far."""
        traffic = self._ask("GET", "/traffic")
        servers = {name: traffic[name] for name in ("aws", "provider")}
        return Seen(
            {name: server["connections"] for name, server in servers.items()},
            {name: server["requests"] for name, server in servers.items()},
            traffic["published"],
            traffic["write_units"],
        )

    def set_latency(self, latency: Latency) -> None:
        """From now on everything takes this long."""
        self._ask("POST", "/latency", asdict(latency))

    def fill_ledger(self, items: int) -> None:
        """Put items of earlier cancellations into the ledger."""
        self._ask("POST", "/fill", {"items": items})

    def close(self) -> None:
        """End the servers."""
        self._process.terminate()
        self._process.wait()

    def _ask(self, method: str, path: str, content: object = None) -> Any:
        connection = http.client.HTTPConnection(LOOPBACK, self._ports["control"], timeout=60)
        body = json.dumps(content).encode() if content is not None else None
        connection.request(method, path, body)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer
