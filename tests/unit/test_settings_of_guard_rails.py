from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

import pytest

from local.trigger import Context
from refunds.application import LambdaFunction
from refunds.cancel_types import MODULES, cancel_type
from refunds.domain.entry import Key
from refunds.domain.limits import Limits
from refunds.domain.operation import Money
from refunds.errors import ConfigurationError, LimitExceeded
from refunds.service.guard import Guard
from refunds.settings import Settings, Sweeping
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
PAYMENTS = cancel_type("payment_cancel").policy
KEY = Key("payment_cancel", "cr-1")


def read_limits(stated: str) -> Mapping[str, Limits]:
    return Settings.from_environment({**COMPLETE, "LIMITS": stated}).limits


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
    assert settings.limits == {}
    assert settings.limits_of(PAYMENTS) == Limits()
    assert (settings.circuit.failures, settings.paused, settings.dry_run) == (0, False, False)


def test_limits_by_cancel_type_and_currency() -> None:
    """Each cancel type has its own; and a bound that is left out is none."""
    stated = {
        "payment_cancel": {
            "KRW": {"largest": 1000000, "per_hour": 100, "amount_per_hour": 50000000},
            "USD": {"largest": 726.24, "per_hour": 10},
        },
        "order_cancel": {"KRW": {"per_hour": 5}},
        "vbank_revoke": "none",
    }
    found = read_limits(json.dumps(stated))
    payments = found["payment_cancel"]
    assert payments.largest == {"KRW": 1_000_000, "USD": Decimal("726.24")}
    assert payments.per_hour == 10
    assert payments.amount_per_hour["KRW"] == 50_000_000
    assert payments.amount_per_hour["USD"] > 10**12
    assert found["order_cancel"].per_hour == 5
    assert found["order_cancel"].amount_per_hour == {}
    assert found["order_cancel"].largest["KRW"] > 10**12
    assert found["vbank_revoke"] == Limits()
    assert "receipt_revoke" not in found


@pytest.mark.parametrize("stated", [{"largest": 1}, {"per_hour": 1}, {"amount_per_hour": 1}])
def test_a_currency_without_limits_is_kept_back(stated: dict[str, int]) -> None:
    """Where anything is bounded in one currency, nothing moves in another."""
    limits = read_limits(json.dumps({"payment_cancel": {"KRW": stated}}))["payment_cancel"]
    with pytest.raises(LimitExceeded, match="none in USD"):
        Guard(limits, Uncounted()).admit(Money(Decimal("0.01"), "USD"), KEY)
    Guard(limits, Uncounted()).admit(Money(Decimal(1), "KRW"), KEY)


class Uncounted:
    """A counter that lets everything pass."""

    def add(self, money: Money, limits: Limits, request: Key) -> bool:
        """Count nothing."""
        return money.amount >= 0 and limits.hourly and request is KEY


def test_no_limits_on_purpose() -> None:
    """One word says so for every cancel type."""
    found = read_limits("none")
    assert found == dict.fromkeys(MODULES, Limits())


@pytest.mark.parametrize(
    "stated",
    [
        "{",
        "[]",
        "5000",
        "unlimited",
        '{"payment_cancl": "none"}',
        '{"payment_cancel": {}}',
        '{"payment_cancel": 5000}',
        '{"payment_cancel": "None"}',
        '{"payment_cancel": {"won": {"largest": 1}}}',
        '{"payment_cancel": {"KRW": 5000}}',
        '{"payment_cancel": {"KRW": {"larges": 5000}}}',
        *(
            f'{{"payment_cancel": {{"KRW": {{"{name}": {bound}}}}}}}'
            for name in ("largest", "per_hour", "amount_per_hour")
            for bound in ("0", "-1", "1.5", '"5000"', "null", "true", "1e400", "1e20")
        ),
        '{"payment_cancel": {"USD": {"largest": 0.001}}}',
        '{"payment_cancel": {"KRW": {"largest": 1}, "KRW": {"largest": 2}}}',
    ],
)
def test_limits_that_are_none_are_refused(stated: str) -> None:
    """Limits that cannot be read stop the function: they must not mean that there are none."""
    with pytest.raises(ConfigurationError, match="LIMITS"):
        read_limits(stated)


