"""HTTP/2 on one connection; `create_factory` is the whole interface to it.

A connection passes through these states and never goes back:

    serving   -> answering   a connection error, a spent budget, the end of input, or too long idle
    serving   -> dismissed   no request is open, and another process takes the new connections: GOAWAY
    answering -> lingering   every complete request is answered, or drain_timeout_ms are over: GOAWAY
    dismissed -> lingering   the server stops, or idle_timeout_ms are over
    dismissed -> closed      the client closes
    lingering -> closed      the client closes too, or linger_timeout_ms are over

Responses leave before the GOAWAY: many clients read nothing after it, and a committed payment must get its
response although another request was at fault. RFC 9113 5.4.1 asks for a GOAWAY before the end of the
connection, not for an immediate one.

Some clients (httpx) read nothing while they are idle. They write their next request before they find the
GOAWAY, and send it again only if they could write all of it. So a dismissed connection stays open.
"""

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import Any, cast

from h2.errors import ErrorCodes

from fastpay import limits
from fastpay._native.http2_request import RequestPolicy
from fastpay._native.peers import Guest, Peer
from fastpay._native.service import Service
from fastpay.server.http2_budget import Budget
from fastpay.server.http2_events import Http2Codec
from fastpay.server.http2_guard import GuardedH2

logger = logging.getLogger(__name__)


def create_factory(
    settings: Any, create_codec: Callable[[], Http2Codec], request_id: Callable[[], str]
) -> Callable[[Service], "Http2Connection"]:
    """Return a factory of protocols for connections that are known to speak HTTP/2.

    `request_id` makes identifiers for responses that the application does not see.
    """
    policy = RequestPolicy(settings)
    return lambda service: Http2Connection(service, settings, policy, create_codec, request_id)


