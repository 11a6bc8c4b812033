"""The contracts for EventBridge's schema registry: whole events in draft 4, and the template for them."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from typing import Any

from local.contract.catalogue import ORDER_SOURCE, contracts
from local.contract.draft4 import in_draft_4
from local.contract.json_schema import schema_of
from refunds.contracts.outbound import SOURCE, OutcomeKind

_FIELDS: dict[str, dict[str, Any]] = {
    "version": {"type": "string", "description": "Version of EventBridge's envelope."},
    "id": {
        "type": "string",
        "description": "EventBridge's id of the event. A repetition has another one: it is no key.",
    },
    "detail-type": {"type": "string"},
    "source": {"type": "string", "description": "Who published the event."},
    "account": {"type": "string", "description": "AWS account of the bus."},
    "time": {"type": "string", "format": "date-time", "description": "When it was published."},
    "region": {"type": "string", "description": "AWS region of the bus."},
    "resources": {"type": "array", "items": {"type": "string"}, "description": "Empty."},
}


@dataclass(frozen=True)
class RegisteredEvent:
    """One kind of event; ``source`` is a parameter of the template where it is ``None``."""

    detail_type: str
    source: str | None
    schema: dict[str, Any]


def registered_events() -> tuple[RegisteredEvent, ...]:
    """Every kind of event in both directions."""
    found = []
    for contract in contracts():
        schema = schema_of(contract)
        if contract.direction == "inbound":
            event = _event(contract.title, ORDER_SOURCE, schema)
            found.append(RegisteredEvent(contract.title, None, event))
            continue
        for kind in OutcomeKind:
            only = {"allOf": [*schema["allOf"], {"properties": {"outcome": {"const": kind.value}}}]}
            event = _event(kind.detail_type, SOURCE, {**schema, **only})
            found.append(RegisteredEvent(kind.detail_type, SOURCE, event))
    return tuple(found)


def _event(detail_type: str, source: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of the envelope around a detail."""
    detail = {name: value for name, value in schema.items() if not name.startswith("$")}
    fields = {**_FIELDS, "detail-type": {"type": "string", "enum": [detail_type]}}
    return in_draft_4(
        {
            "$id": f"{schema['$id']}:{detail_type}",
            "title": detail_type,
            "description": schema["description"],
            "x-amazon-events-detail-type": detail_type,
            "x-amazon-events-source": source,
            "type": "object",
            "required": [*fields, "detail"],
            "properties": {**fields, "detail": detail},
            "$defs": schema.get("$defs", {}),
        }
    )


def template() -> str:
    """``schemas.yaml``."""
    return _HEAD + "".join(_resource(event) for event in registered_events())


def _resource(event: RegisteredEvent) -> str:
    source = "${OrderEventSource}" if event.source is None else event.source
    content = json.dumps(event.schema, ensure_ascii=False, indent=1)
    return f"""
  {event.detail_type}Schema:
    Type: AWS::EventSchemas::Schema
    Properties:
      RegistryName: !GetAtt Registry.RegistryName
      SchemaName: !Sub {source}@{event.detail_type}
      Type: JSONSchemaDraft4
      Description: {_description(event)}
      Content: |
{textwrap.indent(content, "        ")}
""".replace(f"!Sub {SOURCE}", SOURCE)


def _description(event: RegisteredEvent) -> str:
    who = "the order service" if event.source is None else "the refund handler"
    return f"{event.detail_type}, as {who} publishes it."


_HEAD = """\
AWSTemplateFormatVersion: "2010-09-09"
Description: >-
  Refund handler: the contracts of its events in EventBridge's schema registry. A stack of its own, because a
  local AWS knows no registry. Written from the models: python -m local.schemas --write.

Parameters:
  RegistryName:
    Type: String
    Default: refunds
    AllowedPattern: "^[0-9A-Za-z_.-]{1,64}$"
    Description: Name of the registry.
  OrderEventSource:
    Type: String
    Default: order-service
    AllowedPattern: "^[0-9A-Za-z_./-]{1,64}$"
    Description: EventBridge source of the order service's events, as in the handler's stack.

Outputs:
  RegistryArn:
    Description: The registry.
    Value: !GetAtt Registry.RegistryArn

Resources:
  Registry:
    Type: AWS::EventSchemas::Registry
    Properties:
      RegistryName: !Ref RegistryName
      Description: Events of the refund handler, in and out.
"""
