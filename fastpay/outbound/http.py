"""The one HTTP client for calls to others: HTTP/1.1 over kept-alive connections, bounded in everything.

A payment pays for its call: so a request has no task, and no timer (`http1/pool.py` has one for all
deadlines). Nothing goes out that the caller did not write. There are no redirects, cookies, proxies or
codings of contents: a payment must not have any of them.
"""

import asyncio
import re
import ssl
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
import yarl

from fastpay import limits
from fastpay._native.plain_http import write_request
from fastpay.clock import SystemClock
from fastpay.outbound.http1.answers import AnswerMalformedError
from fastpay.outbound.http1.connection import Connection
from fastpay.outbound.http1.pool import Pool
from fastpay.outbound.lookups import Lookups
from fastpay.outbound.slots import Slots

_SCHEMES = frozenset(("http", "https"))
_TOO_LONG = "the response is too long"
# So many are before the second character of a host, or more.
_SCHEME_CHARS = 8
# What names the server, and the target; a fragment is not sent.
_URL = re.compile("([A-Za-z]+://[^/?#]+)([^#]*)")


class Answer(msgspec.Struct, frozen=True, gc=False):
    """An answer in full. Names of fields are in lower case; `milliseconds` is how long it took."""

    status: int
    fields: list[tuple[bytes, bytes]]
    body: bytes
    milliseconds: float

    @property
    def headers(self) -> Mapping[str, str]:
        """The fields by their names. Of those that are there several times it has the last one."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self.fields}

    def json(self) -> Any:
        """Return the body as it is in JSON: only its reader knows the shape, so it has no type here."""
        return msgspec.json.decode(self.body)


class NoAnswerError(Exception):
    """There is no answer, or none that can be used: refused, cut off, too late, too long, or not HTTP."""


class NotSentError(NoAnswerError):
    """There was no connection: no byte of the request went out."""


class _Server(NamedTuple):
    """A server: its connections, and what names it in a head."""

    pool: Pool
    host: str


class HttpClient:
    """Sends requests, each on a connection that no other request uses meanwhile.

    It belongs to the event loop of its first request. A POST is never sent twice; a GET is, once, where a
    kept-alive connection ends without an answer, as one may that the server has just closed.
    """

    def __init__(
        self,
        *,
        connections_max: int = limits.outbound_connections_max,
        answer_bytes_max: int = limits.outbound_answer_bytes_max,
        timeout_ms: int = limits.outbound_timeout_ms,
        idle_connection_ms: int = limits.outbound_idle_connection_ms,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Without `tls` the certificates are trusted that the system trusts."""
        self._slots = Slots(connections_max)
        self._answer_bytes_max = answer_bytes_max
        self._timeout_ms = timeout_ms
        self._idle_ms = idle_connection_ms
        self._tls = tls
        self._servers: dict[str, _Server] = {}

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
        failure: type[NoAnswerError] = NotSentError
        begun_ns = SystemClock.monotonic_ns()
        within_ms, bytes_max = self._timeout_ms if timeout_ms is None else timeout_ms, self._answer_bytes_max
        until_s = asyncio.get_running_loop().time() + within_ms / 1000
        try:
            # The shortest way to a server that is known: no query and no fragment is in its name.
            at = url.find("/", _SCHEME_CHARS)
            server, target = self._servers.get(url[:at]) if at > 0 else None, url[at:]
            if server is None or "#" in target:
                origin, target = _split(url)
                server = self._servers.get(origin) or await self._meet(origin)
            message = write_request(method, target, server.host, headers, body)
        except (OSError, ValueError) as error:
            raise NotSentError(str(error)) from error
        if not self._slots.take():
            await self._wait_for_slot(until_s)
        try:
            for is_last in (method != "GET", True):
                connection = server.pool.take_kept() or await self._connect(server.pool, until_s, failure)
                failure = NoAnswerError
                is_over = False
                try:
                    connection.begin(method, until_s=until_s)
                    connection.write(message)
                    reader = connection.reader
                    while not reader.is_over:
                        await connection.heard()
                        if reader.buffered > bytes_max or reader.length > bytes_max:
                            raise NoAnswerError(_TOO_LONG)
                    is_over = True
                    duration_ms = (SystemClock.monotonic_ns() - begun_ns) / 1_000_000
                    return Answer(reader.status, reader.fields, reader.take(), duration_ms)
                except AnswerMalformedError as error:
                    raise _no_answer(error) from error
                except OSError as error:
                    is_silent = isinstance(error, ConnectionError) and not connection.reader.has_begun
                    if is_last or not is_silent or not connection.was_used:
                        raise _no_answer(error) from error
                finally:
                    server.pool.give_back(connection, is_over=is_over)
        finally:
            self._slots.give()
        raise AssertionError("the last attempt returns or raises")

    def lend(self, url: str) -> "Lent | None":
        """Return a connection for one request to a URL, if one is kept for it and free.

        Nothing is sent. None if `send` would wait for something first.
        """
        at = url.find("/", _SCHEME_CHARS)
        server = self._servers.get(url[:at]) if at > 0 else None
        if server is None or "#" in url or not self._slots.take():
            return None
        connection = server.pool.take_kept()
        if connection is None:
            self._slots.give()
            return None
        return Lent(self._slots, server, connection, url[at:], bytes_max=self._answer_bytes_max)

    async def close(self) -> None:
        """Close all connections."""
        for server in self._servers.values():
            server.pool.close()

    async def _meet(self, origin: str) -> _Server:
        """Return a server that was not asked before. Raises: ValueError for what is none, OSError."""
        url = yarl.URL(origin, encoded=True)
        if url.scheme not in _SCHEMES or not url.raw_host or not url.port:
            raise ValueError("the URL names no server")
        if url.scheme == "https" and self._tls is None:
            # It reads the certificates of the system, which takes long.
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        met = _Server(self._open(url), url.host_port_subcomponent or "")
        return self._servers.setdefault(origin, met)

    def _open(self, url: yarl.URL) -> Pool:
        return Pool(
            url,
            turn_ms=limits.outbound_turn_ms,
            idle_ms=self._idle_ms,
            tls=self._tls if url.scheme == "https" else None,
            resolve=Lookups(1).resolve,
        )

    async def _wait_for_slot(self, until_s: float) -> None:
        """Wait until there may be one more connection. Raises: NotSentError."""
        try:
            await self._slots.wait(until_s - asyncio.get_running_loop().time())
        except TimeoutError as error:
            raise NotSentError("no connection was free in time") from error

    async def _connect(self, pool: Pool, until_s: float, failure: type[NoAnswerError]) -> Connection:
        """Return a new connection. Raises: `failure`."""
        left_s = until_s - asyncio.get_running_loop().time()
        try:
            return await pool.connect(min(left_s, limits.outbound_connect_ms / 1000))
        except TimeoutError as error:
            raise failure("there was no connection in time") from error
        except (OSError, ValueError) as error:
            raise failure(str(error) or type(error).__name__) from error


