from __future__ import annotations

import pytest

from refunds.domain.limits import Limits
from refunds.errors import ConfigurationError
from refunds.settings import Settings
from tests.unit.rig import ENVIRONMENT

COMPLETE = {**ENVIRONMENT, "PORTONE_BASE_URL": "https://a.invalid", "EBP_BASE_URL": "https://b.invalid"}
UNSAFE = [
    "POWERTOOLS_LOGGER_LOG_EVENT",
    "POWERTOOLS_DEV",
    "POWERTOOLS_DEBUG",
    "POWERTOOLS_METRICS_DISABLED",
    "POWERTOOLS_IDEMPOTENCY_DISABLED",
    "POWERTOOLS_CIRCUIT_BREAKER_DISABLED",
    "POWERTOOLS_TRACE_MIDDLEWARES",
]


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("value", ["true", "1", "YES", "on", "anything"])
@pytest.mark.parametrize("stage", ["prod", "stage", "canary"])
def test_unsafe_switches_are_refused(stage: str, name: str, value: str) -> None:
    """Outside development no function starts with a switch that weakens safety; its name is told."""
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_environment({**COMPLETE, "STAGE": stage, name: value})


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize(
    ("stage", "value"), [("dev", "true"), ("local", "1"), ("prod", "false"), ("prod", "0")]
)
def test_harmless_switches_are_not(stage: str, name: str, value: str) -> None:
    """In development, or switched off, they are nobody's business."""
    assert Settings.from_environment({**COMPLETE, "STAGE": stage, name: value}).stage == stage


@pytest.mark.parametrize("name", UNSAFE)
def test_a_stage_without_a_name_is_no_development(name: str) -> None:
    """Whoever forgets the stage is as safe as in production."""
    nameless = {key: value for key, value in COMPLETE.items() if key != "STAGE"}
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_environment({**nameless, name: "true"})


@pytest.mark.parametrize("name", ["PORTONE_BASE_URL", "EBP_BASE_URL"])
@pytest.mark.parametrize("stage", ["prod", "stage", "canary"])
def test_keys_travel_encrypted(stage: str, name: str) -> None:
    """Outside development a provider is spoken to over TLS only: keys and accounts travel in every call."""
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_environment({**COMPLETE, "STAGE": stage, name: "http://provider.invalid"})
    plain = Settings.from_environment({**COMPLETE, "STAGE": "local", name: "http://127.0.0.1:8000"})
    assert "http://127.0.0.1:8000" in {plain.portone_base_url, plain.ebp_base_url}


@pytest.mark.parametrize("name", ["PORTONE_BASE_URL", "EBP_BASE_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "https://user:word@provider.invalid",  # pragma: allowlist secret
        "https://api.iamport.kr@other.invalid",
    ],
)
def test_a_provider_is_named_by_its_host_alone(url: str, name: str) -> None:
    """Names and passwords in an address would replace our own keys; they are refused and not repeated."""
    with pytest.raises(ConfigurationError, match=name) as refused:
        Settings.from_environment({**COMPLETE, name: url})
    assert "word" not in str(refused.value)


def test_everything_is_off_unless_configured() -> None:
    """Without their variables there are no limits, no circuit breaker, no pause and no dry run."""
    settings = Settings.from_environment(COMPLETE)
    assert settings.limits == Limits()
    assert (settings.circuit.failures, settings.paused, settings.dry_run) == (0, False, False)


def test_zero_is_no_limit() -> None:
    """The template's default of zero leaves a limit out."""
    zero = dict.fromkeys(("LIMIT_LARGEST_WON", "LIMIT_PER_HOUR", "LIMIT_WON_PER_HOUR"), "0")
    assert Settings.from_environment({**COMPLETE, **zero}).limits == Limits()


@pytest.mark.parametrize("name", ["LIMIT_LARGEST_WON", "LIMIT_PER_HOUR", "LIMIT_WON_PER_HOUR"])
@pytest.mark.parametrize("value", ["-1", "1.5", "1e3", "many", "٣"])
def test_a_limit_that_is_none_is_refused(name: str, value: str) -> None:
    """A limit that cannot be read stops the function: it must not mean that there is none."""
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_environment({**COMPLETE, name: value})


def test_the_ledger_outlives_what_is_held_back() -> None:
    """The time a message may be held counts as time in which its event can still be replayed."""
    with pytest.raises(ConfigurationError, match="LEDGER_TTL_DAYS"):
        Settings.from_environment(
            {**COMPLETE, "LEDGER_TTL_DAYS": "18", "RETENTION_DAYS_TOTAL": "18", "CIRCUIT_FAILURES": "5"}
        )
