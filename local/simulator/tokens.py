"""PortOne access tokens: 30 minutes, the same one until it ends, prolonged in its last minute."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LIFETIME_SECONDS = 30 * 60
PROLONG_WITHIN_SECONDS = 60
PROLONG_BY_SECONDS = 5 * 60


@dataclass(slots=True)
class AccessTokens:
    """Tokens by value with their expiry in UNIX seconds (portone-v1.openapi.json, POST /users/getToken)."""

    next_id: Callable[[str], str]
    expiry: dict[str, float] = field(default_factory=dict)
    latest: str = ""

    def issue(self, now: float) -> tuple[str, float]:
        """The token to use and its expiry: the running one if there is one."""
        expires = self.expiry.get(self.latest, 0.0)
        if expires <= now:
            self.latest = self.next_id("token")
            expires = now + LIFETIME_SECONDS
        elif expires - now <= PROLONG_WITHIN_SECONDS:
            expires += PROLONG_BY_SECONDS
        self.expiry[self.latest] = expires
        return self.latest, expires

    def valid(self, token: str, now: float) -> bool:
        """Whether a token is known and not expired."""
        return self.expiry.get(token, 0.0) > now

    def revoke(self, token: str) -> None:
        """Make one token invalid before its time."""
        self.expiry.pop(token, None)

    def clear(self) -> None:
        """Make all tokens invalid."""
        self.expiry.clear()
