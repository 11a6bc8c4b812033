"""DynamoDB's expressions, as far as anything here uses them: read once, judged and carried out often."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from tests.fakes.answers import AwsError

Item = Mapping[str, Any]
#: A condition or a part of it, of an item, by the names and values that the request gives.
_Test = Callable[[Item, Mapping[str, str], Mapping[str, Any]], bool]

_TOKEN = re.compile(r"\s*(<=|>=|<>|[=<>()]|attribute_exists|attribute_not_exists|size|AND|OR|[#:]?\w+)")
_COMPARE: Final[Mapping[str, Any]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_PLACEHOLDER: Final = re.compile(r"[#:]\w+")
_EXPRESSIONS: Final = ("UpdateExpression", "ConditionExpression", "KeyConditionExpression")
_CLAUSE: Final = re.compile(r"\b(SET|REMOVE|ADD) ")
_APPEND: Final = re.compile(r"list_append\((?:if_not_exists\((\S+), \S+\)|(\S+)), (\S+)\)")
_NONE: Final[Mapping[str, Any]] = {}


def invalid(message: str) -> AwsError:
    """The error for a request that DynamoDB does not understand."""
    return AwsError("ValidationException", message)


def used_in(request: Mapping[str, Any]) -> frozenset[str]:
    """The names and values that a request's expressions use."""
    return frozenset().union(*(_used(request.get(expression, "")) for expression in _EXPRESSIONS))


def check_names(request: Mapping[str, Any]) -> None:
    """DynamoDB refuses a name or value that no expression uses, and one that is used and not given.

    Raises:
        AwsError: there is one.
    """
    given = {
        *request.get("ExpressionAttributeNames", _NONE),
        *request.get("ExpressionAttributeValues", _NONE),
    }
    if given != (used := used_in(request)):
        raise invalid(f"unused or undefined in expressions: {sorted(given ^ used)}")


def holds(expression: str, item: Item, request: Mapping[str, Any]) -> bool:
    """Whether a condition is true of an item; an item that does not exist has no attributes."""
    names = request.get("ExpressionAttributeNames", _NONE)
    return _condition(expression)(item, names, request.get("ExpressionAttributeValues", _NONE))


def updated(old: Item, request: Mapping[str, Any], key: Item) -> dict[str, Any]:
    """Carry out ``SET #a = :a, #l = list_append(#l, :x) REMOVE #b ADD #n :n``, each clause at will.

    An item that does not exist is made of its key and what is set (API_UpdateItem).

    Raises:
        AwsError: the expression and the item do not fit.
    """
    names = request.get("ExpressionAttributeNames", _NONE)
    values = request.get("ExpressionAttributeValues", _NONE)
    sets, removes, adds = _update(request.get("UpdateExpression", ""))
    changed = [names.get(name, name) for name in (*(name for name, _ in (*adds, *sets)), *removes)]
    if len(set(changed)) < len(changed):
        raise invalid("Two document paths overlap with each other")
    if not key.keys().isdisjoint(changed):
        raise invalid("Cannot update attribute. This attribute is part of the key")
    new = {**key, **old}
    for name, value in adds:
        before = Decimal(old.get(names[name], {"N": "0"})["N"])
        new[names[name]] = {"N": str(before + Decimal(values[value]["N"]))}
    for name, value in sets:
        append = _APPEND.fullmatch(value)
        new[names[name]] = _appended(old, names, values, append) if append else values[value]
    for name in removes:
        new.pop(names.get(name, name), None)
    return new


def _appended(
    old: Item, names: Mapping[str, str], values: Mapping[str, Any], found: re.Match[str]
) -> dict[str, Any]:
    """A list and what is appended; one that is not there needs ``if_not_exists``."""
    before = old.get(names[found[1] or found[2]], {"L": []} if found[1] else None)
    if before is None:
        raise invalid("The provided expression refers to an attribute that does not exist in the item")
    return {"L": [*before["L"], *values[found[3]]["L"]]}


_Pairs = tuple[tuple[str, str], ...]


@lru_cache(maxsize=256)
def _update(expression: str) -> tuple[_Pairs, tuple[str, ...], _Pairs]:
    """What an update sets, removes and adds."""
    _, *parts = _CLAUSE.split(expression)
    clauses = {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}
    sets = re.split(r", (?=#\w+ = )", clauses.get("SET", ""))
    removes, adds = (clauses.get(name, "").split(", ") for name in ("REMOVE", "ADD"))
    return _pairs(sets, " = "), tuple(filter(None, removes)), _pairs(adds, " ")


def _pairs(parts: list[str], sign: str) -> _Pairs:
    return tuple((name, value) for name, _, value in (part.partition(sign) for part in parts if part))


@lru_cache(maxsize=256)
def _used(expression: str) -> frozenset[str]:
    return frozenset(_PLACEHOLDER.findall(expression))


@lru_cache(maxsize=256)
def _condition(expression: str) -> _Test:
    """Recursive descent: OR binds weaker than AND."""
    tokens = _TOKEN.findall(expression)
    test = _either(tokens)
    assert not tokens, tokens
    return test


def _either(tokens: list[str]) -> _Test:
    return _joined(tokens, "OR", _both, any)


def _both(tokens: list[str]) -> _Test:
    return _joined(tokens, "AND", _term, all)


def _joined(tokens: list[str], word: str, read: Callable[[list[str]], _Test], join: Any) -> _Test:
    tests = [read(tokens)]
    while tokens and tokens[0] == word:
        tokens.pop(0)
        tests.append(read(tokens))
    if len(tests) == 1:
        return tests[0]
    return lambda item, names, values: join(test(item, names, values) for test in tests)


def _term(tokens: list[str]) -> _Test:
    token = tokens.pop(0)
    if token == "(":
        test = _either(tokens)
        _expect(tokens, ")")
        return test
    if token not in ("attribute_exists", "attribute_not_exists", "size"):
        return _comparison(tokens, token, _itself)
    _expect(tokens, "(")
    name = tokens.pop(0)
    _expect(tokens, ")")
    if token == "size":
        return _comparison(tokens, name, _length)
    exists = token == "attribute_exists"
    return lambda item, names, _values: (names.get(name, name) in item) is exists


def _comparison(tokens: list[str], name: str, of: Callable[[Any], Any]) -> _Test:
    """Values of two types are never equal, and an attribute that is not there is neither."""
    compare, value = _COMPARE[tokens.pop(0)], tokens.pop(0)

    def test(item: Item, names: Mapping[str, str], values: Mapping[str, Any]) -> bool:
        found = item.get(names.get(name, name))
        if found is None:
            return False
        found, wanted = of(found), values[value]
        if found.keys() != wanted.keys():
            return compare is operator.ne
        return bool(compare(_comparable(found), _comparable(wanted)))

    return test


def _itself(found: Any) -> Any:
    return found


def _length(found: Any) -> Any:
    return {"N": str(len(found["L"]))}


def _expect(tokens: list[str], token: str) -> None:
    found = tokens.pop(0)
    assert found == token, found


def _comparable(value: Mapping[str, Any]) -> Any:
    return Decimal(value["N"]) if "N" in value else value.get("S", value.get("B"))
