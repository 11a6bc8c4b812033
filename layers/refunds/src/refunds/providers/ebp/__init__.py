"""EBP, the purchase API (``/api/v2``, docs/providers.md)."""
