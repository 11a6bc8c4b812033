"""Options that several commands share, declared once as dataclasses."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

F = TypeVar("F", bound=Callable[..., None])


def with_option_groups(command: F) -> F:
    """Let a Typer command take dataclasses: each field becomes an option of the command.

    A parameter whose type is a dataclass disappears from the command line and is built from its
    fields, which carry their ``typer.Option`` as ``Annotated`` metadata. A group that is a context
    manager is entered for the time of the command.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)}
    parameters = [
        parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(command).parameters.items()
        if name not in groups
    ]
    for group in groups.values():
        parameters += _options(group)

    @functools.wraps(command)
    def run(**values: Any) -> None:
        with ExitStack() as entered:
            for name, group in groups.items():
                built = group(**{field.name: values.pop(field.name) for field in _given(group)})
                if isinstance(built, AbstractContextManager):
                    entered.enter_context(built)
                values[name] = built
            command(**values)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del run.__wrapped__
    return run  # type: ignore[return-value]


@functools.cache  # a group is part of many commands
def _options(group: type) -> tuple[inspect.Parameter, ...]:
    hints = get_type_hints(group, include_extras=True)
    return tuple(
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in _given(group)
    )


def _given(group: type) -> list[Field[Any]]:
    """The fields that are options: those the constructor takes."""
    return [field for field in fields(group) if field.init]
