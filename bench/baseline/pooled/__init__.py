"""The documented way with one pooled HTTP client."""
