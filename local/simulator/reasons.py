"""What a PG keeps of a cancellation's reason: all, nothing, a part, or what its encoding can express."""

from __future__ import annotations

RULES = "verbatim, dropped, truncated:N, replaced:TEXT, encoded:CODEC, cut:CODEC, bytes:N or refused:CODEC"
_LEGACY_CODEC = "euc-kr"


def check_rule(rule: str) -> None:
    """Raises ValueError when a rule is none of `RULES`."""
    name, _, argument = rule.partition(":")
    fine = {
        "truncated": argument.isdigit(),
        "bytes": argument.isdigit(),
        **dict.fromkeys(("verbatim", "dropped", "replaced"), True),
        **dict.fromkeys(("encoded", "cut", "refused"), _is_codec(argument)),
    }
    if not fine.get(name, False):
        raise ValueError(f"keeps_reason is {RULES}")


def kept(rule: str, reason: str) -> str:
    """What the history shows of a reason; "dropped" has no argument, so nothing."""
    name, _, argument = rule.partition(":")
    match name:
        case "dropped" | "replaced":
            return argument
        case "truncated":
            return reason[: int(argument)]
        case "encoded":
            return reason.encode(argument, "replace").decode(argument)
        case "cut":
            return _up_to_the_first_foreign(reason, argument)
        case "bytes":
            encoded = reason.encode(_LEGACY_CODEC, "replace")[: int(argument)]
            return encoded.decode(_LEGACY_CODEC, "replace")
    return reason


def is_refused(rule: str, reason: str) -> bool:
    """Whether the PG takes no cancellation with such a reason at all."""
    name, _, argument = rule.partition(":")
    return name == "refused" and not _encodable(reason, argument)


def _up_to_the_first_foreign(reason: str, codec: str) -> str:
    end = next((at for at, sign in enumerate(reason) if not _encodable(sign, codec)), len(reason))
    return reason[:end]


def _encodable(text: str, codec: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _is_codec(name: str) -> bool:
    try:
        "".encode(name)
    except LookupError:
        return False
    return bool(name)
