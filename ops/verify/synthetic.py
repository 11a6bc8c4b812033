"""One synthetic request of each cancel type, about a payment that nobody has: no money can move.

It goes the whole way: order bus, rule, queue, function, provider, ledger. Its end is an outcome that says
that nothing moved; afterwards its items and messages are removed.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from refunds.cancel_types import cancel_type
from refunds.domain.entry import Entry, Key, State
from refunds.operators.cancel_queues import CancelQueues
from verify.findings import Deployment, Finding

#: Ids that no provider has; `{}` is this run's.
REQUESTS: Final[Mapping[str, dict[str, Any]]] = {
    "payment_cancel": {"imp_uid": "imp_verify_{}", "amount": 100},
    "vbank_revoke": {"imp_uid": "imp_verify_{}"},
    "cvs_revoke": {"imp_uid": "imp_verify_{}"},
    "receipt_revoke": {"merchant_uid": "verify_{}"},
    "order_cancel": {
        "orderNo": "VERIFY{}",
        "totalCancelAmount": 100,
        "items": [{"seq": 1, "itemType": "SERVICE", "itemId": "verify", "quantity": 1, "amount": 100}],
    },
}
_ENDED: Final = frozenset({State.FAILED, State.PARKED})


def every_type_ends_without_money(
    deployment: Deployment, *, source: str = "order-service", seconds: float = 120.0
) -> Iterator[Finding]:
    """Send one request of each type and wait for its end, then remove what it left."""
    run = uuid.uuid4().hex[:12]
    sent = {
        queues.cancel_type: f"verify-{run}-{queues.cancel_type}"
        for queues in deployment.operations.all_queues
    }
    began = time.monotonic()
    _publish(deployment, source, run, sent)
    keys = {name: Key(name, identifier) for name, identifier in sent.items()}
    try:
        for queues in deployment.operations.all_queues:
            key = keys[queues.cancel_type]
            entry = _wait(lambda key=key: _ended(deployment, key), began + seconds)  # type: ignore[misc]
            yield _judged(queues.cancel_type, entry)
        yield _indexed(deployment, run, keys, began + seconds)
    finally:
        for queues in deployment.operations.all_queues:
            _remove(deployment, queues, keys[queues.cancel_type])


def _publish(deployment: Deployment, source: str, run: str, sent: Mapping[str, str]) -> None:
    entries = []
    for name, identifier in sent.items():
        detail_type, request = cancel_type(name).policy.detail_type, REQUESTS[name]
        detail = {
            "schema_version": "1.0",
            "cancel_request_id": identifier,
            "order_id": _order(run),
            "requested_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "requested_by": "system",
            "reason": "verification of the deployment",
            "request": json.loads(json.dumps(request).replace("{}", run)),
        }
        entries.append(
            {
                "Source": source,
                "DetailType": detail_type,
                "Detail": json.dumps(detail),
                "EventBusName": deployment.outputs["OrderBusName"],
            }
        )
    deployment.client("events").put_events(Entries=entries)


def _ended(deployment: Deployment, key: Key) -> Entry | None:
    entry = deployment.operations.ledger.get(key)
    return entry if entry is not None and (entry.state.terminal or entry.state in _ENDED) else None


def _judged(name: str, entry: Entry | None) -> Finding:
    """A request about nothing fails, or is parked without anything having been sent."""
    assumption = f"{name}: a request about nothing ends, and moves nothing"
    if entry is None:
        return Finding(assumption, holds=False, shown="it has no end in the ledger")
    error = entry.outcome.error if entry.outcome else None
    said = f"{entry.state} {error.code if error else ''}".strip()
    return Finding(assumption, entry.state in _ENDED, said)


def _indexed(deployment: Deployment, run: str, keys: Mapping[str, Key], until: float) -> Finding:
    """The index by order has caught up with what the table has."""
    there = {key for key in keys.values() if deployment.operations.ledger.get(key)}

    def found() -> bool | None:
        return (
            there <= {entry.key for entry in deployment.operations.ledger_queries.find(_order(run))} or None
        )

    began = time.monotonic()
    caught_up = _wait(found, until)
    return Finding(
        "the index by order has every request", bool(caught_up), f"{time.monotonic() - began:.1f} s"
    )


def _wait(ready: Callable[[], Any], until: float) -> Any:
    while True:
        answer = ready()
        if answer is not None or time.monotonic() >= until:
            return answer
        time.sleep(0.5)


def _remove(deployment: Deployment, queues: CancelQueues, key: Key) -> None:
    """The request's dead letter and its item: nothing was sent, so nobody will ask for it."""
    with deployment.operations.dead_letters.peek(queues) as peek:
        for letters in peek:
            peek.remove([one for one in letters if one.cancel_request_id == key.cancel_request_id])
    deployment.client("dynamodb").delete_item(
        TableName=deployment.outputs["LedgerTableName"], Key={"pk": {"S": str(key)}}
    )


def _order(run: str) -> str:
    return f"VERIFY{run}"
