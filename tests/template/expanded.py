"""An expanded template and what it says once parameters and conditions are known."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

NO_VALUE = "<AWS::NoValue>"


class Expanded:
    """The expanded template. Parameters have their defaults, conditions follow from these."""

    def __init__(self, template: dict[str, Any]) -> None:
        self.template = template
        self.parameters: dict[str, Any] = template["Parameters"]
        self.resources: dict[str, Any] = template["Resources"]
        self.outputs: dict[str, Any] = template["Outputs"]

    def of_type(self, type_name: str) -> dict[str, Any]:
        """The properties of every resource of a type, by logical id, intrinsics resolved."""
        return {
            name: self.properties(name)
            for name, resource in self.resources.items()
            if resource["Type"] == type_name
        }

    def properties(self, logical_id: str) -> dict[str, Any]:
        """A resource's properties, intrinsics resolved."""
        resolved: dict[str, Any] = self.resolve(self.resources[logical_id]["Properties"])
        return resolved

    def resolve(self, value: Any) -> Any:
        """Resolve what the template alone decides; a resource becomes ``<Id>``, an attribute ``<Id.Arn>``."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item != NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (function, argument), *_ = value.items()
            resolvers: dict[str, Callable[[Any], Any]] = {
                "Ref": self._ref,
                "Fn::GetAtt": self._attribute,
                "Fn::If": self._if,
                "Fn::FindInMap": self._find,
                "Fn::Sub": self._substitute,
                "Fn::Select": self._select,
                "Fn::Split": self._split,
                "Fn::Join": self._join,
            }
            if function in resolvers:
                return resolvers[function](argument)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item != NO_VALUE}

    def _ref(self, name: str) -> Any:
        if name not in self.parameters:
            return f"<{name}>"
        default = self.parameters[name]["Default"]
        return default.split(",") if self.parameters[name]["Type"] == "CommaDelimitedList" else default

    def _attribute(self, argument: list[str] | str) -> str:
        return f"<{argument if isinstance(argument, str) else '.'.join(argument)}>"

    def _if(self, argument: list[Any]) -> Any:
        condition, when_true, when_false = argument
        return self.resolve(when_true if self.holds(condition) else when_false)

    def holds(self, condition: str) -> bool:
        """Whether a condition of the template does."""
        return self._is_true(self.template["Conditions"][condition])

    def _is_true(self, condition: Any) -> bool:
        ((function, argument),) = condition.items()
        match function:
            case "Condition":
                return self.holds(argument)
            case "Fn::Equals":
                left, right = self.resolve(argument)
                return bool(left == right)
            case "Fn::Not":
                return not self._is_true(argument[0])
            case "Fn::Or":
                return any(map(self._is_true, argument))
        raise AssertionError(function)

    def _find(self, argument: list[Any]) -> Any:
        name, key, attribute = (self.resolve(part) for part in argument)
        return self.template["Mappings"][name][str(key)][attribute]

    def _substitute(self, argument: str | list[Any]) -> str:
        text, given = argument if isinstance(argument, list) else (argument, {})
        known = {name: self.resolve(value) for name, value in given.items()}
        return re.sub(r"\$\{([^}]+)\}", lambda found: str(known.get(found[1]) or self._ref(found[1])), text)

    def _select(self, argument: list[Any]) -> Any:
        index, values = argument
        return self.resolve(values)[int(index)]

    def _split(self, argument: list[Any]) -> list[str]:
        delimiter, text = argument
        return str(self.resolve(text)).split(delimiter)

    def _join(self, argument: list[Any]) -> str:
        delimiter, values = argument
        return str(delimiter).join(map(str, self.resolve(values)))
