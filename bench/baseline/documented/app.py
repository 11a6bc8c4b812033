"""The documented way: every call to PortOne opens a connection of its own, as ``httpx.post`` does."""

import httpx
from cancellation import Refunds

handler = Refunds(httpx.post).handle
