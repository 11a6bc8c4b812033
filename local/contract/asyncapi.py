"""``events/asyncapi.yaml`` (AsyncAPI 3): what the refund handler receives and sends, and what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from local.contract.catalogue import ORDER_SOURCE, Contract, contracts, policies, sample_events
from local.contract.json_schema import schema_of
from local.contract.outcome_samples import outcome_events
from refunds.contracts.outbound import SCHEMA_VERSION, SOURCE, OutcomeKind

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEMAS = "#/components/schemas/"
_ORDER_BUS, _ACCOUNTING_BUS = "orderBus", "accountingBus"

_ABOUT = """\
Carries out cancellations at payment providers. Every accepted cancellation is carried out at most once, ends
in exactly one final outcome, and is never lost.

**Delivery** is at least once and unordered, in both directions. The handler recognises a repeated request by
its `cancel_request_id`. A consumer of outcomes recognises a repeated statement by its `outcome_id`, keeps the
statement with the highest `revision`, and takes a `CancelSucceeded` or `CancelFailed` for the last word,
whatever arrives after it.

**Versioning**: `schema_version` is `1.<minor>`. A minor adds fields and error codes; whoever reads ignores
what it does not know.

**Personal data** (account number, holder, phone) is in requests only, and in no outcome."""

_MEANINGS = {
    OutcomeKind.SUCCEEDED: (
        "Carried out, proven by the provider. Final.",
        "The money moved as `money` says, or a number or a receipt is void. Nothing follows.",
    ),
    OutcomeKind.FAILED: (
        "Refused by the provider, proven not carried out. Final.",
        "No money moved. The same cancellation can only be asked for again under a new `cancel_request_id`.",
    ),
    OutcomeKind.PENDING: (
        "Accepted by a provider that books it later. Nobody has to do anything.",
        (
            "The money is about to move. `CancelSucceeded` or `CancelFailed` follows by itself, within days; "
            "when the provider books nothing for too long, a `CancelParked` comes first."
        ),
    ),
    OutcomeKind.PARKED: (
        "No automatic progress. A person at the handler takes it up.",
        (
            "With `error.may_have_been_applied: false` nothing was carried out so far. With `true` nobody "
            "can say yet: neither book it nor ask again. `CancelSucceeded` or `CancelFailed` follows a "
            "replay or a resolution by hand; another `CancelParked` may come first."
        ),
    ),
}


def text() -> str:
    """The document."""
    head = "# Written from the models: python -m local.schemas --write\n"
    return head + yaml.dump(document(), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=110)


def document() -> dict[str, Any]:
    """The document as data."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Refund handler",
            "version": SCHEMA_VERSION,
            "description": _ABOUT,
        },
        "defaultContentType": "application/json",
        "channels": _channels(),
        "operations": _operations(),
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def _pascal(cancel_type: str) -> str:
    return "".join(word.capitalize() for word in cancel_type.split("_"))


def _channels() -> dict[str, Any]:
    requests = [policy.detail_type for policy in policies()]
    channels = {
        _ORDER_BUS: {
            "title": "Order bus",
            "address": "{OrderBusName}",
            "description": "EventBridge bus of the order service. A rule takes events of the source "
            f"{ORDER_SOURCE} to the queue of their cancel type.",
            "messages": {name: _ref("messages", name) for name in requests},
            "parameters": _output("OrderBusName"),
        }
    }
    for policy in policies():
        pascal = _pascal(policy.cancel_type)
        names = (policy.detail_type, _detail_name(policy.detail_type))
        channels[f"{pascal}Queue"] = {
            "title": f"Queue of {policy.cancel_type}",
            "address": f"{{{pascal}QueueUrl}}",
            "description": "SQS queue. A message body is an EventBridge event, or the bare detail of one "
            "(SendMessage).",
            "messages": {name: _ref("messages", name) for name in names},
            "parameters": {
                f"{pascal}QueueUrl": {"description": f"Output {pascal}QueueUrl of the handler's stack."}
            },
        }
    channels[_ACCOUNTING_BUS] = {
        "title": "Accounting bus",
        "address": "{AccountingBusName}",
        "description": f"EventBridge bus that outcomes are published on, with the source {SOURCE}.",
        "messages": {kind.detail_type: _ref("messages", kind.detail_type) for kind in OutcomeKind},
        "parameters": {
            "AccountingBusName": {"description": "Output AccountingBusName of the handler's stack."}
        },
    }
    return channels


def _output(name: str) -> dict[str, Any]:
    return {name: {"description": f"Output {name} of the handler's stack."}}


