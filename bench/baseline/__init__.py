"""The documented way, to compare with: Powertools' batch and idempotency, as documented."""
