from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from local.simulator import Actor, Fault, FaultKind, Movement, MovementKind, Operation, World
from local.simulator.control import ControlError, SimulatorControl
from local.simulator.server import SimulatorServer
from local.simulator.transport import WorldTransport
from tests.unit.simulator.caller import IMP_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.simulator.caller import ManualClock

REPOSITORY = Path(__file__).parents[3]
PAYMENT = {"imp_uid": "imp_1", "merchant_uid": "ORD-1", "amount": 10_000}
CANCEL = {"imp_uid": "imp_1", "amount": 100, "reason": "r"}


@pytest.fixture
def url(world: World) -> Iterator[str]:
    server = SimulatorServer(world)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def control(url: str) -> Iterator[SimulatorControl]:
    with SimulatorControl(url) as control:
        control.seed_payments(PAYMENT)
        yield control


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=10) as client:
        authorise(client)
        yield client


def authorise(client: httpx.Client) -> None:
    token = client.post("/users/getToken", json=IMP_KEYS).json()["response"]["access_token"]
    client.headers["authorization"] = f"Bearer {token}"


def test_a_cancellation_over_a_real_socket(client: httpx.Client, control: SimulatorControl) -> None:
    """A cancellation is answered, and the oracle and the log tell it back with their types."""
    assert client.post("/payments/cancel", json=CANCEL).json()["code"] == 0
    (movement,) = control.ledger("imp_1")
    assert isinstance(movement, Movement)
    assert (movement.kind, int(movement.amount), movement.who) == (MovementKind.REFUND, 100, Actor.API)
    (logged,) = control.requests("imp_1")
    assert (logged.operation, logged.outcome, logged.committed) == ("cancel", "200", True)
    assert control.calls("imp_1", Operation.CANCEL) == 1
    assert control.calls("imp_1", Operation.LOOKUP) == 0


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(FaultKind.REFUSE_CONNECTION), httpx.ReadError),
        (Fault(FaultKind.DROP_AFTER_COMMIT), httpx.ReadError),
        (Fault(FaultKind.DROP_AFTER_COMMIT, loss="closed"), httpx.RemoteProtocolError),
        (Fault(FaultKind.TRUNCATED_BODY_AFTER_COMMIT), httpx.RemoteProtocolError),
        (Fault(FaultKind.MALFORMED_HEAD_AFTER_COMMIT), httpx.RemoteProtocolError),
        (Fault(FaultKind.HANG_AFTER_COMMIT), httpx.ReadTimeout),
        (Fault(FaultKind.SLOW, seconds=60), httpx.ReadTimeout),
    ],
    ids=["refuse", "reset", "closed", "truncated", "malformed", "hang", "slow"],
)
def test_connections_really_break(
    client: httpx.Client, control: SimulatorControl, fault: Fault, expected: type[Exception]
) -> None:
    """A lost answer is a reset, a close, a short body or a timeout on the wire; the next request works."""
    control.add_faults(fault)
    with pytest.raises(expected):
        client.post("/payments/cancel", json=CANCEL, timeout=0.3 if expected is httpx.ReadTimeout else 30)
    assert client.get("/payments/imp_1").status_code == 200


def test_slowness_is_really_slept(client: httpx.Client, control: SimulatorControl) -> None:
    """A slow answer arrives, later than what was asked after it, and holds up nobody else."""
    control.add_faults(Fault(FaultKind.SLOW, "imp_1", seconds=1))
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(client.get, "/payments/imp_1")
        assert control.healthy()
        assert not slow.done()
        assert slow.result().status_code == 200


def test_one_connection_serves_many_requests(url: str, control: SimulatorControl) -> None:
    """Keep-alive holds over answers of every kind, control endpoints included."""
    connections: list[str] = []

    def watch(name: str, _info: object) -> None:
        connections.append(name) if name == "connection.connect_tcp.complete" else None

    with httpx.Client(base_url=url) as client:
        extensions = {"trace": watch}
        for path in ("/payments/imp_1", "/nowhere", "/_control/health", "/_control/nowhere"):
            client.get(path, extensions=extensions)
    assert len(connections) == 1
    assert control.healthy()


