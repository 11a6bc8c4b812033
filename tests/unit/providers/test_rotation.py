"""Keys change at the provider and in the secret while a process runs."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from local.simulator import World
from local.simulator.ebp import EbpKeys
from local.simulator.portone import PortOneKeys
from local.simulator.transport import WorldTransport
from refunds.domain.deadline import Deadline
from refunds.errors import CredentialsRejected, ErrorCode, Refused
from refunds.providers.clients import ProviderClients
from refunds.providers.credentials import CredentialSource
from refunds.providers.ebp.headers import EbpHeaders
from refunds.providers.http.provider_http import ProviderHttp, Timeouts, open_http

TIMEOUTS = Timeouts(connect=1, read=5, lookup=5)
ITEM = {"seq": 1, "itemType": "PHYSICAL", "itemId": "P1", "quantity": 1, "amount": 5_000}
ORDER = {"orderNo": "ORD-1", "totalCancelAmount": 5_000, "items": [ITEM]}
OLD: dict[str, Any] = {
    "portone": {"imp_key": "old-imp-key", "imp_secret": "old-imp-secret"},
    "ebp": {"access_key": "old-access-key", "hash_key": "old-hash-key"},
}
NEW: dict[str, Any] = {
    "portone": {"imp_key": "new-imp-key", "imp_secret": "new-imp-secret"},
    "ebp": {"access_key": "new-access-key", "hash_key": "new-hash-key"},
}


@dataclass
class Running:
    """A process that read its secret before the keys changed; the providers take the new ones only."""

    secret: dict[str, Any] = field(default_factory=lambda: OLD)
    world: World = field(
        default_factory=lambda: World(
            clock=time.time,
            portone_keys=PortOneKeys(**NEW["portone"]),
            ebp_keys=EbpKeys(**NEW["ebp"]),
        )
    )

    def __post_init__(self) -> None:
        self.world.seed_payment({"imp_uid": "imp_1", "merchant_uid": "ORD-1", "amount": 10_000})
        self.world.seed_order({"orderNo": "ORD-1", "items": [ITEM]})
        source = CredentialSource(lambda _again: json.dumps(self.secret), refresh_interval=0)
        source.portone()
        http = open_http(1, transport=WorldTransport(self.world))
        headers = EbpHeaders("D", "S", "C", "KIC", "KR", "KRW")
        provider_http = ProviderHttp(http, TIMEOUTS)
        self.clients = ProviderClients(
            provider_http, source, "https://portone.test", "https://ebp.test", headers
        )
        self.portone = self.clients.portone()
        self.ebp = self.clients.ebp()

    def refund(self) -> None:
        """Refund 1,000 won."""
        self.portone.cancel({"imp_uid": "imp_1", "amount": 1_000}, tier=None, deadline=_soon())


def _soon() -> Deadline:
    return Deadline(60, lambda: 0.0)


def test_portone_goes_on_with_the_new_keys() -> None:
    """The very call that finds its keys rejected reads the secret again and is carried out."""
    running = Running()
    running.secret = NEW
    running.refund()
    assert running.world.money.refunded("imp_1") == 1_000


def test_ebp_goes_on_with_the_new_keys() -> None:
    """A rejected call is not repeated by itself, but the next one uses the new keys."""
    running = Running()
    running.secret = NEW
    with pytest.raises(Refused) as refused:
        running.ebp.cancel(ORDER, deadline=_soon())
    assert refused.value.code is ErrorCode.PROVIDER_AUTH
    running.ebp.cancel(ORDER, deadline=_soon())
    assert running.world.money.refunded("ORD-1") == 5_000


def test_keys_that_nobody_rotated_in_the_secret_stay_wrong() -> None:
    """While the secret still has the old keys nothing is sent, and the error says whose fault it is."""
    running = Running()
    with pytest.raises(CredentialsRejected) as rejected:
        running.refund()
    assert rejected.value.code is ErrorCode.PROVIDER_AUTH
    assert running.world.money.movements == []
