"""Passes requests to the legacy API over connections that are kept alive.

Requests and answers go through in the pieces in which they come, and as fast as the slower side takes them.
"""

import ssl
from collections.abc import Mapping

import yarl

from fastpay import limits
from fastpay._native.passed_fields import request_head
from fastpay.engine.dependency_ports import Part
from fastpay.engine.rollout.ports import PassedAnswer, PassedBody, PassedRequest
from fastpay.errors import FastpayError, LegacyFailed, LegacyLoop, LegacyUnavailable, Overloaded
from fastpay.outbound.http1.connection import Connection
from fastpay.outbound.http1.pool import Pool
from fastpay.outbound.legacy.exchange import Exchange, Lost
from fastpay.outbound.lookups import Lookups, Resolve
from fastpay.outbound.slots import Slots

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
        self._slots = Slots(connections_max)
        self._passed = self._failed = self._repeated = 0

    def counts(self) -> Mapping[str, int]:
        """Return what was counted since the start, and how many requests are under way."""
        return {
            "legacy_passed": self._passed,
            "legacy_failed": self._failed,
            "legacy_repeated": self._repeated,
            "legacy_in_flight": self._slots.in_flight,
            "legacy_waiting": self._slots.waiting,
        }

    async def ask(self, request: PassedRequest, body: PassedBody) -> PassedAnswer:
        """Send a request; return its answer once the head is here. Raises: as `Legacy` says."""
        try:
            lines, length, is_loop = request_head(
                b"%b %b%b HTTP/1.1" % (request.method.encode(), self._prefix, request.target),
                request.fields,
                request.http_version,
                request.scheme,
                request.client,
                request.request_id,
                request.trace,
            )
        except ValueError as error:
            raise LegacyFailed("A header field of the request cannot be passed on.") from error
        if is_loop:
            raise LegacyLoop("The legacy API has sent this request back to where it came from.")
        is_chunked = not body.is_whole and length is None
        head = lines + _framing(request, body, length, is_chunked=is_chunked)
        if not self._slots.take():
            await self._wait_for_slot()
        try:
            exchange = await self._first_answer(request, body, head, is_chunked=is_chunked)
        except BaseException as error:
            self._slots.give()
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
        before: Lost | None = None
        for is_last in (False, True):
            connection = self._pool.take_kept()
            if connection is None:
                try:
                    connection = await self._connect()
                except LegacyUnavailable as error:
                    # It was sent before, so that nobody may be told that nothing was.
                    raise error if before is None else before.error from error
            elif self._part.is_lost:
                self._part.back()
            exchange = Exchange(connection, request, body, is_chunked=is_chunked, let_go=self._let_go)
            try:
                await exchange.begin(head)
            except Lost as lost:
                self._abandon(exchange, connection)
                may_repeat = connection.was_used and request.method in _IDEMPOTENT and body.is_whole
                if is_last or not may_repeat or not lost.is_unanswered:
                    raise lost.error from lost
                before = lost
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
        self._slots.give()

    async def _wait_for_slot(self) -> None:
        """Wait until there may be one more request. Raises: Overloaded."""
        if self._slots.waiting >= limits.legacy_waiting_max:
            raise Overloaded("Too many requests wait for the legacy API.")
        try:
            await self._slots.wait(limits.legacy_wait_ms / 1000)
        except TimeoutError as error:
            raise Overloaded("The legacy API has as many requests as it may have at once.") from error

    async def _connect(self) -> Connection:
        """Return a new connection. Raises: LegacyUnavailable."""
        try:
            connection = await self._pool.connect(limits.legacy_connect_ms / 1000)
        except (OSError, UnicodeError) as error:
            self._part.lost(str(error) or type(error).__name__)
            raise LegacyUnavailable("The legacy API cannot be reached. Nothing was sent to it.") from error
        self._part.back()
        return connection


def _framing(request: PassedRequest, body: PassedBody, length: int | None, *, is_chunked: bool) -> bytes:
    """Return what says how the body ends, and the end of the head."""
    if length is None and body.is_whole and (body.first or request.method not in _WITHOUT_BODY):
        length = len(body.first)
    if length is not None:
        return b"content-length: %d\r\n\r\n" % length
    return b"transfer-encoding: chunked\r\n\r\n" if is_chunked else b"\r\n"
