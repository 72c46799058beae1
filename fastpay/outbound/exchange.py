"""One request over a connection of aiohttp's pool, beside aiohttp's session.

The pool, TLS, the proxy and the parser are aiohttp's. Its session makes a request, two copies of the headers,
a payload with a task that writes it, a timer and a response each time. What they decide is the same for all
requests to a server, so it is decided once: a request that only names where to connect, and for deliveries
to a target a head that lasts. The figures are in BENCHMARKS.md.

`connect` and `release` are documented by aiohttp; how a connection is told of a response, and reads it, is
not. So its minor version is fixed in pyproject.toml, and tests go through every way that an answer may end.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import aiohttp
import yarl
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import StreamReader

from fastpay import limits
from fastpay.outbound.http1.heads import join_head

# A tunnel that a proxy opens is a connection of its own: only a plain request names the whole URL.
_PLAIN = "http"
_INFORMATIONAL = range(100, 200)


class Answer(NamedTuple):
    """A status, the headers, and the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    excerpt: bytes


class AnswerMalformedError(Exception):
    """The answer is not HTTP."""


class Opened(NamedTuple):
    """A connection on which nothing has come yet."""

    connection: Connection
    protocol: ResponseHandler
    transport: asyncio.WriteTransport


async def open_connection(
    connector: aiohttp.BaseConnector, request: aiohttp.ClientRequest, within: aiohttp.ClientTimeout
) -> Opened:
    """Return a connection of the pool, or a new one. Nothing is sent.

    Raises: aiohttp.ClientError, OSError, and aiohttp.ConnectionTimeoutError if there was none in time.
    """
    while True:
        try:
            connection = await connector.connect(request, traces=[], timeout=within)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError("there was no connection in time") from error
        protocol, transport = connection.protocol, connection.transport
        if protocol is not None and transport is not None and not len(protocol):
            return Opened(connection, protocol, transport)
        # It has ended, or something came unasked that would be taken for the answer.
        connection.close()


async def read_head(protocol: ResponseHandler) -> tuple[RawResponseMessage, StreamReader]:
    """Return the head of the final answer and what its body is read from. Raises: AnswerMalformedError."""
    for _ in range(limits.webhook_informational_max + 1):
        message, content = await protocol.read()
        if message.code not in _INFORMATIONAL:
            return message, content
    raise AnswerMalformedError("the answer has no final status")


class Destination:
    """Where POSTs go, and what the heads of all of them begin with."""

    def __init__(
        self,
        connector: aiohttp.BaseConnector,
        url: yarl.URL,
        *,
        headers: Iterable[tuple[str, str]],
        proxy: str | None,
        connect_timeout_ms: int,
    ) -> None:
        """`headers` do not have Host or Content-Length. Raises: ValueError for one that is not a line."""
        self._connector = connector
        self._timeout = aiohttp.ClientTimeout(sock_connect=connect_timeout_ms / 1000)
        self._request = aiohttp.ClientRequest("POST", url, proxy=None if proxy is None else yarl.URL(proxy))
        is_whole = proxy is not None and url.scheme == _PLAIN
        start = f"POST {url if is_whole else url.raw_path_qs} HTTP/1.1"
        lines = [start, f"Host: {url.host_port_subcomponent}"]
        lines += [f"{name}: {value}" for name, value in headers]
        self._head = join_head(lines)

    async def post(self, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Answer:
        """Send a POST, and return its answer once that is whole, or too long to be read.

        It never sends twice, and ends when it is cancelled. Raises: aiohttp.ClientError, OSError,
        AnswerMalformedError, and aiohttp.ConnectionTimeoutError if there was no connection in time.
        """
        opened = await open_connection(self._connector, self._request, self._timeout)
        connection, protocol, transport = opened
        try:
            protocol.set_response_params(read_until_eof=True, auto_decompress=False)
            transport.write(self._message(headers, body))
            message, content = await read_head(protocol)
            excerpt = b""
            while chunk := await content.readany():
                excerpt = (excerpt + chunk)[: limits.webhook_excerpt_bytes_max]
                if content.total_bytes > limits.webhook_answer_bytes_max:
                    break
        except aiohttp.http.HttpProcessingError as error:
            connection.close()
            raise AnswerMalformedError(error.message) from error
        except BaseException:
            connection.close()
            raise
        # An answer that was not read to its end closes it.
        connection.release()
        return Answer(message.code, message.headers, excerpt)

    def _message(self, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes:
        pieces = [self._head]
        for name, value in headers:
            pieces += (b"\r\n", name, b": ", value)
        # The pool has found it in the proxy's URL.
        authorization = self._request.headers.get("Proxy-Authorization")
        if authorization is not None:
            pieces += (b"\r\nProxy-Authorization: ", authorization.encode())
        pieces += (b"\r\nContent-Length: ", b"%d" % len(body), b"\r\n\r\n", body)
        return b"".join(pieces)
