"""A caller of the simulated providers, as plain as an HTTP client without a library can be."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from local.simulator import Answer, Lost

if TYPE_CHECKING:
    from local.simulator import World

IMP_KEYS = {"imp_key": "simulator-imp-key", "imp_secret": "simulator-imp-secret"}

EBP_HEADERS = {
    "content-type": "application/json; charset=utf-8",
    "accept": "application/json",
    "x-access-key": "simulator-access-key",
    "x-division-code": "D1",
    "x-store-id": "S1",
    "x-channel-code": "WEB",
    "x-ric-code": "KIC",
    "x-country-code": "KR",
    "x-currency-code": "KRW",
}


@dataclass
class ManualClock:
    """UNIX seconds that pass when a test says so."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        """The time now."""
        return self.now

    def elapse(self, seconds: float) -> None:
        """Let seconds pass."""
        self.now += seconds


@dataclass
class Caller:
    """Calls a world with an access token it fetched."""

    world: World
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})

    def fetch_token(self) -> dict[str, Any]:
        """Fetch an access token and use it from now on."""
        payload = self.ask("POST", "/users/getToken", IMP_KEYS)[1]
        self.headers["authorization"] = f"Bearer {payload['response']['access_token']}"
        response: dict[str, Any] = payload["response"]
        return response

    def send(self, method: str, path: str, body: Any = None, **query: str) -> Answer | Lost:
        """Send a JSON request to PortOne."""
        encoded = b"" if body is None else json.dumps(body).encode()
        return self.world.handle(method, path, query, self.headers, encoded)

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, dict[str, Any]]:
        """Send a JSON request to PortOne and open the answer."""
        return opened(self.send(method, path, body, **query))

    def cancel(self, **fields: Any) -> dict[str, Any]:
        """POST /payments/cancel as JSON."""
        status, payload = self.ask("POST", "/payments/cancel", fields)
        assert status == 200
        return payload

    def cancel_by_form(self, **fields: str) -> dict[str, Any]:
        """POST /payments/cancel as a form."""
        headers = {**self.headers, "content-type": "application/x-www-form-urlencoded"}
        body = urlencode(fields).encode()
        return opened(self.world.handle("POST", "/payments/cancel", {}, headers, body))[1]

    def lookup(self, imp_uid: str) -> dict[str, Any]:
        """The PaymentAnnotation of a known payment."""
        status, payload = self.ask("GET", f"/payments/{imp_uid}")
        assert status == 200
        response: dict[str, Any] = payload["response"]
        return response

    def ebp(self, name: str, body: Any, **changed_headers: str) -> tuple[int, dict[str, Any]]:
        """Send a signed request to EBP and open the answer."""
        return opened(self.send_ebp(name, body, **changed_headers))

    def send_ebp(self, name: str, body: Any, **changed_headers: str) -> Answer | Lost:
        """Send a signed request to EBP."""
        encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
        signature = hashlib.sha256(encoded + b"simulator-hash-key").hexdigest()
        changed = {header.replace("_", "-"): value for header, value in changed_headers.items()}
        headers = {**EBP_HEADERS, "x-ebp-signature": signature, **changed}
        return self.world.handle("POST", f"/api/v2/payment/{name}", {}, headers, encoded)


def opened(answer: Answer | Lost) -> tuple[int, dict[str, Any]]:
    """Status and JSON object of an answer that arrived."""
    assert isinstance(answer, Answer), answer
    payload = json.loads(answer.body)
    assert isinstance(payload, dict)
    return answer.status, payload
