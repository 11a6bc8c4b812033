"""``python -m bench``: measure, print the table, write docs/performance.md."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from bench.deployment import DOCUMENTED, OURS, deploy
from bench.measure import Bench
from bench.report import measured, page, summary
from bench.results import Results
from bench.run import PARTS, QUICK, QUICK_PARTS, Effort, Run, measure
from bench.simulation import World
from bench.usage import Usage
from local.stack.toolchain import PROJECT, STATE_DIR, StackError

_DOCUMENT = PROJECT / "docs" / "performance.md"
_FOLDER = STATE_DIR / "bench"
_SAVED = _FOLDER / "results.json"


def main() -> int:
    """Exit status: 0 when everything was measured, whatever came out."""
    options = _options()
    # So that an interrupted run ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parts = options.parts or (QUICK_PARTS if options.quick else tuple(PARTS))
    effort = QUICK if options.quick else Effort(whole_queue=options.growth)
    output = options.output or (None if options.quick else _DOCUMENT)
    try:
        if options.report:
            results = Results.load(_SAVED)
        else:
            results = _measure(effort, parts, keep=bool(options.parts) and not options.quick)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    print(summary(results))
    if output is not None:
        usage = _usage(results)
        if output == _DOCUMENT:
            usage.save()
        command = "make bench GROWTH=1" if options.growth else "make bench"
        output.write_text(page(results, usage, command), encoding="utf-8")
        print(f"written: {output}")
    return 0


def _usage(results: Results) -> Usage:
    """What the bill counts on, measured anew where it was."""
    usage = Usage.load()
    return replace(
        usage,
        documented=measured(results, DOCUMENTED) or usage.documented,
        ours=measured(results, OURS) or usage.ours,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="smoke run of less than a minute; no document unless --output"
    )
    parser.add_argument(
        "--growth", action="store_true", help="drain all of 100,000 queued messages, not the first 3,000"
    )
    parser.add_argument(
        "--parts",
        type=lambda text: tuple(text.split(",")),
        help=f"measure these only and keep the others' last results: {','.join(PARTS)}",
    )
    parser.add_argument(
        "--report", action="store_true", help="measure nothing, write the document from the last results"
    )
    parser.add_argument(
        "--output", type=Path, help=f"where the document goes ({_DOCUMENT.relative_to(PROJECT)})"
    )
    options = parser.parse_args()
    if unknown := set(options.parts or ()) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


def _measure(effort: Effort, parts: tuple[str, ...], *, keep: bool) -> Results:
    _FOLDER.mkdir(parents=True, exist_ok=True)
    results = Results.load(_SAVED) if keep else Results()
    with tempfile.TemporaryDirectory(dir=_FOLDER) as scratch, World(Path(scratch)) as world:
        _say("building the layers")
        names = {DOCUMENTED, OURS, *effort.starts, *effort.drains}
        deployment = deploy(_FOLDER / "layers", world.environment, world.authority, names)
        results.sizes = deployment.sizes
        logs = _FOLDER / "logs"
        logs.mkdir(exist_ok=True)
        bench = Bench(world, deployment.functions, logs)
        measure(Run(bench, deployment, effort, results, _say), parts)
    if effort is not QUICK:
        results.save(_SAVED)
    return results


def _say(what: str) -> None:
    print(f"… {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