@pytest.mark.parametrize("stated", ["", '{"order_cancel": "none"}', '{"vbank_revoke": "none"}'])
def test_production_refuses_to_start_without_limits(stated: str) -> None:
    """What moves money in production has bounds, or somebody has said that it has none."""
    production = {**COMPLETE, "STAGE": "prod", "LIMITS": stated}
    settings = Settings.from_environment(production)
    with pytest.raises(ConfigurationError, match=r"LIMITS says nothing of payment_cancel"):
        settings.limits_of(PAYMENTS)
    assert settings.limits_of(cancel_type("cvs_revoke").policy) == Limits()
    for enough in ("none", '{"payment_cancel": "none"}'):
        assert Settings.from_environment({**production, "LIMITS": enough}).limits_of(PAYMENTS) == Limits()
    assert Settings.from_environment({**production, "STAGE": "dev"}).limits_of(PAYMENTS) == Limits()


def test_a_function_in_production_without_limits() -> None:
    """It fails with every event, before anything is sent, and says why."""
    function = LambdaFunction("payment_cancel", {**COMPLETE, "STAGE": "prod"})
    with pytest.raises(ConfigurationError, match="LIMITS"):
        function({"Records": []}, Context())


@pytest.mark.parametrize("stage", ["dev", "prod", "stage", ""])
@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_DYNAMODB"])
def test_aws_is_spoken_to_over_tls(stage: str, name: str) -> None:
    """Outside the local stage nothing is sent to an AWS in plain text, wherever it is said to be."""
    environment = {**COMPLETE, "STAGE": stage}
    for plain in ("http://aws.invalid", "HTTP://aws.invalid", " http://aws.invalid"):
        with pytest.raises(ConfigurationError, match=rf"^{name} is not https"):
            Settings.from_environment({**environment, name: plain})
        Settings.from_environment({**environment, "STAGE": "local", name: plain})
    Settings.from_environment({**environment, name: "https://aws.invalid"})


def test_when_the_sweeper_asks() -> None:
    """The sweeper's intervals and patience are settings; without them they are production's."""
    assert Settings.from_environment(COMPLETE).sweeping == Sweeping(900, 900, 86_400, 14, 500)
    local = {
        "SWEEP_MIN_AGE_SECONDS": "2",
        "SWEEP_FIRST_INTERVAL_SECONDS": "0.5",
        "SWEEP_LONGEST_INTERVAL_SECONDS": "4",
        "PENDING_DAYS": "0.001",
        "SWEEP_MOST": "10",
    }
    assert Settings.from_environment({**COMPLETE, **local}).sweeping == Sweeping(2, 0.5, 4, 0.001, 10)


def test_the_ledger_outlives_what_is_held_back() -> None:
    """The time a message may be held counts as time in which its event can still be replayed."""
    with pytest.raises(ConfigurationError, match="LEDGER_TTL_DAYS"):
        Settings.from_environment(
            {**COMPLETE, "LEDGER_TTL_DAYS": "18", "RETENTION_DAYS_TOTAL": "18", "CIRCUIT_FAILURES": "5"}
        )


def test_the_time_of_a_restore_holds_for_every_cancel_type() -> None:
    """Beside bounds, or none on purpose."""
    named = {**dict.fromkeys(MODULES, "none"), "payment_cancel": {"KRW": {"largest": 1000}}}
    limits = read_limits(json.dumps({"restored_at": "2026-11-21T07:00:00+09:00", **named}))
    assert {one.restored_at for one in limits.values()} == {1_795_212_000.0}
    assert limits["payment_cancel"].largest == {"KRW": Decimal(1000)}
    assert limits.keys() == MODULES.keys()


@pytest.mark.parametrize(
    ("stated", "problem"),
    [
        ({"restored_at": "2026-11-21T07:00:00+09:00", "payment_cancel": "none"}, "name every cancel type"),
        ({"restored_at": "2026-11-21T07:00:00", **dict.fromkeys(MODULES, "none")}, "time zone"),
        ({"restored_at": "yesterday", **dict.fromkeys(MODULES, "none")}, "time zone"),
        ({"restored_at": 1, **dict.fromkeys(MODULES, "none")}, "time zone"),
    ],
)
def test_a_time_of_a_restore_that_leaves_a_gap_is_refused(stated: object, problem: str) -> None:
    """No type is left unguarded, and no time is guessed."""
    with pytest.raises(ConfigurationError, match=problem):
        read_limits(json.dumps(stated))
