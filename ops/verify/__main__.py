"""`python -m verify --stack refunds-dev`, or `--local`: what is assumed about AWS, checked."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from refundctl.connection import Target
from refunds.errors import RefundsError
from verify.configuration import (
    a_dlq_keeps_longer,
    limits_are_text,
    loops_are_allowed,
    mappings_invoke_the_alias,
)
from verify.findings import Check, Deployment, Finding
from verify.services import (
    a_large_entry_is_taken,
    a_long_delay_is_refused,
    a_malformed_entry_is_refused_alone,
)
from verify.synthetic import every_type_ends_without_money

#: Where made-up requests may be sent: their provider is a simulator or a sandbox.
_STAGES: Final = ("local", "dev", "stage")
_LOCAL_STACK: Final = "refunds-local"
_CHECKS: Final[tuple[Check, ...]] = (
    mappings_invoke_the_alias,
    a_dlq_keeps_longer,
    loops_are_allowed,
    limits_are_text,
    a_malformed_entry_is_refused_alone,
    a_large_entry_is_taken,
    a_long_delay_is_refused,
)
_WORDS: Final = {True: "holds", False: "DOES NOT HOLD", None: "not known"}


def verify(deployment: Deployment, *, seconds: float = 120.0) -> Iterator[Finding]:
    """Every check, one after the other; requests are sent last."""
    for check in _CHECKS:
        yield check(deployment)
    yield from every_type_ends_without_money(deployment, seconds=seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was found; 1 if an assumption does not hold, 2 if it could not be checked here."""
    parser = argparse.ArgumentParser(prog="verify", description=__doc__)
    parser.add_argument("--stack", help="CloudFormation stack, such as refunds-dev")
    parser.add_argument("--local", action="store_true", help="the local stack that `make up` started")
    parser.add_argument("--region")
    chosen = parser.parse_args(arguments)
    try:
        with Target(stack=chosen.stack, local=chosen.local, region=chosen.region) as target:
            operations = target.operations()
            if operations.settings.stage not in _STAGES:
                print(
                    f"only in {', '.join(_STAGES)}: requests are made up, their items removed",
                    file=sys.stderr,
                )
                return 2
            name = _LOCAL_STACK if chosen.local else chosen.stack
            described = operations.aws("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
            outputs = {one["OutputKey"]: one["OutputValue"] for one in described["Outputs"]}
            return _told(verify(Deployment(operations, outputs)))
    except RefundsError as error:
        print(error, file=sys.stderr)
        return 2


def _told(findings: Iterator[Finding]) -> int:
    wrong = 0
    for finding in findings:
        wrong += finding.holds is False
        shown = f" ({finding.shown})" if finding.shown else ""
        print(f"{_WORDS[finding.holds]:14}  {finding.assumption}{shown}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
