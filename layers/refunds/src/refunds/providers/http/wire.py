"""JSON as it crosses the wire: numbers stay exact in both directions.

The standard encoder writes no ``Decimal`` and its decoder reads every fraction as a binary
float, which turns 0.1 into 0.1000000000000000055; money may go through neither.
"""

from __future__ import annotations

import threading
from typing import Final

from refunds.contracts import strict_json
from refunds.errors import InvalidRequest

#: Bytes of a body for each value in it, on the average and at least. PortOne's have about twenty. A megabyte
#: of empty objects has two, and would take forty times its size in memory.
_BYTES_PER_VALUE: Final = 8

#: The fewest values that are always read, however small the body.
_FEW: Final = 4_096

#: One body at a time: read at once, the text of ten large ones would count ten times.
_reading: Final = threading.Lock()


def encode(value: object) -> bytes:
    """Serialise a request body as ``strict_json.dumps`` does, in UTF-8 and with its keys in their order.

    Raises:
        InvalidRequest: a number is not finite or has too many digits, or a text is not Unicode
            (half a surrogate pair).
        TypeError: the value holds a float (amounts are ``Decimal`` or ``int``) or another
            type that JSON does not know.
    """
    try:
        return strict_json.dumps(value, sort_keys=False).encode("utf-8")
    except UnicodeEncodeError:
        problem = "a text in the request is not valid Unicode"
    except ValueError as error:
        problem = f"the request cannot be written: {error}"
    raise InvalidRequest(problem)


def decode(body: bytes | bytearray) -> dict[str, object] | None:
    """Read an answer: a JSON object, or ``None`` when it is anything else, or has too many values.

    Whole numbers become ``int``, all others ``Decimal``. Text that two readers would understand
    differently is not JSON here; see ``strict_json.loads``.
    """
    if sum(map(body.count, (b",", b"[", b"{"))) > max(len(body) // _BYTES_PER_VALUE, _FEW):
        return None
    try:
        with _reading:
            # Decoded first: given bytes, the parser would guess among UTF-8, UTF-16 and UTF-32.
            value = strict_json.loads(body.decode("utf-8"))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
