"""Reading and writing items without computing twice what is computed already: for many histories.

An item that is stored and an entry that was read never change, so what is read from the one and written
from the other is remembered for as long as both are there.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from refunds.ledger import claims, item, queries
from tests.simulation import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from refunds.domain.entry import Entry

_MOST: Final = 2_048

_read: dict[int, tuple[Mapping[str, Any], Entry]] = {}
_written: dict[int, tuple[Entry, dict[str, Any]]] = {}


def decode(stored: Mapping[str, Any]) -> Entry:
    """An entry from its item; the same one for the same item."""
    known = _read.get(id(stored))
    if known is not None and known[0] is stored:
        return known[1]
    entry = item.decode(stored)
    if len(_read) >= _MOST:
        _read.clear()
    _read[id(stored)] = (stored, entry)
    return entry


def encode(entry: Entry, *, now: float, ttl: int) -> dict[str, Any]:
    """An item from its entry. That of one that has ended says until when it is kept, which depends on now."""
    if entry.state.terminal:
        return item.encode(entry, now=now, ttl=ttl)
    known = _written.get(id(entry))
    if known is not None and known[0] is entry:
        return dict(known[1])
    found = item.encode(entry, now=now, ttl=ttl)
    if len(_written) >= _MOST:
        _written.clear()
    _written[id(entry)] = (entry, found)
    return dict(found)


def install() -> None:
    """Use it in this process from now on."""
    _use(decode, encode)


@contextmanager
def installed() -> Iterator[None]:
    """Use it in this process for a while."""
    install()
    try:
        yield
    finally:
        _use(item.decode, item.encode)


def _use(reader: Any, writer: Any) -> None:
    readers: tuple[Any, ...] = (claims, queries, table)
    for module in readers:
        module.decode = reader
    writers: tuple[Any, ...] = (claims,)
    for module in writers:
        module.encode = writer
