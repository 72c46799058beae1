"""The one HTTP client for calls to others: HTTP/1.1 over kept-alive connections, bounded in everything.

It is aiohttp underneath: a well-kept library with a compiled parser, a connection pool, and hooks for a
resolver and a proxy, which calls to addresses of somebody else's choice need. What aiohttp does by default
and a payment must not do is off: redirects, cookies, proxies from the environment, decompression.
"""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import aiohttp
import msgspec
import yarl

from fastpay import limits
from fastpay.clock import SystemClock


class Answer(NamedTuple):
    """An answer in full. Names of headers are in lower case; `milliseconds` is how long it took."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    milliseconds: float

    def json(self) -> Any:
        """Return the body as it is in JSON: only its reader knows the shape, so it has no type here."""
        return msgspec.json.decode(self.body)


class NoAnswerError(Exception):
    """There is no answer, or none that can be used: refused, cut off, too late, too long, or not HTTP."""


class NotSentError(NoAnswerError):
    """There was no connection: no byte of the request went out."""


class _Progress:
    """How far a request has got."""

    is_connected = False


class HttpClient:
    """Sends requests, each on a connection that no other request uses meanwhile.

    It belongs to the event loop of its first request. A POST is never sent twice; a GET is, once, where a
    kept-alive connection turns out to be closed. With `tells_unsent`, NotSentError is raised for a request of
    which nothing can have been sent.
    """

    def __init__(
        self,
        *,
        connections_max: int = limits.outbound_connections_max,
        answer_bytes_max: int = limits.outbound_answer_bytes_max,
        timeout_ms: int = limits.outbound_timeout_ms,
        idle_connection_ms: int = limits.outbound_idle_connection_ms,
        tells_unsent: bool = False,
    ) -> None:
        self._connections_max = connections_max
        self._answer_bytes_max = answer_bytes_max
        self._timeout = aiohttp.ClientTimeout(total=timeout_ms / 1000)
        self._idle_s = idle_connection_ms / 1000
        self._traces = [_trace()] if tells_unsent else []
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        timeout_ms: int | None = None,
    ) -> Answer:
        """Send a request to a URL, whose target goes out exactly as it is written, and return the answer.

        Raises: NoAnswerError.
        """
        progress = _Progress()
        try:
            return await self._send(method, url, headers, body, timeout_ms, progress)
        except NoAnswerError as error:
            if self._traces and not progress.is_connected:
                raise NotSentError(str(error)) from error
            raise

    async def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        timeout_ms: int | None,
        progress: _Progress,
    ) -> Answer:
        begun_ns = SystemClock.monotonic_ns()
        timeout = self._timeout if timeout_ms is None else aiohttp.ClientTimeout(total=timeout_ms / 1000)
        try:
            async with self._open().request(
                method,
                yarl.URL(url, encoded=True),
                headers=headers,
                data=body if body or method != "GET" else None,
                allow_redirects=False,
                timeout=timeout,
                trace_request_ctx=progress,
            ) as response:
                answer = await self._read(response)
                names = {name.lower(): value for name, value in response.headers.items()}
                took_ms = (SystemClock.monotonic_ns() - begun_ns) / 1_000_000
                return Answer(response.status, names, answer, took_ms)
        except TimeoutError as error:
            raise NoAnswerError("the server did not answer in time") from error
        except aiohttp.ClientResponseError as error:
            raise NoAnswerError(
                f"the server does not speak HTTP/1.1 ({error.message.partition(':')[0]})"
            ) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoAnswerError(str(error) or type(error).__name__) from error

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections_max, keepalive_timeout=self._idle_s),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trace_configs=self._traces,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                max_line_size=limits.outbound_head_line_bytes_max,
                max_field_size=limits.outbound_head_line_bytes_max,
            )
        return self._session

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """Return the body. Raises: NoAnswerError as soon as it is known to be too long."""
        if (response.content_length or 0) > self._answer_bytes_max:
            response.close()
            raise NoAnswerError("the response is too long")
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > self._answer_bytes_max:
                response.close()
                raise NoAnswerError("the response is too long")
        return bytes(body)


def _trace() -> aiohttp.TraceConfig:
    """Return hooks that note when a request gets its connection, after which it may have been sent."""

    async def connected(_session: object, context: SimpleNamespace, _parameters: object) -> None:
        context.trace_request_ctx.is_connected = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(connected)
    trace.on_connection_reuseconn.append(connected)
    return trace
