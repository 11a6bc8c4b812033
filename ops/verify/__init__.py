"""Checks on a deployed stack what is assumed about AWS (docs/aws-assumptions.md); never on production."""
