from __future__ import annotations

import pytest

from refunds.errors import ConfigurationError
from refunds.messaging.queue import Backoff
from refunds.providers.ebp.headers import EbpHeaders
from refunds.providers.http.provider_http import Timeouts
from refunds.settings import Settings

REQUIRED = {
    "LEDGER_TABLE_NAME": "ledger",
    "ACCOUNTING_BUS_NAME": "accounting",
    "PROVIDER_SECRET_ID": "providers",
    "PORTONE_BASE_URL": "https://api.iamport.kr/",
    "EBP_BASE_URL": "https://127.0.0.1:8099",
    "EBP_DIVISION_CODE": "D1",
    "EBP_STORE_ID": "S1",
    "EBP_CHANNEL_CODE": "WEB",
    "EBP_RIC_CODE": "KIC",
    "EBP_COUNTRY_CODE": "KR",
    "EBP_CURRENCY_CODE": "KRW",
}
NUMBERS = [
    "CONNECT_TIMEOUT_SECONDS",
    "READ_TIMEOUT_SECONDS",
    "LOOKUP_TIMEOUT_SECONDS",
    "RETRY_BASE_SECONDS",
    "RETRY_CAP_SECONDS",
    "RETRY_LATER_SECONDS",
    "LEASE_MARGIN_SECONDS",
    "MAX_RECEIVE_COUNT",
    "BATCH_CONCURRENCY",
    "LEDGER_TTL_DAYS",
    "RETENTION_DAYS_TOTAL",
]


def read(**changed: str) -> Settings:
    return Settings.from_environment({**REQUIRED, **changed})


def test_defaults() -> None:
    """What is not configured has the value that production needs."""
    settings = read()
    assert settings.timeouts == Timeouts(connect=5, read=60, lookup=10)
    assert settings.backoff == Backoff(base=30, cap=900, later=1800)
    assert settings.ebp_headers == EbpHeaders("D1", "S1", "WEB", "KIC", "KR", "KRW")
    assert (settings.max_receive_count, settings.batch_concurrency, settings.ledger_ttl_days) == (5, 10, 400)
    assert (settings.queue_url, settings.dlq_url) == (None, None)
    assert not settings.paused
    assert not settings.dry_run


def test_urls_lose_their_last_slash() -> None:
    """A base URL is used with paths that begin with a slash."""
    assert read().portone_base_url == "https://api.iamport.kr"


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", [None, "", "  "], ids=["absent", "empty", "blank"])
def test_missing_variable(name: str, value: str | None) -> None:
    """A required variable that is missing or empty is named."""
    environment = {**REQUIRED, name: value or ""}
    if value is None:
        del environment[name]
    with pytest.raises(ConfigurationError, match=f"^environment variable {name} is not set$"):
        Settings.from_environment(environment)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["ten", "1,5", "0", "-1", "nan", "inf", "1e12"])
def test_unusable_number(name: str, value: str) -> None:
    """A number that is none, or is not positive and finite, is named, and its value is not repeated."""
    with pytest.raises(ConfigurationError, match=name) as refused:
        read(**{name: value})
    assert str(refused.value).startswith(f"environment variable {name} is ")


@pytest.mark.parametrize("name", ["PORTONE_BASE_URL", "EBP_BASE_URL"])
@pytest.mark.parametrize(
    "value", ["api.iamport.kr", "ftp://host", "https://", "http:///path", "https://[::1", "https://host?a=b"]
)
def test_unusable_url(name: str, value: str) -> None:
    """A base URL without a host, with a query or of another scheme is named."""
    with pytest.raises(ConfigurationError, match=f"{name} is not an http"):
        read(**{name: value})


@pytest.mark.parametrize(("ttl", "retention"), [("17", "18"), ("1", "2"), ("30", "90")])
def test_short_memory_is_refused(ttl: str, retention: str) -> None:
    """A ledger that forgets before the last copy of an event is gone would refund twice: it is refused."""
    with pytest.raises(ConfigurationError, match=f"LEDGER_TTL_DAYS is {ttl}, but .* for {retention}"):
        read(LEDGER_TTL_DAYS=ttl, RETENTION_DAYS_TOTAL=retention)


def test_long_enough_memory() -> None:
    """A ledger that remembers as long as events can be replayed is accepted."""
    assert read(LEDGER_TTL_DAYS="18", RETENTION_DAYS_TOTAL="18").ledger_ttl_days == 18


def test_holding_back_needs_memory_too() -> None:
    """The time for which a circuit breaker may hold a message back counts against the ledger's memory."""
    held = {"CIRCUIT_FAILURES": "5", "CIRCUIT_LONGEST_HOLD_SECONDS": "172800", "RETENTION_DAYS_TOTAL": "18"}
    with pytest.raises(ConfigurationError, match="LEDGER_TTL_DAYS"):
        read(**held, LEDGER_TTL_DAYS="19")
    assert read(**held, LEDGER_TTL_DAYS="20").circuit.failures == 5


@pytest.mark.parametrize(
    ("value", "on"), [("true", True), ("1", True), ("maybe", True), ("false", False), ("off", False)]
)
@pytest.mark.parametrize("name", ["DRY_RUN", "SENDING_PAUSED"])
def test_switches_fail_safe(name: str, value: str, on: bool) -> None:  # noqa: FBT001
    """What does not clearly say off keeps the money where it is."""
    settings = read(**{name: value})
    assert (settings.dry_run if name == "DRY_RUN" else settings.paused) is on


@pytest.mark.parametrize("stage", ["prod", "stage", "anything"])
def test_events_are_not_logged_in_production(stage: str) -> None:
    """Outside development a function with a switch that logs events refuses to run."""
    with pytest.raises(ConfigurationError, match="POWERTOOLS_LOGGER_LOG_EVENT is set in stage"):
        read(STAGE=stage, POWERTOOLS_LOGGER_LOG_EVENT="true")
    assert read(STAGE="dev", POWERTOOLS_LOGGER_LOG_EVENT="true").stage == "dev"
