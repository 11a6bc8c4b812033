"""An exported dead letter, run again on a developer's machine: it still waits where it was exported from."""

from __future__ import annotations

import json
from typing import Any

from refundctl.actions.listing import exported
from refunds.cancel_types import cancel_type
from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.dead_letters import DeadLetterMessage
from tests.unit.rig import DLQ_URL, QUEUE_URL, Rig, Wanted

#: As `make invoke` sets it for a file that `refundctl dlq export` wrote.
_WITHOUT_DLQ = {"DLQ_URL": ""}


def _event(body: str) -> Any:
    queues = CancelQueues(cancel_type("payment_cancel").policy, QUEUE_URL, DLQ_URL)
    letter = DeadLetterMessage(queues, "m-1", "receipt", body, 1_000.0)
    return json.loads(json.dumps(exported(letter, raw=True)))


def test_one_that_breaks_the_contract_adds_nothing_to_the_dlq(rig: Rig) -> None:
    """No copy of it is put beside it, and it is not acknowledged."""
    broken = json.loads(Wanted().body)
    broken["request"]["amount"] = 0
    event = _event(json.dumps(broken))
    assert rig.invoke("payment_cancel", event, changed=_WITHOUT_DLQ) == {
        "batchItemFailures": [{"itemIdentifier": "m-1"}]
    }
    assert rig.queues.sent == []


def test_one_that_is_carried_out_adds_nothing_either(rig: Rig) -> None:
    """Its request ends; a replay then takes the message away."""
    wanted = Wanted()
    rig.invoke("payment_cancel", _event(wanted.body), changed=_WITHOUT_DLQ)
    assert rig.outcomes()[wanted.key] in {"succeeded", "failed", "parked"}
    assert rig.queues.sent == []
