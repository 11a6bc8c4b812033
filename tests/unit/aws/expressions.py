"""DynamoDB's condition expressions, as far as anything here uses them."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from tests.unit.aws.endpoint import AwsError

_TOKEN = re.compile(r"\s*(<=|>=|<>|[=<>()]|attribute_exists|attribute_not_exists|size|AND|OR|[#:]?\w+)")
_COMPARE: Mapping[str, Any] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


_PLACEHOLDER: Final = re.compile(r"[#:]\w+")
_EXPRESSIONS: Final = ("UpdateExpression", "ConditionExpression", "KeyConditionExpression")


def check_names(request: Mapping[str, Any]) -> None:
    """DynamoDB refuses a name or value that no expression uses, and one that is used and not given.

    Raises:
        AwsError: there is one.
    """
    given = {*request.get("ExpressionAttributeNames", {}), *request.get("ExpressionAttributeValues", {})}
    used = {name for expression in _EXPRESSIONS for name in _PLACEHOLDER.findall(request.get(expression, ""))}
    if given != used:
        raise AwsError("ValidationException", f"unused or undefined in expressions: {sorted(given ^ used)}")


def holds(expression: str, item: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Whether a condition is true of an item; an item that does not exist has no attributes."""
    return _Condition(expression, item, request).value()


class _Condition:
    """Recursive descent: OR binds weaker than AND, and every part is read even when it cannot matter."""

    def __init__(self, expression: str, item: Mapping[str, Any], request: Mapping[str, Any]) -> None:
        self._tokens = list(_tokens(expression))
        self._item = item
        self._names = request.get("ExpressionAttributeNames", {})
        self._values = request.get("ExpressionAttributeValues", {})

    def value(self) -> bool:
        result = self._either()
        assert not self._tokens, self._tokens
        return result

    def _either(self) -> bool:
        result = self._both()
        while self._tokens and self._tokens[0] == "OR":
            self._next()
            result = self._both() or result
        return result

    def _both(self) -> bool:
        result = self._term()
        while self._tokens and self._tokens[0] == "AND":
            self._next()
            result = self._term() and result
        return result

    def _term(self) -> bool:
        token = self._next()
        if token == "(":
            result = self._either()
            self._expect(")")
            return result
        if token in ("attribute_exists", "attribute_not_exists"):
            self._expect("(")
            exists = self._attribute(self._next()) is not None
            self._expect(")")
            return exists is (token == "attribute_exists")
        if token == "size":
            self._expect("(")
            found = self._attribute(self._next())
            self._expect(")")
            return self._comparison(None if found is None else {"N": str(len(found["L"]))})
        return self._comparison(self._attribute(token))

    def _comparison(self, found: Any) -> bool:
        """Values of two types are never equal, and an attribute that is not there is neither."""
        compare = _COMPARE[self._next()]
        wanted = self._values[self._next()]
        if found is None or found.keys() != wanted.keys():
            return compare is operator.ne and found is not None
        return bool(compare(_comparable(found), _comparable(wanted)))

    def _attribute(self, name: str) -> Any:
        return self._item.get(self._names.get(name, name))

    def _next(self) -> str:
        token: str = self._tokens.pop(0)
        return token

    def _expect(self, token: str) -> None:
        found = self._next()
        assert found == token, found


@lru_cache(maxsize=256)
def _tokens(expression: str) -> tuple[str, ...]:
    """A few conditions are asked for over and over."""
    return tuple(_TOKEN.findall(expression))


def _comparable(value: Mapping[str, Any]) -> Any:
    return Decimal(value["N"]) if "N" in value else value.get("S", value.get("B"))
