from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tests.unit.simulator.caller import IMP_KEYS, Caller, opened

if TYPE_CHECKING:
    from local.simulator import World
    from tests.unit.simulator.caller import ManualClock

MINUTE = 60


def status_of_lookup(caller: Caller) -> int:
    return caller.ask("GET", "/payments/imp_unknown")[0]


def test_token_lives_thirty_minutes_and_is_handed_out_again(caller: Caller, clock: ManualClock) -> None:
    """Asking before expiry gives the same token with the same expiry."""
    first = caller.fetch_token()
    clock.elapse(28 * MINUTE)
    second = caller.fetch_token()
    assert second["access_token"] == first["access_token"]
    assert second["expired_at"] == first["expired_at"] == first["now"] + 30 * MINUTE


def test_token_is_prolonged_in_its_last_minute(caller: Caller, clock: ManualClock) -> None:
    """Asking with a minute or less to go prolongs the same token by five minutes."""
    first = caller.fetch_token()
    clock.elapse(29 * MINUTE)
    second = caller.fetch_token()
    assert second["access_token"] == first["access_token"]
    assert second["expired_at"] == first["expired_at"] + 5 * MINUTE


def test_expired_token_is_refused_and_a_new_one_works(caller: Caller, clock: ManualClock) -> None:
    """An expired token gets 401 until another one is fetched."""
    first = caller.fetch_token()
    clock.elapse(30 * MINUTE)
    assert status_of_lookup(caller) == 401
    assert caller.fetch_token()["access_token"] != first["access_token"]
    assert status_of_lookup(caller) == 404


def test_bare_token_works_and_none_does_not(caller: Caller) -> None:
    """The token may come without "Bearer"; without any the answer is 401."""
    caller.headers["authorization"] = caller.headers["authorization"].removeprefix("Bearer ")
    assert status_of_lookup(caller) == 404
    del caller.headers["authorization"]
    assert status_of_lookup(caller) == 401


def test_wrong_keys_are_refused(caller: Caller) -> None:
    """Wrong keys, and a body that holds none, get 401."""
    assert caller.ask("POST", "/users/getToken", {**IMP_KEYS, "imp_secret": "wrong"})[0] == 401
    assert caller.ask("POST", "/users/getToken")[0] == 401


def test_keys_may_come_as_a_form(world: World) -> None:
    """POST /users/getToken reads a form as well as JSON."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    status, payload = opened(
        world.handle("POST", "/users/getToken", {}, headers, urlencode(IMP_KEYS).encode())
    )
    assert (status, payload["code"]) == (200, 0)