class Lent:
    """A connection that is lent for one request, which no coroutine waits for. It is never sent twice."""

    __slots__ = (*("_begun_ns", "_bytes_max", "_connection", "_done", "_server", "_slots", "_target"),)

    def __init__(
        self, slots: Slots, server: _Server, connection: Connection, target: str, *, bytes_max: int
    ) -> None:
        self._slots = slots
        self._server = server
        self._connection = connection
        self._target = target
        self._bytes_max = bytes_max
        self._begun_ns = 0
        self._done: Callable[[Answer | NoAnswerError], None] | None = None

    def send(
        self,
        method: str,
        done: Callable[[Answer | NoAnswerError], None],
        *,
        headers: Mapping[str, str],
        body: bytes,
        timeout_ms: int,
    ) -> None:
        """Send the request. `done` gets its answer, or why there is none. It must not raise.

        Raises: ValueError, with nothing sent, for what is no line of a head. Then `give_back` it.
        """
        message = write_request(method, self._target, self._server.host, headers, body)
        self._begun_ns, self._done = SystemClock.monotonic_ns(), done
        connection = self._connection
        until_s = asyncio.get_running_loop().time() + timeout_ms / 1000
        connection.begin(method, until_s=until_s, told=self._look)
        try:
            connection.write(message)
        except ConnectionError as error:
            connection.fail(error)

    def give_back(self, *, is_over: bool = False) -> None:
        """Let go of the connection. It is kept if an answer `is_over`."""
        self._server.pool.give_back(self._connection, is_over=is_over)
        self._slots.give()

    def _look(self) -> None:
        """End, if the answer is here or none comes."""
        connection = self._connection
        reader, error, done = connection.reader, connection.error, self._done
        assert done is not None
        if reader.is_over and reader.buffered <= self._bytes_max:
            milliseconds = (SystemClock.monotonic_ns() - self._begun_ns) / 1_000_000
            answer = Answer(reader.status, reader.fields, reader.take(), milliseconds)
            self.give_back(is_over=True)
            done(answer)
        elif reader.buffered > self._bytes_max or reader.length > self._bytes_max:
            self.give_back()
            done(NoAnswerError(_TOO_LONG))
        elif error is not None:
            self.give_back()
            done(_no_answer(error))
        else:
            connection.read_on()


def _no_answer(error: Exception) -> NoAnswerError:
    """Return why there is no answer after a request has gone out."""
    if isinstance(error, AnswerMalformedError):
        return NoAnswerError(f"the server does not speak HTTP/1.1 ({error})")
    return NoAnswerError(str(error) or type(error).__name__)


def _split(url: str) -> tuple[str, str]:
    """Return what names the server, and the target. Raises: ValueError."""
    parts = _URL.match(url)
    if parts is None:
        raise ValueError("the URL names no server")
    origin, target = parts.groups()
    return origin, target if target.startswith("/") else f"/{target}"
