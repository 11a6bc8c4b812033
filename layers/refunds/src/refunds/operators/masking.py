"""Shows a message without its personal data.

What may be shown is listed; everything else is cleaned. A field is personal by its name, wherever it
stands: order services grow fields nobody here knows of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Final

from refunds.cancel_types import all_cancel_types
from refunds.contracts import strict_json
from refunds.domain.redaction import redact
from refunds.errors import InvalidRequest
from refunds.providers.http import wire

_MASK: Final = "***"
_CHARACTER: Final = re.compile(r"\d|[A-Za-z]")
_ACCOUNT_LIKE: Final = re.compile(r"(?=.*\d)[\dA-Za-z\s-]+")
_WORD: Final = re.compile(r"[\w-]+")
_LONG_NUMBER: Final = 10**6  # seven digits: account, card and phone numbers begin there

_MOST_SAID: Final = 50  # a message that says more of people has its texts masked as a whole

_PERSONAL: Final = re.compile(
    r"account|holder|phone|tel|mobile|fax|e?mail|buyer|birth|addr|postcode|zip|card_?num|refund_?bank"
    r"|bank_?code|vbank_?num|customer|name$|token|secret|password|api_?key",
    re.IGNORECASE,
)

#: Identifiers, times and codes of all contracts and of EventBridge's envelope.
_PLAIN_TEXTS: Final = frozenset().union(
    *(kind.policy.request.plain_texts for kind in all_cancel_types()),
    {
        *("cancel_request_id", "order_id", "schema_version", "requested_at", "requested_by", "cancel_type"),
        *("version", "id", "detail-type", "source", "time", "region", "replay-name"),
        *("requestId", "functionArn", "condition", "timestamp"),
        *("error_code", "failed_at", "RULE_ARN", "TARGET_ARN", "ERROR_CODE", "RequestID", "ErrorCode"),
        *("EXHAUSTED_RETRY_CONDITION", "RETRY_ATTEMPTS"),
    },
)
#: How one is written; in a message that breaks its contract anything may stand in its place.
_PLAIN_TEXT: Final = re.compile(r"[A-Za-z0-9._:+-]{1,64}|arn:[!-~]{1,300}")
_PLAIN_NUMBERS: Final = frozenset({"approximateInvokeCount"}).union(
    *(kind.policy.request.plain_numbers for kind in all_cancel_types())
)
_PLAIN: Final = _PLAIN_TEXTS | _PLAIN_NUMBERS
#: AWS's own account id in EventBridge's envelope, told from a bank account by its form and place.
_AWS_ACCOUNT: Final = re.compile(r"\d{12}")


def mask_body(body: str) -> str:
    """A message body with everything personal masked; still JSON, and still of its shape, if it was JSON.

    In what is no JSON, a name cannot be told from a value: no word is shown but the contracts' own names.
    """
    try:
        return wire.encode(mask(strict_json.loads(body))).decode()
    except (strict_json.NotStrictJson, InvalidRequest, RecursionError):
        return redact(_WORD.sub(_known_word, redact(body)))


def mask(value: object) -> object:
    """A JSON value with everything personal masked."""
    return _Mask(tuple(dict.fromkeys(_personal_texts(value)))).masked(value, "")


def _known_word(found: re.Match[str]) -> str:
    return found[0] if found[0] in _field_names() else _MASK


@cache
def _field_names() -> frozenset[str]:
    """Of all contracts, and JSON's own words: they say nothing of anybody."""
    schemas = (kind.policy.contract.model_json_schema() for kind in all_cancel_types())
    return _PLAIN.union(("detail", "true", "false", "null"), *map(_properties, schemas))


def _properties(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", ())
        for part in schema.values():
            yield from _properties(part)


@dataclass(frozen=True)
class _Mask:
    """Masks one message; ``said`` is what it says of a person, and may repeat in its other texts."""

    said: tuple[str, ...]

    def masked(self, value: object, name: str) -> object:
        if isinstance(value, dict):
            return self._named((key, self._member(key, item, value)) for key, item in value.items())
        if isinstance(value, list):
            return [self.masked(item, name) for item in value]
        return self._scalar(value, name)

    def _member(self, name: str, item: object, parent: dict[str, object]) -> object:
        if name == "account" and "detail-type" in parent and _is_aws_account(item):
            return item
        return self._hidden(item) if _is_personal(name) else self.masked(item, name)

    def _named(self, members: Iterable[tuple[str, object]]) -> dict[str, object]:
        """An object whose names are masked where they are personal themselves, and stay apart."""
        shown: dict[str, object] = {}
        for key, item in members:
            masked = self._text(key)
            name = key if key in _PLAIN or _MASK not in masked else masked
            while name in shown:
                name += "*"
            shown[name] = item
        return shown

    def _scalar(self, value: object, name: str) -> object:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, Decimal)):
            return value if name in _PLAIN_NUMBERS or -_LONG_NUMBER < value < _LONG_NUMBER else 0
        text = str(value)
        if name not in _PLAIN_TEXTS:
            return self._text(text)
        if _PLAIN_TEXT.fullmatch(text):
            return text
        return self._text(text) if text.isascii() else _MASK

    def _text(self, text: str) -> str:
        return redact(text, self.said) if len(self.said) <= _MOST_SAID else _MASK

    def _hidden(self, value: object) -> object:
        """What is hidden keeps its kind, so that a masked message still fits its contract."""
        if isinstance(value, dict):
            return self._named((key, self._hidden(item)) for key, item in value.items())
        if isinstance(value, list):
            return [self._hidden(item) for item in value]
        if isinstance(value, str):
            return _CHARACTER.sub("0", value) if _ACCOUNT_LIKE.fullmatch(value) else _MASK
        return value if value is None or isinstance(value, bool) else 0


def _personal_texts(value: object, *, personal: bool = False) -> Iterator[str]:
    """Every text under a name that says it is personal."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _personal_texts(item, personal=personal or _is_personal(name))
    elif isinstance(value, list):
        for item in value:
            yield from _personal_texts(item, personal=personal)
    elif personal and isinstance(value, str):
        yield value


def _is_personal(name: str) -> bool:
    return name not in _PLAIN and _PERSONAL.search(name) is not None


def _is_aws_account(value: object) -> bool:
    return isinstance(value, str) and _AWS_ACCOUNT.fullmatch(value) is not None
