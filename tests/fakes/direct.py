"""A client without HTTP: what is asked goes to the service in memory as it is."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from tests.fakes.answers import AwsError, Exceptions, refusal
from tests.fakes.endpoint import Service


class Direct:
    """A client of a service in memory that is called without a request being written and read."""

    exceptions = Exceptions

    def __init__(self, service: Service) -> None:
        self._service = service

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        operation = "".join(part.capitalize() for part in name.split("_"))

        def call(**request: Any) -> dict[str, Any]:
            try:
                return deepcopy(self._service.carry_out(operation, deepcopy(request)))
            except AwsError as error:
                raise refusal(operation, deepcopy(error)) from None

        return call
