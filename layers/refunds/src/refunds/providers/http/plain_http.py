"""One request, one response, and nothing that nobody asked for."""

from __future__ import annotations

from collections.abc import Mapping

import httpx


class PlainClient:
    """Sends requests over a transport as they are.

    ``httpx.Client`` follows redirects, keeps cookies, obeys proxy variables and takes credentials from a
    ``.netrc`` file or the URL. Each of these can be switched off; here none of them exists, and none takes
    processor time.

    Args:
        transport: where requests go; its exceptions pass.
        headers: of every request, unless it brings its own.
    """

    def __init__(self, transport: httpx.BaseTransport, headers: Mapping[str, str]) -> None:
        self._transport = transport
        self._headers = httpx.Headers(headers)

    def build_request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
        content: bytes | None,
        timeout: httpx.Timeout,
    ) -> httpx.Request:
        """Put a request together; ``timeout`` bounds each of its steps, seconds.

        Raises:
            httpx.InvalidURL: the address is none.
        """
        merged = self._headers.copy()
        merged.update(headers)
        return httpx.Request(
            method,
            httpx.URL(url, params=params) if params else url,
            headers=merged,
            content=content,
            extensions={"timeout": timeout.as_dict()},
        )

    def send(self, request: httpx.Request) -> httpx.Response:
        """Send it; the body of the response is still to be read, and the response to be closed."""
        return self._transport.handle_request(request)

    def close(self) -> None:
        """Close the transport's connections."""
        self._transport.close()
