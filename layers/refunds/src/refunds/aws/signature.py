"""AWS Signature Version 4 for requests without a path and a query.

Source: AWS, "Create a signed AWS API request". The same headers are signed as by botocore, and the
tests compare the two signatures.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Keys:
    """An access key of AWS; Lambda's own is temporary and has a session token."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Keys | None:
        """Lambda's own; ``None`` where they come from elsewhere, as they do with SnapStart."""
        access_key, secret_key = (
            environment.get("AWS_ACCESS_KEY_ID"),
            environment.get("AWS_SECRET_ACCESS_KEY"),
        )
        if not access_key or not secret_key:
            return None
        return cls(access_key, secret_key, environment.get("AWS_SESSION_TOKEN") or None)


class Signer:
    """Signs the requests of one service in one region; safe for concurrent use."""

    def __init__(self, keys: Keys, region: str, service: str) -> None:
        self._keys = keys
        self._region = region
        self._service = service
        self._derived: dict[str, bytes] = {}

    def signed(self, headers: Mapping[str, str], body: bytes, now: float) -> dict[str, str]:
        """The headers of a ``POST /`` with what makes it a signed one.

        Args:
            headers: ``host`` and whatever else is to be signed, names in lower case.
            body: the bytes as they are sent.
            now: UNIX seconds.
        """
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        signed = {**headers, "x-amz-date": moment}
        if self._keys.session_token:
            signed["x-amz-security-token"] = self._keys.session_token
        names = sorted(signed)
        lines = [f"{name}:{signed[name]}" for name in names]
        listed = ";".join(names)
        canonical = "\n".join(["POST", "/", "", *lines, "", listed, _hash(body)])
        scope = f"{moment[:8]}/{self._region}/{self._service}/aws4_request"
        text = "\n".join([_ALGORITHM, moment, scope, _hash(canonical.encode())])
        signature = hmac.digest(self._key(moment[:8]), text.encode(), hashlib.sha256).hex()
        signed["authorization"] = (
            f"{_ALGORITHM} Credential={self._keys.access_key}/{scope}, "
            f"SignedHeaders={listed}, Signature={signature}"
        )
        return signed

    def _key(self, day: str) -> bytes:
        """The key of a day: four hashes that would be the same for each of its requests."""
        key = self._derived.get(day)
        if key is None:
            key = f"AWS4{self._keys.secret_key}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), hashlib.sha256)
            self._derived = {day: key}
        return key


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