def _operations() -> dict[str, Any]:
    operations = {}
    for policy in policies():
        pascal = _pascal(policy.cancel_type)
        operations[f"receive{pascal}"] = {
            "action": "receive",
            "title": f"Carry out {policy.cancel_type}",
            "channel": {"$ref": f"#/channels/{_ORDER_BUS}"},
            "messages": [{"$ref": f"#/channels/{_ORDER_BUS}/messages/{policy.detail_type}"}],
        }
        operations[f"receive{pascal}Directly"] = {
            "action": "receive",
            "title": f"Carry out {policy.cancel_type}, sent to its queue",
            "channel": {"$ref": f"#/channels/{pascal}Queue"},
        }
    operations["publishOutcome"] = {
        "action": "send",
        "title": "Tell accounting what became of a cancellation",
        "description": "At least once, unordered. A message of the order service is acknowledged only after "
        "the outcome that it led to was published.",
        "channel": {"$ref": f"#/channels/{_ACCOUNTING_BUS}"},
    }
    return operations


def _messages() -> dict[str, Any]:
    messages: dict[str, Any] = {}
    for contract in contracts():
        if contract.direction == "inbound":
            messages |= _request_messages(contract)
    for kind in OutcomeKind:
        summary, description = _MEANINGS[kind]
        events = [e for e in outcome_events().items() if e[1]["detail-type"] == kind.detail_type]
        messages[kind.detail_type] = {
            "name": kind.detail_type,
            "title": kind.detail_type,
            "summary": summary,
            "description": description,
            "payload": _ref("schemas", f"{kind.detail_type}Event"),
            "examples": [{"name": name.removesuffix(".json"), "payload": event} for name, event in events],
        }
    return messages


def _request_messages(contract: Contract) -> dict[str, Any]:
    events = sample_events(contract.name)
    bare = _detail_name(contract.title)
    summary = schema_of(contract)["description"].partition(": ")[2] or contract.title
    summary = f"{summary[0].upper()}{summary[1:]}"
    return {
        contract.title: {
            "name": contract.title,
            "title": contract.title,
            "summary": summary,
            "payload": _ref("schemas", f"{contract.title}Event"),
            "examples": [{"payload": event} for event in events],
        },
        bare: {
            "name": bare,
            "title": f"{contract.title}, the bare detail",
            "summary": f"{summary} Without EventBridge's envelope.",
            "payload": _ref("schemas", _model_name(contract)),
            "examples": [{"payload": event["detail"]} for event in events],
        },
    }


def _detail_name(detail_type: str) -> str:
    return f"{detail_type}Detail"


def _model_name(contract: Contract) -> str:
    return contract.model.__name__


def _schemas() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for contract in contracts():
        schema = schema_of(contract)
        definitions = schema.pop("$defs", {})
        for name, definition in definitions.items():
            found[name] = _pointing_here(definition, definitions)
        schema = {name: value for name, value in schema.items() if name[0] != "$" and name != "examples"}
        found[_model_name(contract)] = _pointing_here({**schema, "title": _model_name(contract)}, definitions)
        if contract.direction == "inbound":
            found[f"{contract.title}Event"] = _event(contract.title, ORDER_SOURCE, _model_name(contract))
    for kind in OutcomeKind:
        event = _event(kind.detail_type, SOURCE, "Outcome")
        event["allOf"] = [{"properties": {"detail": {"properties": {"outcome": {"const": kind.value}}}}}]
        found[f"{kind.detail_type}Event"] = event
    return dict(sorted(found.items()))


def _event(detail_type: str, source: str, model: str) -> dict[str, Any]:
    """EventBridge's envelope, as far as a publisher fills it in or a reader needs it."""
    return {
        "title": f"{detail_type}Event",
        "type": "object",
        "description": "EventBridge's envelope around the detail; it has more fields than are listed here.",
        "required": ["source", "detail-type", "detail"],
        "properties": {
            "source": {"type": "string", "description": "Who published it.", "examples": [source]},
            "detail-type": {"const": detail_type, "description": "What the event is."},
            "detail": _ref("schemas", model),
        },
    }


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _pointing_here(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """The same schema with its references leading into this document.

    AsyncAPI's schemas are draft 7, where what stands beside a reference is ignored: there the definition is
    written out. So it is where null is allowed besides, which is better shown as one type than as a choice.
    """
    if isinstance(schema, list):
        return [_pointing_here(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = _with_null(schema, definitions)
    if "$ref" in schema:
        rest = {name: value for name, value in schema.items() if name != "$ref"}
        if not rest:
            return {"$ref": schema["$ref"].replace("#/$defs/", _SCHEMAS)}
        schema = {**definitions[schema["$ref"].rpartition("/")[2]], **rest}
    return {name: _pointing_here(value, definitions) for name, value in schema.items()}


def _with_null(schema: dict[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """``anyOf`` something and null as one schema, where it is one."""
    match schema.get("anyOf"):
        case [dict(option), {"type": "null"}]:
            found = definitions[option["$ref"].rpartition("/")[2]] if "$ref" in option else option
            if not isinstance(found.get("type"), str):
                return schema
            rest = {name: value for name, value in schema.items() if name != "anyOf"}
            values = {"enum": [*found["enum"], None]} if "enum" in found else {}
            return {**found, **values, "type": [found["type"], "null"], **rest}
    return schema


class _Dumper(yaml.SafeDumper):
    """Long texts as blocks, and no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Every part is written out."""
        del data
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
