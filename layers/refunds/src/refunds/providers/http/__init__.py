"""Requests to providers over HTTP, and what their answers are read with."""
