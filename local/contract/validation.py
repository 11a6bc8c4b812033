"""Whether what was published is what the published contracts promise: in all three of their editions."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft4Validator, Draft7Validator, Draft202012Validator

from local.contract import asyncapi
from local.contract.catalogue import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jsonschema.protocols import Validator


def broken_promises(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What is wrong with events of the accounting bus (whole EventBridge events), one line each.

    They are held against ``events/schemas/outcome.json``, the draft-4 edition and the AsyncAPI document.
    """
    for event in events:
        kind = str(event["detail-type"])
        for edition, validator, content in _editions(kind, event):
            for error in validator.iter_errors(content):
                place = "/".join(map(str, error.absolute_path))
                request = event["detail"].get("cancel_request_id")
                yield f"{request}: {kind} by {edition}: {place or 'the event'} breaks {error.validator}"


def _editions(kind: str, event: Mapping[str, Any]) -> Iterator[tuple[str, Validator, Any]]:
    yield "outcome.json", _json_schema(), event["detail"]
    yield "draft 4", _draft_4(kind), event
    yield "asyncapi.yaml", _payload(kind), event


@cache
def _json_schema() -> Validator:
    text = (EVENTS / "schemas" / "outcome.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))


@cache
def _draft_4(kind: str) -> Validator:
    text = (EVENTS / "schemas" / "draft-04" / f"{kind}.json").read_text(encoding="utf-8")
    return Draft4Validator(json.loads(text))


@cache
def _payload(kind: str) -> Validator:
    document = asyncapi.document()
    return Draft7Validator({**document, **document["components"]["messages"][kind]["payload"]})
