"""An expanded template and what it says once parameters and conditions are known."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any


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
            return [self.resolve(item) for item in value]
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
            }
            if function in resolvers:
                return resolvers[function](argument)
        return {key: self.resolve(item) for key, item in value.items()}

    def _ref(self, name: str) -> Any:
        return self.parameters[name]["Default"] if name in self.parameters else f"<{name}>"

    def _attribute(self, argument: list[str] | str) -> str:
        return f"<{argument if isinstance(argument, str) else '.'.join(argument)}>"

    def _if(self, argument: list[Any]) -> Any:
        condition, when_true, when_false = argument
        left, right = self.resolve(self.template["Conditions"][condition]["Fn::Equals"])
        return self.resolve(when_true if left == right else when_false)

    def _find(self, argument: list[Any]) -> Any:
        name, key, attribute = (self.resolve(part) for part in argument)
        return self.template["Mappings"][name][str(key)][attribute]

    def _substitute(self, text: str) -> str:
        return re.sub(r"\$\{([^}]+)\}", lambda found: str(self._ref(found[1])), text)
