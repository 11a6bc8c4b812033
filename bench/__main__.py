"""``python -m bench``: measure, print the table, write docs/performance.md."""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from pathlib import Path

from bench.deployment import deploy
from bench.measure import Bench
from bench.report import page, summary
from bench.run import QUICK, Effort, run
from bench.simulation import World
from local.stack.toolchain import PROJECT, STATE_DIR, StackError

_DOCUMENT = PROJECT / "docs" / "performance.md"


def main() -> int:
    """Exit status: 0 when everything was measured, whatever came out."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="few repetitions, and no document unless --output"
    )
    parser.add_argument(
        "--growth", action="store_true", help="also 100,000 messages and 1,000,000 ledger items"
    )
    parser.add_argument(
        "--output", type=Path, help=f"where the document goes ({_DOCUMENT.relative_to(PROJECT)})"
    )
    options = parser.parse_args()
    effort = QUICK if options.quick else Effort(growth=options.growth)
    output = options.output or (None if options.quick else _DOCUMENT)
    try:
        _measure(effort, output)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _measure(effort: Effort, output: Path | None) -> None:
    folder = STATE_DIR / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch, World(Path(scratch)) as world:
        _say("building the layers")
        deployment = deploy(folder / "layers", world.environment, world.authority)
        logs = folder / "logs"
        logs.mkdir(exist_ok=True)
        results = run(Bench(world, deployment.functions, logs), deployment, effort, _say)
    print(summary(results))
    if output is not None:
        arguments = shlex.join(sys.argv[1:])
        command = f"make bench BENCH_ARGS='{arguments}'" if arguments else "make bench"
        output.write_text(page(results, command), encoding="utf-8")
        print(f"written: {output}")


def _say(what: str) -> None:
    print(f"… {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
