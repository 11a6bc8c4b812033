"""The documented way, to compare with: Powertools' batch processor and idempotency decorator."""