def test_hundreds_of_connections_at_once(client: httpx.Client, url: str, control: SimulatorControl) -> None:
    """Three hundred open connections are all answered, and every won is counted once."""
    headers = {"authorization": client.headers["authorization"], "content-type": "application/json"}
    connections = [HTTPConnection(urlsplit(url).netloc, timeout=60) for _ in range(300)]
    for connection in connections:
        connection.connect()
    for connection in connections:
        connection.request("POST", "/payments/cancel", json.dumps({**CANCEL, "amount": 1}), headers)
    assert {json.load(connection.getresponse())["code"] for connection in connections} == {0}
    for connection in connections:
        connection.close()
    assert sum(movement.amount for movement in control.ledger("imp_1")) == 300


def test_a_body_without_a_length_is_refused(client: httpx.Client) -> None:
    """A chunked request is answered 411 and the connection closed."""
    answer = client.post("/payments/cancel", content=iter([b"{}"]))
    assert answer.status_code == 411
    assert client.get("/payments/none").status_code == 404


def test_every_control_endpoint(control: SimulatorControl, client: httpx.Client) -> None:
    """Receipts, orders, faults, somebody else, outage, settling, state and reset work through the client."""
    item = {"seq": 1, "itemType": "PHYSICAL", "itemId": "P1", "quantity": 1, "amount": 900.0}
    control.seed_receipts({"merchant_uid": "R-1", "amount": 5})
    control.seed_orders({"orderNo": "ORD-E", "items": [item]})
    control.somebody_else("ORD-E", "cancel", 400)
    control.add_faults(Fault(FaultKind.LATE_APPLY, "imp_1", seconds=5, loss="closed"))
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/payments/cancel", json=CANCEL)
    assert control.state()["late_applications"] == 1
    control.settle()
    control.add_faults(Fault(FaultKind.REFUSE, "imp_1"), Fault(FaultKind.REFUSE, "R-1"))
    control.clear_faults("imp_1")
    control.start_outage("unavailable", seconds=9, provider="portone")
    assert client.get("/payments/imp_1").status_code == 503
    control.end_outage()
    assert client.get("/payments/imp_1").status_code == 200
    state = control.state()
    assert [payment["cancel_amount"] for payment in state["payments"]] == [100]
    assert [receipt["merchant_uid"] for receipt in state["receipts"]] == ["R-1"]
    assert [order["totalCancelAmount"] for order in state["orders"]] == [400]
    assert [fault["subject"] for fault in state["faults"]] == ["R-1"]
    control.clear_faults()
    control.reset()
    assert (control.ledger(), control.requests(), control.state()["payments"]) == ([], [], [])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("payments", b"{"),
        ("payments", b'{"imp_uid": "x"}'),
        ("payments", b'{"imp_uid": "x", "merchant_uid": "y", "amount": 1.5}'),
        ("payments", b'{"imp_uid": "x", "merchant_uid": "y", "amount": 1, "colour": 1}'),
        ("payments", b'{"imp_uid": "x", "merchant_uid": "y", "amount": 1, "status": "cancelled"}'),
        ("payments", b'{"imp_uid": "x", "merchant_uid": "y", "amount": 1, "keeps_reason": "half"}'),
        ("receipts", b'{"amount": 1}'),
        ("orders", b'{"orderNo": "x"}'),
        ("orders", b'{"orderNo": "x", "items": [{"seq": 1}]}'),
        ("faults", b'{"kind": "nonsense"}'),
        ("somebody_else", b'{"subject": "nobody"}'),
        ("outage", b'{"mode": "partial"}'),
        ("bookings", b'{"subject": "imp_1", "end": "lost"}'),
        ("reversals", b'{"subject": "nobody"}'),
        ("pay_again", b'{"subject": "nobody"}'),
        ("reissue", b'{"merchant_uid": "nobody"}'),
        ("keys", b'{"password": "p"}'),
    ],
)
def test_wrong_control_requests_say_what_is_wrong(url: str, path: str, body: bytes) -> None:
    """Input the simulator does not understand is 400 with a reason."""
    answer = httpx.post(f"{url}/_control/{path}", content=body)
    assert answer.status_code == 400
    assert len(answer.json()["error"]) > 10


def test_the_client_raises_what_the_simulator_rejects(control: SimulatorControl) -> None:
    """A rejected control request is an exception with the simulator's reason."""
    with pytest.raises(ControlError, match="nobody"):
        control.somebody_else("nobody")


