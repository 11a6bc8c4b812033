"""The inbound and outbound contracts (DESIGN sections 3 and 4)."""
