"""The one HTTP client for calls to others: HTTP/1.1 over kept-alive connections, bounded in everything.

It is aiohttp underneath: a well-kept library with a compiled parser, a connection pool, and hooks for a
resolver and a proxy, which calls to addresses of somebody else's choice need. What aiohttp does by default
and a payment must not do is off: redirects, cookies, proxies from the environment, decompression.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

import aiohttp
import msgspec
import yarl

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.outbound.exchange import AnswerMalformedError, Opened, join_head, open_connection, read_head


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


_NO_TIMEOUT = aiohttp.ClientTimeout()


class _Origin(NamedTuple):
    """A server: a request that names where to connect, and the line of the head that names it."""

    request: aiohttp.ClientRequest
    host: str


class HttpClient:
    """Sends requests, each on a connection that no other request uses meanwhile.

    It belongs to the event loop of its first request. A POST is never sent twice; a GET is, once, where the
    connection ends without an answer, as a kept-alive one may that the server has just closed.
    """

    def __init__(
        self,
        *,
        connections_max: int = limits.outbound_connections_max,
        answer_bytes_max: int = limits.outbound_answer_bytes_max,
        timeout_ms: int = limits.outbound_timeout_ms,
        idle_connection_ms: int = limits.outbound_idle_connection_ms,
    ) -> None:
        self._connections_max = connections_max
        self._answer_bytes_max = answer_bytes_max
        self._timeout_ms = timeout_ms
        self._idle_s = idle_connection_ms / 1000
        self._connector: aiohttp.TCPConnector | None = None
        self._origins: dict[str, _Origin] = {}

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

        Raises: NotSentError while there is no connection, NoAnswerError after that.
        """
        begun_ns = SystemClock.monotonic_ns()
        failure: type[NoAnswerError] = NotSentError
        try:
            async with asyncio.timeout((self._timeout_ms if timeout_ms is None else timeout_ms) / 1000):
                origin, message = self._prepare(method, yarl.URL(url, encoded=True), headers, body)
                for is_last in (method != "GET", True):
                    opened = await open_connection(self._open(), origin.request, _NO_TIMEOUT)
                    failure = NoAnswerError
                    try:
                        status, fields, answer = await self._exchange(opened, message)
                        break
                    except aiohttp.ServerDisconnectedError:
                        if is_last:
                            raise
        except TimeoutError as error:
            raise failure("the server did not answer in time") from error
        except AnswerMalformedError as error:
            raise failure(f"the server does not speak HTTP/1.1 ({error})") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise failure(str(error) or type(error).__name__) from error
        return Answer(status, fields, answer, (SystemClock.monotonic_ns() - begun_ns) / 1_000_000)

    async def close(self) -> None:
        """Close all connections."""
        if self._connector is not None:
            await self._connector.close()

    def _open(self) -> aiohttp.TCPConnector:
        if self._connector is None:
            self._connector = aiohttp.TCPConnector(
                limit=self._connections_max, keepalive_timeout=self._idle_s
            )
        return self._connector

    def _prepare(
        self, method: str, url: yarl.URL, headers: Mapping[str, str], body: bytes
    ) -> tuple[_Origin, bytes]:
        """Return where a request goes and its bytes. Raises: ValueError for what is no line of a head."""
        name = f"{url.scheme}://{url.raw_authority}"
        origin = self._origins.get(name)
        if origin is None:
            request = aiohttp.ClientRequest("GET", url)
            origin = self._origins[name] = _Origin(request, f"Host: {url.host_port_subcomponent}")
        lines = [f"{method} {url.raw_path_qs} HTTP/1.1", origin.host]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body or method != "GET":
            lines.append(f"Content-Length: {len(body)}")
        return origin, join_head(lines) + b"\r\n\r\n" + body

    async def _exchange(self, opened: Opened, message: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send a request and return its answer: status, headers by names in lower case, and body."""
        connection, protocol, transport = opened
        try:
            protocol.set_response_params(
                read_until_eof=True,
                auto_decompress=False,
                max_line_size=limits.outbound_head_line_bytes_max,
                max_field_size=limits.outbound_head_line_bytes_max,
            )
            transport.write(message)
            head, content = await read_head(protocol)
            if int(head.headers.get("Content-Length", 0)) > self._answer_bytes_max:
                raise ValueError("the response is too long")
            body = bytearray()
            while chunk := await content.readany():
                body += chunk
                if len(body) > self._answer_bytes_max:
                    raise ValueError("the response is too long")
        except aiohttp.http.HttpProcessingError as error:
            connection.close()
            raise AnswerMalformedError(error.message.partition(":")[0]) from error
        except BaseException:
            connection.close()
            raise
        connection.release()
        return head.code, {name.lower(): value for name, value in head.headers.items()}, bytes(body)
