"""PortOne as the benchmark needs it: every payment is paid and can be cancelled (docs/providers.md).

A payment comes into being when it is first asked for. Its id says how many cancellations it has behind
it: ``imp_120_7`` is payment 7 of those with 120.
"""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import Any

from bench.world.http import Reply, Request
from bench.world.latency import Latency

PAID = 10_000_000
"""Won every payment was made with."""
EARLIER = 100
"""Won of each cancellation a payment has behind it."""

_TOKEN_LIFETIME = 1800

#: The fields of a card payment that PortOne sends besides the amounts (docs/providers.md).
_CARD_PAYMENT: dict[str, Any] = {
    "pay_method": "card",
    "channel": "pc",
    "pg_provider": "html5_inicis",
    "emb_pg_provider": None,
    "pg_tid": "StdpayCARDINIpayTest20261121050000000001",
    "pg_id": "INIpayTest",
    "escrow": False,
    "apply_num": "30000001",
    "bank_code": None,
    "bank_name": None,
    "card_code": "361",
    "card_name": "BC카드",
    "card_issuer_code": "361",
    "card_issuer_name": "BC카드",
    "card_publisher_code": "361",
    "card_publisher_name": "BC카드",
    "card_quota": 0,
    "card_number": "910020*********1",
    "card_type": 0,
    "vbank_code": None,
    "vbank_name": None,
    "vbank_num": None,
    "vbank_holder": None,
    "vbank_date": 0,
    "vbank_issued_at": 0,
    "name": "벤치마크 상품",
    "buyer_name": "홍길동",
    "buyer_email": "buyer@example.com",
    "buyer_tel": "010-0000-0000",
    "buyer_addr": "서울특별시",
    "buyer_postcode": "06018",
    "custom_data": None,
    "user_agent": "Mozilla/5.0",
    "currency": "KRW",
    "sandbox": False,
    "started_at": 1795237100,
    "paid_at": 1795237200,
    "failed_at": 0,
    "fail_reason": None,
    "receipt_url": "https://example.com/receipt",
    "cancel_receipt_urls": [],
    "cash_receipt_issued": False,
    "customer_uid": None,
    "customer_uid_usage": None,
}


class Provider:
    """PortOne's token, cancellation and lookup."""

    def __init__(self) -> None:
        self.latency = Latency()
        self._histories: dict[str, list[dict[str, Any]]] = {}

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        path = request.path.partition("?")[0]
        match request.method, path:
            case "POST", "/users/getToken":
                return self._reply("token", _token(), self.latency.token)
            case "POST", "/payments/cancel":
                return self._reply("cancel", self._cancel(json.loads(request.body)), self.latency.provider)
            case "GET", _ if path.startswith("/payments/"):
                payment = self._payment(path.removeprefix("/payments/"))
                return self._reply("lookup", payment, self.latency.provider)
        return Reply(b"{}", "unknown", status=HTTPStatus.NOT_FOUND)

    def _reply(self, operation: str, response: dict[str, Any] | str, delay: float) -> Reply:
        refused = isinstance(response, str)
        envelope = {"code": -1, "message": response, "response": None} if refused else {
            "code": 0, "message": None, "response": response
        }  # fmt: skip
        body = json.dumps(envelope, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return Reply(body, operation, delay, headers=headers)

    def _cancel(self, wanted: dict[str, Any]) -> dict[str, Any] | str:
        """Carry it out, unless ``checksum`` is not the balance."""
        imp_uid = wanted["imp_uid"]
        history = self._history(imp_uid)
        balance = PAID - sum(entry["amount"] for entry in history)
        if wanted.get("checksum") not in {None, balance}:
            return "취소 가능 잔액이 일치하지 않습니다."
        amount = wanted.get("amount", balance)
        history.append(
            _cancellation(f"cancellation_{imp_uid}_{len(history)}", amount, wanted.get("reason", ""))
        )
        return self._payment(imp_uid)

    def _payment(self, imp_uid: str) -> dict[str, Any]:
        history = self._history(imp_uid)
        return _CARD_PAYMENT | {
            "imp_uid": imp_uid,
            "merchant_uid": f"order_{imp_uid}",
            "amount": PAID,
            "cancel_amount": sum(entry["amount"] for entry in history),
            "status": "cancelled" if history else "paid",
            "cancelled_at": history[-1]["cancelled_at"] if history else 0,
            "cancel_reason": history[-1]["reason"] if history else None,
            "cancel_history": history,
        }

    def _history(self, imp_uid: str) -> list[dict[str, Any]]:
        if imp_uid not in self._histories:
            earlier = int(imp_uid.split("_")[1])
            self._histories[imp_uid] = [
                _cancellation(f"cancellation_{imp_uid}_{n}", EARLIER, "earlier") for n in range(earlier)
            ]
        return self._histories[imp_uid]


def balance_of(earlier: int) -> int:
    """Won left on a payment with so many cancellations behind it."""
    return PAID - earlier * EARLIER


def _token() -> dict[str, Any]:
    now = int(time.time())
    return {"access_token": "b" * 40, "now": now, "expired_at": now + _TOKEN_LIFETIME}


def _cancellation(cancellation_id: str, amount: int, reason: str) -> dict[str, Any]:
    return {
        "cancellation_id": cancellation_id,
        "pg_tid": "StdpayCARDINIpayTest20261121050000000001",
        "amount": amount,
        "cancelled_at": int(time.time()),
        "reason": reason,
        "receipt_url": "https://example.com/receipt",
    }
