"""The inbound and outbound contracts (docs/contracts.md)."""
