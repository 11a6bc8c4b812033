"""Success answers that lie or lack something, by variant. A variant that does not apply changes nothing."""

from __future__ import annotations

from typing import Any

ECHOES = (
    "identity",
    "amount",
    "history",
    "items",
    "fraction",
    "text_amount",
    "no_currency",
    "other_currency",
    "no_status",
    "no_history",
    "no_cancellation_id",
    "balance_lags",
    "number_code",
    "text_code",
)
_OTHER_CURRENCY = "USD"


def distort_payment(shown: dict[str, Any], variant: str) -> None:
    """Change one payment or receipt of PortOne as it is shown."""
    amount = "cancel_amount" if "cancel_amount" in shown else "amount"
    history = shown.get("cancel_history")
    match variant:
        case "identity":
            name = "imp_uid" if "imp_uid" in shown else "merchant_uid"
            shown[name] = f"{shown[name]}-other"
        case "amount":
            shown[amount] += 1
        case "history" if history is not None:
            shown["cancel_history"] = history[:-1]
        case "no_history":
            shown.pop("cancel_history", None)
        case "balance_lags" if history:
            shown[amount] -= history[-1]["amount"]
        case "no_cancellation_id" if history:
            shown["cancel_history"] = [_without(entry, "cancellation_id") for entry in history]
        case _:
            _distort_common(shown, variant, amount=amount, currency="currency", status="status")


def distort_order(data: dict[str, Any], variant: str) -> None:
    """Change EBP's `data` of a cancellation or of a detail query."""
    total = "totalProductAmount" if "totalProductAmount" in data else "totalCancelAmount"
    match variant:
        case "identity":
            data["orderNo"] = f"{data['orderNo']}-other"
        case "amount":
            data[total] += 1
        case "history" | "items":
            data["items"] = data["items"][:-1]
            if "cancelDetails" in data:
                data["cancelDetails"] = data["cancelDetails"][:-1]
        case "no_history":
            data.pop("cancelDetails", None)
        case "no_cancellation_id":
            data.pop("returnRequestId", None)
            details = data.get("cancelDetails") or []
            data["cancelDetails"] = [_without(entry, "returnRequestId") for entry in details]
        case "balance_lags" if data.get("cancelDetails"):
            data[total] -= data["cancelDetails"][-1]["cancelAmount"]
        case _:
            _distort_common(data, variant, amount=total, currency="currencyCode", status="paymentStatus")


def distort_code(payload: dict[str, Any], variant: str) -> None:
    """The code of an envelope as a number where it is a text, or the other way round."""
    name = "resultCode" if "resultCode" in payload else "code"
    if variant == "number_code":
        payload[name] = int(payload[name])
    elif variant == "text_code":
        payload[name] = str(payload[name])


def _distort_common(shown: dict[str, Any], variant: str, *, amount: str, currency: str, status: str) -> None:
    match variant:
        case "fraction":
            shown[amount] = float(shown[amount]) + 0.5
        case "text_amount":
            shown[amount] = str(shown[amount])
        case "no_currency":
            shown.pop(currency, None)
        case "other_currency" if currency in shown:
            shown[currency] = "KRW" if shown[currency] == _OTHER_CURRENCY else _OTHER_CURRENCY
        case "no_status":
            shown.pop(status, None)


def _without(entry: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != name}