def test_a_simulator_that_is_not_there_is_not_healthy(url: str) -> None:
    """`healthy` is False, not an exception, when nothing listens."""
    with (
        SimulatorControl("http://127.0.0.1:9", timeout_seconds=1) as nobody,
        SimulatorControl(url) as somebody,
    ):
        assert (nobody.healthy(), somebody.healthy()) == (False, True)


LOST_IN_PROCESS = [
    (FaultKind.REFUSE_CONNECTION, {}, httpx.ConnectError),
    (FaultKind.DROP_AFTER_COMMIT, {}, httpx.ReadError),
    (FaultKind.DROP_AFTER_COMMIT, {"loss": "closed"}, httpx.RemoteProtocolError),
    (FaultKind.TRUNCATED_BODY_AFTER_COMMIT, {}, httpx.RemoteProtocolError),
    (FaultKind.MALFORMED_HEAD_BEFORE_COMMIT, {}, httpx.RemoteProtocolError),
    (FaultKind.HANG_AFTER_COMMIT, {}, httpx.ReadTimeout),
    (FaultKind.SLOW, {"seconds": 60.0}, httpx.ReadTimeout),
]


@pytest.mark.parametrize(("kind", "parameters", "expected"), LOST_IN_PROCESS)
def test_the_transport_loses_answers_as_a_socket_does(
    world: World,
    clock: ManualClock,
    kind: FaultKind,
    parameters: dict[str, object],
    expected: type[Exception],
) -> None:
    """In process every loss raises httpx's own exception, and a timeout takes the time it allows."""
    world.seed_payment(PAYMENT)
    transport = WorldTransport(world, clock.elapse)
    with httpx.Client(transport=transport, base_url="http://provider.invalid", timeout=5) as client:
        authorise(client)
        world.add_fault(Fault.from_mapping({"kind": kind, "subject": "imp_1", **parameters}))
        before = clock.now
        with pytest.raises(expected):
            client.post("/payments/cancel", json=CANCEL)
        assert clock.now - before == (5 if expected is httpx.ReadTimeout else 0)
        assert client.get("/payments/imp_1", params={"include_sandbox": "true"}).status_code == 200


def test_compressed_answers_arrive_as_they_were_sent(world: World, client: httpx.Client) -> None:
    """Over a socket and in process a client can read the compressed bytes, and open them."""
    world.seed_payment(PAYMENT)
    world.add_fault(Fault(FaultKind.GZIP, "imp_1", times=None))
    inside = httpx.Client(transport=WorldTransport(world), base_url="http://provider.invalid")
    inside.headers["authorization"] = client.headers["authorization"]
    for caller in (client, inside):
        assert caller.get("/payments/imp_1").json()["response"]["amount"] == 10_000
        with caller.stream("GET", "/payments/imp_1") as answer:
            assert b"".join(answer.iter_raw()).startswith(b"\x1f\x8b")


def test_the_transport_waits_for_what_is_slow_but_in_time(world: World, clock: ManualClock) -> None:
    """An answer slower than nothing but faster than the timeout arrives, and the clock has moved."""
    world.add_fault(Fault(FaultKind.SLOW, seconds=3))
    before = clock.now
    with httpx.Client(transport=WorldTransport(world, clock.elapse), timeout=5) as client:
        assert client.get("http://provider.invalid/payments/none").status_code == 401
    assert clock.now - before == 3


def test_the_command_serves_says_where_and_stops(tmp_path: Path) -> None:
    """`python -m local.simulator` prints its address as JSON, takes credentials and stops on SIGTERM."""
    secret = tmp_path / "secret.json"
    secret.write_text(
        json.dumps({"portone": {"imp_key": "k", "imp_secret": "s"}, "ebp": {"access_key": "a"}})
    )
    command = [sys.executable, "-m", "local.simulator", "--port", "0", "--credentials", str(secret)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        listening = json.loads(process.stdout.readline())
        with SimulatorControl(listening["url"]) as control:
            assert control.healthy()
        answer = httpx.post(f"{listening['url']}/users/getToken", json={"imp_key": "k", "imp_secret": "s"})
        assert answer.json()["code"] == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.communicate()
