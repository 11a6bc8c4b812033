"""The providers' credentials: one Secrets Manager secret, read once and again after a rotation.

::

    {"portone": {"imp_key": "…", "imp_secret": "…", "pg_api_key": "… (optional, KG Inicis)"},
     "ebp": {"access_key": "…", "hash_key": "…"}}
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from refunds.errors import ConfigurationError
from refunds.providers.http import wire

REFRESH_INTERVAL = 60.0
"""Seconds between two re-reads: a provider that answers 401 must not become a load on
Secrets Manager."""


@dataclass(frozen=True)
class PortOneCredentials:
    """The REST API keys of PortOne V1, and KG Inicis's API key for virtual accounts if there is one."""

    imp_key: str = field(repr=False)
    imp_secret: str = field(repr=False)
    pg_api_key: str | None = field(default=None, repr=False)

    def values(self) -> tuple[str, ...]:
        """Everything that must not appear in a text."""
        return tuple(filter(None, (self.imp_key, self.imp_secret, self.pg_api_key)))


@dataclass(frozen=True)
class EbpCredentials:
    """The store's access key (valid for one year) and the key its signatures are made with."""

    access_key: str = field(repr=False)
    hash_key: str = field(repr=False)

    def values(self) -> tuple[str, ...]:
        """Everything that must not appear in a text."""
        return (self.access_key, self.hash_key)


@dataclass(frozen=True)
class ProviderCredentials:
    """Both providers' credentials; a deployment that uses one provider leaves the other out."""

    portone: PortOneCredentials | None = None
    ebp: EbpCredentials | None = None


def parse(secret_json: str) -> ProviderCredentials:
    """Read the secret's JSON.

    Raises:
        ConfigurationError: it is no JSON object, or a field is missing or unusable. The text
            names the field, never a value.
    """
    secret = wire.decode(secret_json.encode("utf-8", "replace"))
    if secret is None:
        raise ConfigurationError("the provider secret is not a JSON object: write it anew")
    return ProviderCredentials(portone=_portone(secret), ebp=_ebp(secret))


def _portone(secret: dict[str, object]) -> PortOneCredentials | None:
    section = _section(secret, "portone")
    if section is None:
        return None
    return PortOneCredentials(
        imp_key=_required(section, "portone", "imp_key"),
        imp_secret=_required(section, "portone", "imp_secret"),
        pg_api_key=_optional(section, "portone", "pg_api_key"),
    )


def _ebp(secret: dict[str, object]) -> EbpCredentials | None:
    section = _section(secret, "ebp")
    if section is None:
        return None
    return EbpCredentials(
        access_key=_required(section, "ebp", "access_key"),
        hash_key=_required(section, "ebp", "hash_key"),
    )


def _section(secret: dict[str, object], name: str) -> dict[str, object] | None:
    section = secret.get(name)
    if section is None or isinstance(section, dict):
        return section
    raise ConfigurationError(f"the provider secret's {name} is not a JSON object")


def _required(section: dict[str, object], provider: str, name: str) -> str:
    value = _optional(section, provider, name)
    if value is None:
        raise ConfigurationError(f"the provider secret has no {provider}.{name}")
    return value


def _optional(section: dict[str, object], provider: str, name: str) -> str | None:
    value = section.get(name)
    if value is None or value == "":
        return None
    # Printable ASCII without spaces: keys travel in headers, and a stray line break from a
    # console is a mistake to be named here and not a 401 to be puzzled over later.
    if isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value:
        return value
    raise ConfigurationError(
        f"the provider secret's {provider}.{name} is not text of printable ASCII without spaces"
    )


class CredentialSource:
    """The secret as this process knows it; safe for concurrent use.

    Args:
        fetch: the secret's text; given true, as it is now, and not as it was read before.
        clock: seconds, monotonic.
        refresh_interval: seconds between two reads that ``refresh`` causes.
    """

    def __init__(
        self,
        fetch: Callable[[bool], str],
        *,
        clock: Callable[[], float] = time.monotonic,
        refresh_interval: float = REFRESH_INTERVAL,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._refresh_interval = refresh_interval
        self._lock = threading.Lock()
        self._credentials: ProviderCredentials | None = None
        self._read_at = float("-inf")

    def portone(self) -> PortOneCredentials:
        """PortOne's credentials.

        Raises:
            ConfigurationError: the secret cannot be read or has none.
        """
        credentials = self._current().portone
        if credentials is None:
            raise ConfigurationError("the provider secret has no portone section")
        return credentials

    def ebp(self) -> EbpCredentials:
        """EBP's credentials.

        Raises:
            ConfigurationError: the secret cannot be read or has none.
        """
        credentials = self._current().ebp
        if credentials is None:
            raise ConfigurationError("the provider secret has no ebp section")
        return credentials

    def refresh(self) -> None:
        """Read the secret again, because a provider rejects what is known of it.

        Does nothing when it was read less than the refresh interval ago. What is known stays when
        it cannot be read now: this call follows a provider's answer, and must not replace it.
        """
        with self._lock:
            if self._clock() - self._read_at >= self._refresh_interval:
                with suppress(ConfigurationError):
                    self._credentials = self._read(again=True)

    def _current(self) -> ProviderCredentials:
        # Without the lock, once known: no caller waits for a slow re-read.
        credentials = self._credentials
        if credentials is None:
            with self._lock:
                credentials = self._credentials = self._credentials or self._read(again=False)
        return credentials

    def _read(self, *, again: bool) -> ProviderCredentials:
        self._read_at = self._clock()
        try:
            text = self._fetch(again)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - the client that reads it is the caller's choice
            # Powertools wraps what went wrong. Only its name is told, for its text may hold data.
            kind = _name_of(error.__context__ or error)
        else:
            return parse(text)
        raise ConfigurationError(
            f"the provider secret cannot be read ({kind}): check PROVIDER_SECRET_ID and the "
            "function's permission to read it"
        )


def _name_of(error: BaseException) -> str:
    """AWS's code of an error it answered with, else the exception's class."""
    response = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code") or type(error).__name__)