class Http2Connection(asyncio.Protocol):
    """Carries bytes between a transport and the guarded protocol, and keeps the connection's deadlines."""

    def __init__(
        self,
        service: Service,
        settings: Any,
        policy: RequestPolicy,
        create_codec: Callable[[], Http2Codec],
        request_id: Callable[[], str],
    ) -> None:
        self._service = service
        self._settings = settings
        self._policy = policy
        self._create_codec = create_codec
        self._request_id = request_id
        self._transport: asyncio.Transport | None = None
        self._guard: GuardedH2 | None = None
        self._budget = Budget(service.loop.time())
        # The code that hands the connection over sets it, if the peer is known.
        self.peer: Peer | None = None
        self._node = Guest(self._expire, self._evict)
        self._entered = False
        self._idle_since = service.loop.time()
        self._paused_since = 0.0
        self._closing = False
        self._dismissed = False
        self._goodbye_sent = False
        # The reason why the connection ends once everything is answered, and the latest time for it.
        self._ending: ErrorCodes | None = None
        self._ending_due = 0.0
        self._read_on_left = settings.linger_bytes_max
        self._input_ended = False
        self._busy = False
        self._flush_scheduled = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection, and send the server's settings."""
        self._transport = cast(asyncio.Transport, transport)
        self._service.enter()
        self._entered = True
        if self.peer is not None:
            self._service.peers.enter(self._node, self.peer)
        # The server finds the connection there when it drains.
        self._service.http2_connections.add(self)
        self._service.wheel.join(self._node)
        self._watch()
        address = transport.get_extra_info("peername")
        client = (address[0], address[1]) if isinstance(address, tuple) else None
        codec = self._create_codec()
        guard = self._guard = GuardedH2(self._service, self._settings, self._policy, codec, client)
        guard.on_output = self._schedule_flush
        guard.on_request_begin = self._note_working
        guard.on_request_end = self._budget.earn_request
        guard.on_data = self._budget.earn_data
        guard.request_id = self._request_id
        guard.begin()
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the handlers that the client is gone."""
        self._closing = True
        self._transport = None
        self._leave()
        if self._guard is not None:
            self._guard.lose()
            self._guard = None

    def data_received(self, data: bytes) -> None:
        """Read frames, up to the client's budget."""
        guard = self._guard
        if self._dismissed:
            self._read_on_left -= len(data)
            if self._read_on_left < 0:
                self.abort()
            return
        if self._closing or guard is None:
            return
        if self._ending is not None:
            self._read_on(guard, data)
            return
        paid = self._budget.take_in(data, self._service.loop.time())
        self._busy = True
        try:
            fault = guard.take_in(data if paid < 0 else data[:paid])
        except Exception:
            # A bug here or in the codec ends this connection only.
            logger.exception("connection_failed")
            fault = ErrorCodes.INTERNAL_ERROR
        finally:
            self._busy = False
        if fault is None and paid >= 0:
            fault = ErrorCodes.ENHANCE_YOUR_CALM
        if fault is None:
            self.flush()
        else:
            self._send_away(fault)
            self._read_on(guard, data[paid:] if paid >= 0 else b"")

    def _read_on(self, guard: GuardedH2, data: bytes) -> None:
        """Read the frames that open windows for the last responses, up to a bound."""
        self._read_on_left -= len(data)
        if self._read_on_left < 0 or self._closing:
            return
        if not self._budget.take_windows(guard.read_on(data), self._service.loop.time()):
            self._read_on_left = 0
        self.flush()

    def eof_received(self) -> bool:
        """Answer the complete requests, as over HTTP/1.1; TLS has no half-closed connections."""
        self._input_ended = True
        guard, transport = self._guard, self._transport
        if self._closing or guard is None or not guard.streams:
            return False
        if transport is None or not transport.can_write_eof():
            return False
        self._end(ErrorCodes.NO_ERROR)
        return True

    def payers(self) -> tuple[Hashable, ...]:
        """Return the accounts that unread bytes of this connection are charged to."""
        return () if self._guard is None else self._guard.payers()

    def pause_writing(self) -> None:
        """Record since when the client does not read."""
        self._paused_since = self._service.loop.time()
        if self._guard is not None:
            self._guard.writable = False

    def resume_writing(self) -> None:
        """Continue to send."""
        self._paused_since = 0.0
        if self._guard is not None:
            self._guard.writable = True
            self._guard.pump_all()
        self.flush()

    def _schedule_flush(self) -> None:
        """Write at the end of this turn of the loop, so that all responses of a turn leave in one write."""
        if not self._busy and not self._flush_scheduled:
            self._flush_scheduled = True
            self._service.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write the pending bytes, then decide whether the connection goes on."""
        self._flush_scheduled = False
        guard, transport = self._guard, self._transport
        if guard is None or transport is None or self._closing:
            return
        while data := guard.take_out():
            transport.write(data)
            guard.pump_more()
        resets, dropped = guard.take_wasted()
        if not self._budget.pay(resets=resets, dropped=dropped, now=self._service.loop.time()):
            self._send_away(ErrorCodes.ENHANCE_YOUR_CALM)
        elif guard.streams:
            self._idle_since = 0.0
        elif self._ending is not None:
            self._say_goodbye(self._ending)
        elif guard.terminated:
            self._linger() if self._goodbye_sent else self._say_goodbye(ErrorCodes.NO_ERROR)
        elif self._service.retiring and guard.last_stream:
            # The first request of a new connection is on its way, and some clients give it up at a GOAWAY.
            self._dismiss()
        else:
            self._idle_since = self._idle_since or self._service.loop.time()
            self._service.peers.note_waiting(self._node)

    def retire(self) -> None:
        """Accept no new requests, and close when the running ones are answered."""
        if self._dismissed:
            self._linger()
        elif not self._closing:
            self._write_goodbye(ErrorCodes.NO_ERROR)
            self.flush()

    def abort(self) -> None:
        """Drop the connection and everything in flight on it."""
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    def _note_working(self) -> None:
        self._service.peers.note_working(self._node)

    def _evict(self) -> None:
        """Close at once, to make room for another connection."""
        self._leave()
        self.abort()

    def _leave(self) -> None:
        if self._entered:
            self._entered = False
            self._service.http2_connections.discard(self)
            self._service.wheel.leave(self._node)
            self._service.peers.exit(self._node)
            self._service.leave()

    def _send_away(self, code: ErrorCodes) -> None:
        if self._ending is None:
            logger.info("http2_connection_ended", extra={"fields": {"code": code.name}})
            self._end(code)

    def _end(self, code: ErrorCodes) -> None:
        """Accept no more requests, and send GOAWAY when all complete ones are answered."""
        if self._guard is not None and self._ending is None:
            self._ending = code
            now = self._service.loop.time()
            self._ending_due = now + self._settings.drain_timeout_ms / 1000
            self._budget.begin_anew(now)
            self._guard.give_up_incomplete()
            self.flush()

    def _dismiss(self) -> None:
        """Send GOAWAY, and leave it to the client to close; it may find the GOAWAY only later."""
        self._write_goodbye(ErrorCodes.NO_ERROR)
        self._closing = self._dismissed = True
        self._service.wheel.set_deadline(self._node, self._settings.idle_timeout_ms / 1000)
        self._service.peers.note_waiting(self._node)

    def _say_goodbye(self, code: ErrorCodes) -> None:
        self._write_goodbye(code)
        if self._guard is not None:
            self._guard.lose()
        self._linger()

    def _write_goodbye(self, code: ErrorCodes) -> None:
        if self._guard is not None and self._transport is not None:
            self._goodbye_sent = True
            self._transport.write(self._guard.goodbye(code))

    def _linger(self) -> None:
        """Discard input for a while before closing: a reset must not overtake the GOAWAY."""
        if self._transport is None or (self._closing and not self._dismissed):
            return
        self._closing, self._dismissed = True, False
        self._service.wheel.set_deadline(self._node, self._settings.linger_timeout_ms / 1000)
        if self._input_ended or not self._transport.can_write_eof():
            # No more input can come; or TLS, whose close waits for the other side's close_notify.
            self._transport.close()
        else:
            self._transport.write_eof()

    def _expire(self) -> None:
        guard, now = self._guard, self._service.loop.time()
        if self._dismissed:
            self._linger()
            return
        if self._closing or guard is None:
            self.abort()
            return
        if self._paused_since and now - self._paused_since >= self._settings.write_timeout_ms / 1000:
            self.abort()
            return
        if self._idle_since and now - self._idle_since >= self._settings.idle_timeout_ms / 1000:
            self._end(ErrorCodes.NO_ERROR)
            return
        if self._ending is not None and now >= self._ending_due:
            self._say_goodbye(self._ending)
            return
        if not guard.check_deadlines():
            self._end(ErrorCodes.NO_ERROR)
        if not any(stream.body_complete for stream in guard.streams.values()):
            self._service.peers.note_waiting(self._node)
        self.flush()
        if not self._closing:
            self._watch()

    def _watch(self) -> None:
        settings = self._settings
        period = min(
            limits.http2_check_ms,
            settings.head_timeout_ms,
            settings.body_timeout_ms,
            settings.idle_timeout_ms,
            settings.write_timeout_ms,
            settings.linger_timeout_ms,
            settings.drain_timeout_ms,
        )
        self._service.wheel.set_deadline(self._node, period / 1000)
