"""The documented way: every call to PortOne opens a connection of its own, as ``httpx.post`` does."""

import httpx

from bench.baseline.cancellation import handler_with

handler = handler_with(httpx.post)
