"""Passes requests to the legacy API over connections that are kept alive.

Requests and answers go through in the pieces in which they come, and as fast as the slower side takes them.
"""

import asyncio
import ssl
from collections.abc import Mapping

import yarl

from fastpay import limits
from fastpay.engine.dependency_ports import Part
from fastpay.engine.rollout.ports import PassedAnswer, PassedBody, PassedRequest
from fastpay.errors import FastpayError, LegacyFailed, LegacyLoop, LegacyUnavailable, Overloaded
from fastpay.outbound.http1.connection import Connection
from fastpay.outbound.http1.pool import Pool
from fastpay.outbound.legacy import fields
from fastpay.outbound.legacy.exchange import Exchange, Lost
from fastpay.outbound.lookups import Lookups, Resolve

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
        resolve: Resolve | None = None,
    ) -> None:
        """`part` gets to know whether the legacy API can be reached."""
        where = yarl.URL(url, encoded=True)
        self._prefix = where.raw_path.rstrip("/").encode()
        self._part = part
        if tls is None and where.scheme == "https":
            tls = ssl.create_default_context()
        self._pool = Pool(
            where,
            turn_ms=limits.legacy_turn_ms,
            idle_ms=idle_ms,
            silent_ms=timeout_ms,
            tls=tls,
            # A name that is long without an answer holds no thread of the event loop's.
            resolve=resolve or Lookups(1).resolve,
        )
        self._slots = asyncio.Semaphore(connections_max)
        self._waiting = 0
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
        said = fields.for_legacy(request)
        if said.is_loop:
            raise LegacyLoop("The legacy API has sent this request back to where it came from.")
        is_chunked = not body.is_whole and said.length is None
        head = self._head(request, body, said, is_chunked=is_chunked)
        await self._take_slot()
        try:
            exchange = await self._first_answer(request, body, head, is_chunked=is_chunked)
        except BaseException as error:
            self._free_slot()
            if isinstance(error, FastpayError):
                self._failed += 1
            raise
        self._passed += 1
        return exchange

    async def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    async def _first_answer(
        self, request: PassedRequest, body: PassedBody, head: bytes, *, is_chunked: bool
    ) -> Exchange:
        """Send a request until it meets a connection that is open, twice at most."""
        for is_last in (False, True):
            connection = await self._take()
            exchange = Exchange(connection, request, body, is_chunked=is_chunked, let_go=self._let_go)
            try:
                await exchange.begin(head)
            except Lost as lost:
                self._abandon(exchange, connection)
                may_repeat = connection.was_used and request.method in _IDEMPOTENT and body.is_whole
                if is_last or not may_repeat or not lost.is_unanswered:
                    raise lost.error from lost
                self._repeated += 1
            except BaseException:
                self._abandon(exchange, connection)
                raise
            else:
                return exchange
        raise AssertionError("the last attempt returns or raises")

    def _abandon(self, exchange: Exchange, connection: Connection) -> None:
        exchange.abandon()
        self._pool.give_back(connection, is_over=False)

    def _let_go(self, connection: Connection, is_over: bool) -> None:
        """Note that an answer was read to its end, or given up."""
        self._pool.give_back(connection, is_over=is_over)
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

    async def _take(self) -> Connection:
        """Return a connection on which nothing has come yet. Raises: LegacyUnavailable."""
        try:
            connection = self._pool.take_kept() or await self._pool.connect(limits.legacy_connect_ms / 1000)
        except (OSError, UnicodeError) as error:
            self._part.lost(str(error) or type(error).__name__)
            raise LegacyUnavailable("The legacy API cannot be reached. Nothing was sent to it.") from error
        self._part.back()
        return connection

    def _head(
        self, request: PassedRequest, body: PassedBody, said: fields.Said, *, is_chunked: bool
    ) -> bytes:
        """Return the head as it is sent. Raises: LegacyFailed if it would be none."""
        lines = [request.method.encode() + b" " + self._prefix + request.target + b" HTTP/1.1", *said.lines]
        length = said.length
        if length is None and body.is_whole and (body.first or request.method not in _WITHOUT_BODY):
            length = len(body.first)
        if length is not None:
            lines.append(b"content-length: %d" % length)
        elif is_chunked:
            lines.append(b"transfer-encoding: chunked")
        head = b"\r\n".join((*lines, b"", b""))
        if not head.count(b"\r") == head.count(b"\n") == len(lines) + 1 or b"\0" in head:
            raise LegacyFailed("A header field of the request cannot be passed on.")
        return head
