"""The same with one HTTP client for the life of the process, as httpx's documentation advises."""

import httpx

from bench.baseline.cancellation import handler_with

handler = handler_with(httpx.Client().post)
