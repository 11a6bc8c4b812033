"""The local stack: the unedited template on MiniStack, with the provider simulator beside it.

with start(Options(directory=tmp_path)) as stack, OutcomeLog.attach(stack) as outcomes:
    stack.aws.events.put_events(Entries=[…])
    outcomes.wait_for_requests(["cr-1"], seconds=10)
"""

from local.stack.clients import Clients
from local.stack.launch import Options, start, update
from local.stack.outcomes import OutcomeLog
from local.stack.stack import Stack
from local.stack.toolchain import StackError
from local.stack.workers import kill_workers, workers

__all__ = [
    "Clients",
    "Options",
    "OutcomeLog",
    "Stack",
    "StackError",
    "kill_workers",
    "start",
    "update",
    "workers",
]
