"""Which tests stay together when pytest-xdist shares them out: a file, or all that use one local stack."""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadFileScheduling

_OPERATORS: Final = "tests/integration/ops"
_EMULATORS: Final = "tests/emulators"
_ONE_STACK: Final = frozenset(
    {
        "tests/integration/test_examples.py",
        "tests/integration/test_samples.py",
        "tests/integration/test_tail.py",
        "tests/integration/test_triggers.py",
        "tests/integration/test_verify_aws.py",
        "tests/privacy/test_stack.py",
    }
)


class ByStack(LoadFileScheduling):  # type: ignore[misc]
    """As ``--dist loadfile``, but one worker only starts a stack: that takes ten seconds."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        for folder in (_OPERATORS, _EMULATORS):
            if file.startswith(f"{folder}/"):
                return folder
        return "one stack" if file in _ONE_STACK else file
