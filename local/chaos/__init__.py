"""Chaos on the deployed stack: many cancellations at once while processes die and providers misbehave."""
