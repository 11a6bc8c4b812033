"""Rows in the order of their age, however many there are, in bounded memory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any, Self


class Spool:
    """Keeps rows in an unnamed temporary file that vanishes with the process (SQLite's own kind)."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE rows (age REAL, content TEXT)")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def add(self, moment: float, row: dict[str, Any]) -> None:
        """Keep a row; ``moment`` orders it."""
        self._database.execute("INSERT INTO rows VALUES (?, ?)", (moment, json.dumps(row)))

    def oldest_first(self, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """The rows by their moment, all or the first ``limit``."""
        query = "SELECT content FROM rows ORDER BY age, rowid LIMIT ?"
        rows = self._database.execute(query, (-1 if limit is None else limit,))
        return (json.loads(content) for (content,) in rows)
