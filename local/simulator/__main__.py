"""`python -m local.simulator`: serve both providers until told to stop.

Prints one JSON line once it listens: `{"host", "port", "url"}`. Stops on SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

from local.simulator.ebp import EbpKeys
from local.simulator.portone import PortOneKeys
from local.simulator.server import SimulatorServer
from local.simulator.world import World


def main() -> None:
    """Read the arguments, serve, stop in good order."""
    parser = argparse.ArgumentParser(prog="python -m local.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for callers in containers")
    parser.add_argument("--port", type=int, default=0, help="0: a free one, printed on stdout")
    parser.add_argument(
        "--credentials", type=Path, help="JSON file shaped as the provider secret; default: made-up ones"
    )
    arguments = parser.parse_args()
    server = SimulatorServer(build_world(arguments.credentials), arguments.host, arguments.port)
    host, port = str(arguments.host), int(server.server_address[1])
    print(json.dumps({"host": host, "port": port, "url": f"http://{host}:{port}"}), flush=True)
    _serve_until_signalled(server)


def build_world(credentials: Path | None = None) -> World:
    """A world on the real clock. Its ids start with the time, so that no two runs share one."""
    secret: dict[str, Any] = json.loads(credentials.read_text()) if credentials else {}
    return World(
        clock=time.time,
        portone_keys=PortOneKeys(**secret.get("portone", {})),
        ebp_keys=EbpKeys(**secret.get("ebp", {})),
        run=f"{time.time_ns() // 1_000_000:x}-",
    )


def _serve_until_signalled(server: SimulatorServer) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    stop.wait()
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    main()
