"""Passes requests to the legacy API over a pool of connections that are kept alive.

The pool, TLS and the parser are aiohttp's, as in `outbound/exchange.py`, and for the same reason the head is
written here: it must go out with the fields of the client, and aiohttp's session would build a request, two
copies of the headers and a payload's task around each. aiohttp's minor version is fixed in pyproject.toml.
"""

import asyncio
import ssl
import weakref
from collections.abc import Mapping

import aiohttp
import yarl
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from fastpay import limits
from fastpay.engine.dependency_ports import Part
from fastpay.engine.rollout.ports import PassedAnswer, PassedBody, PassedRequest
from fastpay.errors import FastpayError, LegacyFailed, LegacyLoop, LegacyUnavailable, Overloaded
from fastpay.outbound.legacy import fields
from fastpay.outbound.legacy.exchange import Exchange, Lost

# RFC 9110 9.2.2. What a connection's end overtook may be sent again for these only (RFC 9112 9.3.1).
_IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))
_WITHOUT_BODY = frozenset(("GET", "HEAD", "OPTIONS", "DELETE"))


class LegacyClient:
    """Satisfies `Legacy`. It belongs to the event loop of its first request."""

    def __init__(
        self,
        url: str,
        *,
        part: Part,
        timeout_ms: int = limits.legacy_timeout_ms,
        connections_max: int = limits.legacy_connections_max,
        idle_ms: int = limits.legacy_idle_ms,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`part` gets to know whether the legacy API can be reached."""
        self._url = yarl.URL(url, encoded=True)
        self._prefix = self._url.raw_path.rstrip("/").encode()
        self._part = part
        self._timeout_ms = timeout_ms
        self._idle_ms = idle_ms
        self._tls = tls
        self._slots = asyncio.Semaphore(connections_max)
        self._waiting = 0
        self._connector: aiohttp.BaseConnector | None = None
        self._request: aiohttp.ClientRequest | None = None
        # Connections that had a request before: the legacy API may have closed one meanwhile.
        self._reused: weakref.WeakSet[ResponseHandler] = weakref.WeakSet()
        self._in_flight = self._passed = self._failed = self._repeated = 0

    def counts(self) -> Mapping[str, int]:
        """Return what was counted since the start, and how many requests are under way."""
        return {
            "legacy_passed": self._passed,
            "legacy_failed": self._failed,
            "legacy_repeated": self._repeated,
            "legacy_in_flight": self._in_flight,
            "legacy_waiting": self._waiting,
        }

    async def ask(self, request: PassedRequest, body: PassedBody) -> PassedAnswer:
        """Send a request; return its answer once the head is here. Raises: as `Legacy` says."""
        if fields.is_loop(request.fields):
            raise LegacyLoop("The legacy API has sent this request back to where it came from.")
        head = self._head(request, body)
        await self._take_slot()
        try:
            exchange = await self._first_answer(request, body, head)
        except BaseException as error:
            self._free_slot()
            if isinstance(error, FastpayError):
                self._failed += 1
            raise
        self._passed += 1
        return exchange

    async def close(self) -> None:
        """Close all connections."""
        connector, self._connector = self._connector, None
        if connector is not None:
            await connector.close()

    async def _first_answer(self, request: PassedRequest, body: PassedBody, head: bytes) -> Exchange:
        """Send a request until it meets a connection that is open, twice at most."""
        for is_last in (False, True):
            connection, protocol = await self._connect()
            exchange = Exchange(
                connection, protocol, request, body, timeout_ms=self._timeout_ms, ended=self._ended
            )
            try:
                await exchange.begin(head)
            except Lost as lost:
                exchange.abandon()
                may_repeat = protocol in self._reused and request.method in _IDEMPOTENT and body.is_whole
                if is_last or not may_repeat or not lost.is_unanswered:
                    raise lost.error from lost
                self._repeated += 1
            except BaseException:
                exchange.abandon()
                raise
            else:
                return exchange
        raise AssertionError("the last attempt returns or raises")

    def _ended(self, protocol: ResponseHandler) -> None:
        """Note that an answer was read to its end, or given up."""
        self._reused.add(protocol)
        self._free_slot()

    def _free_slot(self) -> None:
        self._in_flight -= 1
        self._slots.release()

    async def _take_slot(self) -> None:
        """Wait until there may be one more connection. Raises: Overloaded."""
        if not self._slots.locked():
            await self._slots.acquire()
            self._in_flight += 1
            return
        if self._waiting >= limits.legacy_waiting_max:
            raise Overloaded("Too many requests wait for the legacy API.")
        self._waiting += 1
        try:
            async with asyncio.timeout(limits.legacy_wait_ms / 1000):
                await self._slots.acquire()
        except TimeoutError as error:
            raise Overloaded("The legacy API has as many requests as it may have at once.") from error
        finally:
            self._waiting -= 1
        self._in_flight += 1

    async def _connect(self) -> tuple[Connection, ResponseHandler]:
        """Return a connection on which nothing has come yet. Raises: LegacyUnavailable."""
        connector, request = self._open()
        while True:
            try:
                async with asyncio.timeout(limits.legacy_connect_ms / 1000):
                    connection = await connector.connect(
                        request, traces=[], timeout=aiohttp.ClientTimeout(total=None)
                    )
            except (aiohttp.ClientError, OSError) as error:
                reason = str(error) or type(error).__name__
                self._part.lost(reason)
                raise LegacyUnavailable(
                    "The legacy API cannot be reached. Nothing was sent to it."
                ) from error
            protocol = connection.protocol
            if protocol is not None and protocol.is_connected() and not protocol.should_close:
                self._part.back()
                return connection, protocol
            # It has ended, or something came unasked that would be taken for the answer. Nothing was sent.
            connection.close()

    def _open(self) -> tuple[aiohttp.BaseConnector, aiohttp.ClientRequest]:
        if self._connector is None or self._request is None:
            self._connector = aiohttp.TCPConnector(
                # `_slots` is the bound: this pool would let requests wait in an order of its own.
                limit=0,
                keepalive_timeout=self._idle_ms / 1000,
                ssl=True if self._tls is None else self._tls,
            )
            # It only says where to connect to.
            self._request = aiohttp.ClientRequest("GET", self._url)
        return self._connector, self._request

    def _head(self, request: PassedRequest, body: PassedBody) -> bytes:
        """Return the head as it is sent. Raises: LegacyFailed if it would be none."""
        lines = [request.method.encode() + b" " + self._prefix + request.target + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in fields.for_legacy(request)]
        length = fields.length_of(request.fields)
        if length is None and body.is_whole and (body.first or request.method not in _WITHOUT_BODY):
            length = len(body.first)
        if length is not None:
            lines.append(b"content-length: %d" % length)
        elif not body.is_whole:
            lines.append(b"transfer-encoding: chunked")
        if any(b"\r" in line or b"\n" in line or b"\0" in line for line in lines):
            raise LegacyFailed("A header field of the request cannot be passed on.")
        return b"\r\n".join(lines) + b"\r\n\r\n"
