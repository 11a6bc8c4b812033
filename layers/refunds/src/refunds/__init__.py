"""Refunds, carried out at most once.

The public surface is what functions and tools use; everything else is theirs to import from its
module. See ``docs/architecture.md`` for the direction of imports.
"""

from __future__ import annotations

__all__: list[str] = []
__version__ = "1.0.0"
