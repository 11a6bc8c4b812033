"""The trigger events of a cancel type, made from one of them.

``python -m local.samples`` reads ``events/<cancel_type>/eventbridge.json`` and the record of
``events/simulator.json`` that it is about, and writes the samples that a type does not have yet. Each is
about a record of its own: ids that end in digits are counted up. What is there stays as it is.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
import sys
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from refunds.cancel_types import MODULES

EVENTS: Final = Path(__file__).parents[1] / "events"
_NUMBERED: Final = re.compile(r"\A(.*?)([0-9]{4,})\Z", re.DOTALL)
_IDS: Final = uuid.UUID("0b9a6c4e-3d0f-5a51-9a43-5d2f6f0f2f4e")
_ACCOUNT: Final = "123456789012"
_REGION: Final = "ap-northeast-2"
_SENT: Final = 1_795_237_800_000

Body = dict[str, Any]


def main() -> int:
    """Write what is missing, and name it."""
    for name in MODULES:
        for path in write(EVENTS, name):
            print(path.relative_to(EVENTS.parent))
    return 0


def write(events: Path, name: str) -> list[Path]:
    """Write the samples that a cancel type lacks, and the records they are about; what was written."""
    folder, seeds = events / name, events / "simulator.json"
    envelope = json.loads((folder / "eventbridge.json").read_text(encoding="utf-8"))
    made = {f"{sample}.json": records for sample, records in samples(name, envelope).items()}
    missing = [file for file in made if not (folder / file).exists()]
    if missing:
        known = json.loads(seeds.read_text(encoding="utf-8"))
        seeds.write_text(_seeds_text(_with_records(known, envelope["detail"])), encoding="utf-8")
    for file in missing:
        (folder / file).write_text(_text({"Records": made[file]}), encoding="utf-8")
    return [folder / file for file in missing]


def samples(name: str, envelope: Body) -> dict[str, list[Body]]:
    """The records of each SQS sample of a cancel type, from one EventBridge event."""
    batch = [counted_up(envelope, number) for number in (1, 2, 3)]
    twice, redriven, good = (counted_up(envelope, number) for number in (4, 5, 6))
    return {
        "sqs_batch": [
            _record(name, "batch", place, one if place != 1 else one["detail"])
            for place, one in enumerate(batch)
        ],
        "duplicate": [
            _record(name, "duplicate", place, one)
            for place, one in enumerate((twice, twice, twice["detail"]))
        ],
        "redriven": [_redriven(name, redriven)],
        "malformed": [
            *(_record(name, "malformed", place, b(good)) for place, b in enumerate(_BREAKAGES)),
            _record(name, "malformed", len(_BREAKAGES), good),
        ],
    }


def counted_up(value: Any, number: int) -> Any:
    """A copy in which every text that ends in four digits or more ends in a number higher by ``number``."""
    if isinstance(value, dict):
        return {
            key: item if key in ("account", "id", "time") else counted_up(item, number)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [counted_up(item, number) for item in value]
    match = _NUMBERED.match(value) if isinstance(value, str) else None
    return value if match is None else f"{match[1]}{int(match[2]) + number:0{len(match[2])}d}"


def _changed(envelope: Body, **fields: Any) -> Body:
    detail = {**envelope["detail"], **fields}
    return {**envelope, "detail": {key: value for key, value in detail.items() if value is not None}}


#: Each breaks the contract of every cancel type in a way of its own.
_BREAKAGES: Final[tuple[Callable[[Body], Body | list[str] | str], ...]] = (
    lambda good: json.dumps(good["detail"], ensure_ascii=False)[:-20],
    lambda good: ["cancel", good["detail"]["order_id"]],
    lambda good: _changed(good, cancel_request_id=None),
    lambda good: {**_changed(good, cancel_request_id="broken-1"), "detail-type": "SomethingElseHappened"},
    lambda good: _changed(good, cancel_request_id="broken/../2"),
    lambda good: _changed(good, cancel_request_id="broken-3", schema_version="2.0"),
    lambda good: _changed(good, cancel_request_id="broken-4", requested_by="nobody"),
    lambda good: _changed(good, cancel_request_id="broken-5", requested_at="2026-11-21 05:00"),
    lambda good: _changed(good, cancel_request_id="broken-6", request=[]),
    lambda good: _changed(good, cancel_request_id="broken-7", reason=None),
)


def _record(name: str, sample: str, place: int, body: Body | list[str] | str) -> Body:
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    message_id = str(uuid.uuid5(_IDS, f"{name} {sample} {place}"))
    enveloped = isinstance(body, dict) and "detail-type" in body
    sent = _SENT + 60_000 * place
    return {
        "messageId": message_id,
        "receiptHandle": base64.b64encode(b"made up " + message_id.encode()).decode(),
        "body": text,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": str(sent),
            "SenderId": "AIDAJXNJGGKNS7OSV23OI" if enveloped else "AROAEXAMPLEORDERSVC00:order-service",
            "ApproximateFirstReceiveTimestamp": str(sent + 37),
        },
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{_REGION}:{_ACCOUNT}:refunds-dev-{name.replace('_', '-')}",
        "awsRegion": _REGION,
    }


def _redriven(name: str, envelope: Body) -> Body:
    said = {
        "error_code": "PROVIDER_UNAVAILABLE",
        "error_message": "nothing was sent (ConnectTimeout): no connection was made",
        "cancel_type": name,
        "cancel_request_id": envelope["detail"]["cancel_request_id"],
        "failed_at": datetime.fromtimestamp(_SENT / 1000, UTC).isoformat(),
    }
    record = _record(name, "redriven", 0, envelope)
    shape: Body = {"stringListValues": [], "binaryListValues": [], "dataType": "String"}
    record["messageAttributes"] = {key: {"stringValue": value, **shape} for key, value in said.items()}
    return record | {"md5OfMessageAttributes": _digest(said)}


def _digest(said: Mapping[str, str]) -> str:
    """As SQS computes it of attributes that are texts (its developer guide)."""
    digest = hashlib.md5(usedforsecurity=False)
    for name, value in sorted(said.items()):
        for text in (name, "String"):
            digest.update(struct.pack(">I", len(text.encode())) + text.encode())
        digest.update(b"\x01" + struct.pack(">I", len(value.encode())) + value.encode())
    return digest.hexdigest()


def _with_records(seeds: dict[str, list[Body]], detail: Body) -> dict[str, list[Body]]:
    """The seeds with a record of its own for each sample, copied from the one the event is about."""
    ids = {value for value in detail["request"].values() if isinstance(value, str)}
    found = [
        (kind, record)
        for kind in seeds
        for record in seeds[kind]
        if ids & {value for value in record.values() if isinstance(value, str)}
    ]
    if not found:
        raise SystemExit(f"events/simulator.json has no record that {', '.join(sorted(ids))} names: add it")
    kind, base = found[0]
    return seeds | {kind: [*seeds[kind], *(counted_up(base, number) for number in range(1, 7))]}


def _text(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _seeds_text(seeds: Mapping[str, list[Body]]) -> str:
    """A line for each record."""
    parts = [
        f'  "{kind}": [\n'
        + ",\n".join(f"    {json.dumps(one, ensure_ascii=False)}" for one in records)
        + "\n  ]"
        for kind, records in seeds.items()
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    sys.exit(main())
