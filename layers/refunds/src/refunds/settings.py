"""What a deployment configures, read once from the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import urlsplit

from refunds.cancel_types import MODULES
from refunds.domain.limits import NONE, Limits, limits_of_json
from refunds.domain.policy import Policy
from refunds.errors import ConfigurationError
from refunds.messaging.circuit_breaker import CircuitSettings
from refunds.messaging.queue import Backoff
from refunds.providers.clients import ProviderSettings
from refunds.providers.ebp.headers import EbpHeaders
from refunds.providers.http.provider_http import Timeouts

T = TypeVar("T")

_DAY: Final = 86_400  # seconds
_OFF: Final = frozenset({"0", "false", "no", "off", "n", "f"})
_DEVELOPMENT: Final = frozenset({"dev", "local"})
_LOCAL: Final = "local"
_PRODUCTION: Final = "prod"

#: Where boto3 finds AWS: for all services, and with the name of one behind it.
_AWS_ENDPOINT: Final = "AWS_ENDPOINT_URL"

#: Of Powertools: events in the log, everything in the log, no metrics, no duplicate check, no breaker.
_UNSAFE_SWITCHES: Final = (
    "POWERTOOLS_LOGGER_LOG_EVENT",
    "POWERTOOLS_DEV",
    "POWERTOOLS_DEBUG",
    "POWERTOOLS_METRICS_DISABLED",
    "POWERTOOLS_IDEMPOTENCY_DISABLED",
    "POWERTOOLS_CIRCUIT_BREAKER_DISABLED",
    "POWERTOOLS_TRACE_MIDDLEWARES",
)

_UNDER_WAY: Final = 10.0  # times the read timeout: how long a gateway may go on after our connection ended
_LARGEST: Final = 1e9  # far above any sensible seconds, days or counts


@dataclass(frozen=True)
class Sweeping:
    """When the sweeper asks about what is open; seconds.

    Attributes:
        min_age: without a change, before it asks at all: the messages' own retries come first.
        first_interval: between its first two questions about one request; doubled for each further one.
        longest_interval: what they are doubled to at most.
        pending_days: days after which what a provider accepted and never booked is parked.
        most: requests asked about in one run.
    """

    min_age: float = 900.0
    first_interval: float = 900.0
    longest_interval: float = 86_400.0
    pending_days: float = 14.0
    most: int = 500


@dataclass(frozen=True, kw_only=True)
class Settings(ProviderSettings):
    """One function's configuration; see ``template.yaml`` for where each value comes from."""

    ledger_table: str
    accounting_bus: str
    backoff: Backoff
    stage: str = "dev"
    queue_url: str | None = None
    dlq_url: str | None = None
    max_receive_count: int = 5
    ledger_ttl_days: int = 400
    lease_margin: float = 10.0
    limits: Mapping[str, Limits] = field(default_factory=dict)
    order_source: str = "order-service"
    order_account: str | None = None
    sweeping: Sweeping = field(default_factory=Sweeping)
    circuit: CircuitSettings = field(default_factory=CircuitSettings)
    paused: bool = False
    dry_run: bool = False
    metrics_namespace: str = "Refunds"

    @property
    def under_way(self) -> float:
        """Seconds for which a send of unknown fate may still be carried out (ADR 6)."""
        return _UNDER_WAY * self.timeouts.read

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read and check the environment.

        Raises:
            ConfigurationError: a variable is missing or unusable; its name is in the message.
        """
        env = _Environment(environment)
        settings = cls(
            ledger_table=env.text("LEDGER_TABLE_NAME"),
            accounting_bus=env.text("ACCOUNTING_BUS_NAME"),
            provider_secret_id=env.text("PROVIDER_SECRET_ID"),
            portone_base_url=env.url("PORTONE_BASE_URL"),
            ebp_base_url=env.url("EBP_BASE_URL"),
            ebp_headers=EbpHeaders(
                division_code=env.text("EBP_DIVISION_CODE"),
                store_id=env.text("EBP_STORE_ID"),
                channel_code=env.text("EBP_CHANNEL_CODE"),
                ric_code=env.text("EBP_RIC_CODE"),
                country_code=env.text("EBP_COUNTRY_CODE"),
                currency_code=env.text("EBP_CURRENCY_CODE"),
            ),
            timeouts=Timeouts(
                connect=env.positive("CONNECT_TIMEOUT_SECONDS", 5.0),
                read=env.positive("READ_TIMEOUT_SECONDS", 60.0),
                lookup=env.positive("LOOKUP_TIMEOUT_SECONDS", 10.0),
            ),
            backoff=Backoff(
                base=env.positive("RETRY_BASE_SECONDS", 30.0),
                cap=env.positive("RETRY_CAP_SECONDS", 900.0),
                later=env.positive("RETRY_LATER_SECONDS", 1800.0),
            ),
            stage=env.text("STAGE", "dev"),
            queue_url=env.text("QUEUE_URL", "") or None,
            dlq_url=env.text("DLQ_URL", "") or None,
            max_receive_count=env.whole("MAX_RECEIVE_COUNT", 5),
            batch_concurrency=env.whole("BATCH_CONCURRENCY", 10),
            ledger_ttl_days=env.whole("LEDGER_TTL_DAYS", 400),
            lease_margin=env.positive("LEASE_MARGIN_SECONDS", 10.0),
            limits=limits_of_json(env.text("LIMITS", ""), MODULES),
            order_source=env.text("ORDER_EVENT_SOURCE", "order-service"),
            order_account=env.text("ORDER_EVENT_ACCOUNT", "") or None,
            sweeping=Sweeping(
                min_age=env.positive("SWEEP_MIN_AGE_SECONDS", 900.0),
                first_interval=env.positive("SWEEP_FIRST_INTERVAL_SECONDS", 900.0),
                longest_interval=env.positive("SWEEP_LONGEST_INTERVAL_SECONDS", 86_400.0),
                pending_days=env.positive("PENDING_DAYS", 14.0),
                most=env.whole("SWEEP_MOST", 500),
            ),
            circuit=CircuitSettings(
                failures=env.bound("CIRCUIT_FAILURES") or 0,
                cool_down=env.positive("CIRCUIT_COOL_DOWN_SECONDS", 60.0),
                longest_hold=env.positive("CIRCUIT_LONGEST_HOLD_SECONDS", 21_600.0),
            ),
            paused=env.switch("SENDING_PAUSED"),
            dry_run=env.switch("DRY_RUN"),
            metrics_namespace=env.text("POWERTOOLS_METRICS_NAMESPACE", "Refunds"),
        )
        _refuse_short_memory(settings, env.whole("RETENTION_DAYS_TOTAL", 18))
        stage = env.text("STAGE", "unnamed")
        if stage not in _DEVELOPMENT:
            _refuse_unsafe_switches(settings.stage, env)
            _refuse_plain_http(settings.stage, _providers(settings))
        if stage != _LOCAL:
            _refuse_plain_http(stage, _aws_endpoints(environment))
        return settings

    def limits_of(self, policy: Policy) -> Limits:
        """What a cancel type may move.

        Raises:
            ConfigurationError: it moves money, and in production its limits are not set.
        """
        found = self.limits.get(policy.cancel_type)
        if found is None and policy.moves_money and self.stage == _PRODUCTION:
            raise ConfigurationError(
                f"LIMITS says nothing of {policy.cancel_type} in stage {self.stage}: name its bounds by "
                f"currency, or say {NONE}"
            )
        return found or Limits()


def _refuse_short_memory(settings: Settings, retention_days: int) -> None:
    """The ledger must remember a request for as long as a copy of its event can be replayed."""
    held_days = settings.circuit.longest_hold / _DAY if settings.circuit.failures else 0
    if settings.ledger_ttl_days < retention_days + held_days:
        raise ConfigurationError(
            f"LEDGER_TTL_DAYS is {settings.ledger_ttl_days}, but events can be replayed for {retention_days} "
            "days (queue, DLQ and archive retention together), and held back before that: "
            "raise LEDGER_TTL_DAYS above that"
        )


def _refuse_unsafe_switches(stage: str, env: _Environment) -> None:
    """Outside development nothing may log events, lower the log's privacy or silence the metrics.

    Raises:
        ConfigurationError: a variable of Powertools does so.
    """
    for name in _UNSAFE_SWITCHES:
        if env.switch(name):
            raise ConfigurationError(f"{name} is set in stage {stage}: it weakens safety, remove it")


def _providers(settings: Settings) -> dict[str, str]:
    return {"PORTONE_BASE_URL": settings.portone_base_url, "EBP_BASE_URL": settings.ebp_base_url}


def _aws_endpoints(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: url for name, url in environment.items() if name.startswith(_AWS_ENDPOINT) and url.strip()}


def _refuse_plain_http(stage: str, urls: Mapping[str, str]) -> None:
    """Keys, requests and outcomes leave over TLS only.

    Raises:
        ConfigurationError: an address is not https.
    """
    for name, url in urls.items():
        if not url.strip().lower().startswith("https://"):
            raise ConfigurationError(f"{name} is not https in stage {stage}: keys travel in every call")


class _Environment:
    """Typed access to environment variables with messages that name the variable."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str, default: str | None = None) -> str:
        value = self._values.get(name, "").strip()
        if value:
            return value
        if default is None:
            raise ConfigurationError(f"environment variable {name} is not set")
        return default

    def url(self, name: str) -> str:
        value = self.text(name).rstrip("/")
        try:
            url = urlsplit(value)
            usable = url.scheme in {"http", "https"} and url.hostname and not (url.query or url.fragment)
            usable = usable and "@" not in url.netloc  # they would take the place of our own keys
        except ValueError:
            usable = False
        if not usable:
            raise ConfigurationError(f"environment variable {name} is not an http(s) URL of a host")
        return value

    def positive(self, name: str, default: float) -> float:
        return self._number(name, float, default)

    def whole(self, name: str, default: int) -> int:
        return self._number(name, int, default)

    def bound(self, name: str) -> int | None:
        """A limit of whole numbers; absent or zero is none."""
        text = self.text(name, "0")
        if not (text.isascii() and text.isdecimal()):
            raise ConfigurationError(f"environment variable {name} is not a whole number")
        return int(text) or None

    def switch(self, name: str) -> bool:
        """Whether it is on; anything that does not clearly say "off" is taken as on."""
        return self.text(name, "false").lower() not in _OFF

    def _number(self, name: str, parse: Callable[[str], T], default: T) -> T:
        text = self.text(name, str(default))
        try:
            value = parse(text)
        except ValueError:
            raise ConfigurationError(f"environment variable {name} is not a number") from None
        if not 0 < value < _LARGEST:  # type: ignore[operator]
            raise ConfigurationError(f"environment variable {name} is outside 0 … 1e9")
        return value
