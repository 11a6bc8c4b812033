"""EBP, the purchase API of document 004 (``/api/v2``)."""
