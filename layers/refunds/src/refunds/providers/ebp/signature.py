"""The ``X-EBP-Signature`` header."""

from __future__ import annotations

import hashlib


def signature(body: bytes, hash_key: str) -> str:
    """Hex SHA-256 of the body followed by the store's hash key (docs/providers.md).

    Not an HMAC. ``body`` must be the very bytes that are sent: the same object serialised a
    second time may differ.
    """
    return hashlib.sha256(body + hash_key.encode("utf-8")).hexdigest()
