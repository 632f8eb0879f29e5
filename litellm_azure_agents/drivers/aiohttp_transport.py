"""aiohttp below an httpx client: far cheaper for each piece of a stream and with many streams.

httpcore's pool looks at all of its connections whenever one is needed or done, and its parser is
written in Python. LiteLLM's own providers run on aiohttp for the same reason.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterable, AsyncIterator
from typing import cast

import aiohttp
import anyio
import httpx
from yarl import URL

from .body import ARRIVALS

KEEPALIVE_SECONDS = 30.0
MAX_HEADER_BYTES = 100 * 1024
"""As httpcore has it; aiohttp's own limit is 8 KiB."""
_READ_BUFFER = 256 * 1024
_SKIPPED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers that aiohttp would add; the request has them if the caller wants them."""


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends the requests of an httpx.AsyncClient by aiohttp. Belongs to the running event loop.

    It knows no proxies: where one is set, `pool` uses httpx's own transport. There is no limit on
    connections. Of the timeouts only the one for connecting is used: the driver bounds the rest.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=context, limit=0, keepalive_timeout=KEEPALIVE_SECONDS
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_SKIPPED,
            read_bufsize=_READ_BUFFER,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request`` and return the response, whose body is not read yet. Raises as httpx's
        own transport: ConnectError and ConnectTimeout only if nothing was sent."""
        timeout: dict[str, float | None] = request.extensions.get("timeout", {})
        try:
            response = await self._session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=[h for h in request.headers.multi_items() if h[0] != "transfer-encoding"],
                data=_body_of(request),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=timeout.get("connect")),
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _as_httpx(error) from error
        if response.status < 200:  # a change of protocols that nobody asked for
            response.close()
            raise httpx.RemoteProtocolError(f"unexpected HTTP status {response.status}")
        body = _Body(response)
        return httpx.Response(
            response.status,
            headers=response.raw_headers,
            stream=body,
            request=request,
            extensions={"http_version": b"HTTP/1.1", ARRIVALS: body},
        )

    async def aclose(self) -> None:
        await self._session.close()

    def discard(self) -> None:
        """Forget the connections, whose event loop has ended."""
        connector = self._session.connector
        self._session.detach()
        if connector is not None:
            with contextlib.suppress(StopIteration, RuntimeError):
                next(connector.close().__await__())  # up to where it would wait for the loop


class _Body(httpx.AsyncByteStream):
    """The body of a response; each step gives all the bytes that have arrived."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (data := await self._arrived()) is not None:
            yield data

    async def read(self, seconds: float) -> bytes | None:
        """See `body.Arrivals`."""
        # To cut a read short leaves the connection as it is, unlike with httpcore.
        with anyio.move_on_after(seconds):
            return await self._arrived()
        return b""

    async def _arrived(self) -> bytes | None:
        content = self._response.content
        try:
            return await content.readany() or None
        except (aiohttp.ClientError, OSError) as error:
            # After a failure aiohttp gives out nothing more, also of what had arrived before.
            left = b"".join(content._buffer)
            content._buffer.clear()
            if left:
                return left
            raise _as_httpx(error) from error

    async def stop(self) -> None:
        """See `body.Arrivals`: no wait goes on by itself."""

    async def aclose(self) -> None:
        """Close the socket at once, unless the body was read to its end."""
        self._response.close()


def _body_of(request: httpx.Request) -> bytes | AsyncIterable[bytes] | None:
    try:
        return request.content or None
    except httpx.RequestNotRead:  # an upload, read while it is sent
        return cast(httpx.AsyncByteStream, request.stream)


def _as_httpx(error: Exception) -> httpx.TransportError:
    """``error`` of aiohttp as httpx's own transport would raise it."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout(str(error))
    if isinstance(error, aiohttp.ClientConnectorError):
        return httpx.ConnectError(str(error.os_error))
    if isinstance(error, aiohttp.ServerTimeoutError):
        return httpx.ReadTimeout(str(error))
    if isinstance(error, ValueError):  # a header or URL that can't be sent
        return httpx.LocalProtocolError(str(error))
    if isinstance(error, (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError)):
        return httpx.RemoteProtocolError(str(error))
    if isinstance(error, (aiohttp.ClientConnectionError, OSError)):
        return httpx.ReadError(str(error))
    return httpx.RemoteProtocolError(str(error))
