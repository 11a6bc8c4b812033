"""How pytest-xdist shares tests out: what stays together, and who begins with what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

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
#: Nothing in them is shared, and each takes minutes.
_TEST_BY_TEST: Final = frozenset(
    {"tests/simulation/test_enumeration.py", "tests/simulation/test_interleavings.py"}
)
_WAITING: Final = ("tests/integration/", "one stack", _EMULATORS, "tests/bench/", "tests/setup/")
_COMPUTING: Final = (
    *(f"tests/simulation/test_{name}" for name in ("enumeration", "interleavings", "")),
    "tests/template/",
    "tests/unit/",
)


class ByStack(LoadFileScheduling):  # type: ignore[misc]
    """As ``--dist loadfile``, but one worker only starts a stack: that takes ten seconds.

    A stack mostly waits. So every other worker begins with the tests that use one, and the others with those
    that compute; who is done with his kind helps with the other. The longest of a kind come first.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        for folder in (_OPERATORS, _EMULATORS):
            if file.startswith(f"{folder}/"):
                return folder
        if file in _TEST_BY_TEST:
            return nodeid
        return "one stack" if file in _ONE_STACK else file

    def _assign_work_unit(self, node: WorkerController) -> None:
        """The superclass assigns what is first in the queue."""
        first = _WAITING if self.nodes.index(node) % 2 == 0 else _COMPUTING
        unit = min(self.workqueue, key=lambda scope: _rank(scope, first))
        self.workqueue.move_to_end(unit, last=False)
        super()._assign_work_unit(node)


def _rank(scope: str, first: tuple[str, ...]) -> int:
    return next((rank for rank, prefix in enumerate(first) if scope.startswith(prefix)), len(first))
