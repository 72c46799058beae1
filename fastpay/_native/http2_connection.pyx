"""HTTP/2 on one connection: its bytes, its deadlines and its end.

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

import logging
import struct

from h2.errors import ErrorCodes

cimport cython
from cpython.bytes cimport PyBytes_GET_SIZE

from fastpay._native.http2_budget cimport Budget
from fastpay._native.http2_guard cimport Guard
from fastpay._native.http2_sending cimport Http2Owner

from fastpay import limits

logger = logging.getLogger(__name__)

cdef object ENHANCE_YOUR_CALM = ErrorCodes.ENHANCE_YOUR_CALM
cdef object INTERNAL_ERROR = ErrorCodes.INTERNAL_ERROR
cdef object NO_ERROR = ErrorCodes.NO_ERROR

# RFC 9113 6.8: eight bytes of GOAWAY for stream 0.
cdef bytes GOAWAY_HEAD = b"\0\0\x08\x07\0\0\0\0\0"


@cython.final
cdef class Http2Connection(Http2Owner):
    """Carries bytes between a transport and the guard, and keeps the connection's deadlines."""

    def __init__(self, service, settings, *, policy, codec, refuse, lingering):
        self.service = service
        self.settings = settings
        self.policy = policy
        self.codec = codec
        self.refuse = refuse
        self.lingering = lingering
        self.idle_since = self.now()
        self.budget = Budget(self.idle_since)
        self.read_on_left = settings.linger_bytes_max

    cdef double now(self) except -1:
        return self.service.loop.time()

    # Called by the transport.

    def connection_made(self, transport):
        self.transport = transport
        self.service.enter()
        self.entered = True
        if self.peer is not None:
            self.service.peers.join(self, self.peer)
        # The server finds the connection there when it drains.
        self.service.http2_connections.add(self)
        self.service.wheel.add(self)
        self._watch()
        address = transport.get_extra_info("peername")
        self.guard = Guard(
            self,
            self.service,
            self.codec,
            (address[0], address[1]) if isinstance(address, tuple) else None,
            settings=self.settings,
            refuse=self.refuse,
            lingering=self.lingering,
            policy=self.policy,
        )
        self.codec.initiate_connection()
        self.flush()

    def connection_lost(self, error):
        cdef Guard guard = self.guard
        self.closing = True
        self.transport = None
        self._leave()
        self.guard = None
        if guard is not None:
            guard.lose()

    def data_received(self, bytes data not None):
        self.received(data)

    cdef int received(self, bytes data) except -1:
        """Read frames, up to the client's budget."""
        cdef Guard guard = self.guard
        cdef Py_ssize_t paid
        if self.dismissed:
            self.read_on_left -= PyBytes_GET_SIZE(data)
            if self.read_on_left < 0:
                self.abort()
            return 0
        if self.closing or guard is None:
            return 0
        if self.ending is not None:
            return self._read_on(data)
        paid = self.budget.take_in(data, self.now())
        self.busy = True
        try:
            fault = guard.take_in(data if paid < 0 else data[:paid])
        except Exception:
            # A bug here or in the codec ends this connection only.
            logger.exception("connection_failed")
            fault = INTERNAL_ERROR
        finally:
            self.busy = False
        if fault is None:
            if paid < 0:
                self.flush()
                return 0
            fault = ENHANCE_YOUR_CALM
        self._send_away(fault)
        return self._read_on(data[paid:] if paid >= 0 else b"")

    cdef int _read_on(self, bytes data) except -1:
        """Read the frames that open windows for the last responses, up to a bound."""
        cdef Guard guard = self.guard
        self.read_on_left -= PyBytes_GET_SIZE(data)
        if self.read_on_left < 0 or self.closing or guard is None:
            return 0
        if not self.budget.take_windows(guard.read_on(data), self.now()):
            self.read_on_left = 0
        self.flush()
        return 0

    def eof_received(self):
        """Answer the complete requests, as over HTTP/1.1; TLS has no half-closed connections."""
        self.input_ended = True
        if self.closing or self.guard is None or not self.guard.streams:
            return False
        if self.transport is None or not self.transport.can_write_eof():
            return False
        self._end(NO_ERROR)
        return True

    cdef tuple payers(self):
        cdef Guard guard = self.guard
        return () if guard is None else guard.payers_of(None)

    def pause_writing(self):
        """Record since when the client does not read."""
        self.paused_since = self.now()
        if self.guard is not None:
            self.guard.writable = False

    def resume_writing(self):
        cdef Guard guard = self.guard
        self.paused_since = 0.0
        if guard is not None:
            guard.writable = True
            guard.pump_all()
        self.flush()

    # Called by the guard.

    cdef int note_output(self) except -1:
        """Write at the end of this turn of the loop, so that all responses of a turn leave in one write."""
        if not self.busy and not self.flush_scheduled:
            self.flush_scheduled = True
            self.service.loop.call_soon(self.flush)
        return 0

    cdef int note_request(self) except -1:
        if self.peer is not None:
            self.peer.work(self)
        return 0

    cdef int note_answer(self) except -1:
        return self.budget.earn_request()

    cdef int note_data(self) except -1:
        return self.budget.earn_data()

    # Called by the server, too.

    def flush(self):
        cdef Guard guard = self.guard
        cdef bytes data
        transport = self.transport
        self.flush_scheduled = False
        if guard is None or transport is None or self.closing:
            return
        while True:
            data = self.codec.data_to_send()
            if not data:
                break
            transport.write(data)
            if not guard.pump_more():
                break
        resets, dropped = self.codec.take_wasted()
        if (resets or dropped) and not self.budget.pay(resets, dropped, self.now()):
            self._send_away(ENHANCE_YOUR_CALM)
        elif guard.streams:
            self.idle_since = 0.0
        elif self.ending is not None:
            self._say_goodbye(self.ending)
        elif guard.terminated:
            self._linger() if self.goodbye_sent else self._say_goodbye(NO_ERROR)
        elif self.service.retiring and guard.last_stream:
            # The first request of a new connection is on its way, and some clients give it up at a GOAWAY.
            self._dismiss()
        else:
            self.idle_since = self.idle_since or self.now()
            self.service.peers.note_waiting(self)

    def retire(self):
        if self.dismissed:
            self._linger()
        elif not self.closing:
            self._write_goodbye(NO_ERROR)
            self.flush()

    def abort(self):
        self.closing = True
        if self.transport is not None:
            self.transport.abort()

    # Its end.

    cdef int evict(self) except -1:
        """Close at once, to make room for another connection."""
        self._leave()
        self.abort()
        return 0

    cdef int _leave(self) except -1:
        if self.entered:
            self.entered = False
            self.service.http2_connections.discard(self)
            self.service.wheel.drop(self)
            self.service.peers.leave(self)
            self.service.leave()
        return 0

    cdef int _send_away(self, object code) except -1:
        if self.ending is None:
            logger.info("http2_connection_ended", extra={"fields": {"code": code.name}})
            self._end(code)
        return 0

    cdef int _end(self, object code) except -1:
        """Accept no more requests, and send GOAWAY when all complete ones are answered."""
        cdef Guard guard = self.guard
        cdef double now
        if guard is not None and self.ending is None:
            self.ending = code
            now = self.now()
            self.ending_due = now + self.settings.drain_timeout_ms / 1000
            self.budget.begin_anew(now)
            guard.give_up_incomplete()
            self.flush()
        return 0

    cdef int _dismiss(self) except -1:
        """Send GOAWAY, and leave it to the client to close; it may find the GOAWAY only later."""
        self._write_goodbye(NO_ERROR)
        self.closing = self.dismissed = True
        self.service.wheel.set_deadline(self, self.settings.idle_timeout_ms / 1000)
        self.service.peers.note_waiting(self)
        return 0

    cdef int _say_goodbye(self, object code) except -1:
        cdef Guard guard = self.guard
        self._write_goodbye(code)
        if guard is not None:
            guard.lose()
        return self._linger()

    cdef int _write_goodbye(self, object code) except -1:
        """Send GOAWAY; running requests continue."""
        cdef Guard guard = self.guard
        if guard is not None and self.transport is not None:
            self.goodbye_sent = True
            guard.terminated = True
            self.transport.write(GOAWAY_HEAD + struct.pack(">LL", guard.last_stream, code))
        return 0

    cdef int _linger(self) except -1:
        """Discard input for a while before closing: a reset must not overtake the GOAWAY."""
        if self.transport is None or (self.closing and not self.dismissed):
            return 0
        self.closing, self.dismissed = True, False
        self.service.wheel.set_deadline(self, self.settings.linger_timeout_ms / 1000)
        if self.input_ended or not self.transport.can_write_eof():
            # No more input can come; or TLS, whose close waits for the other side's close_notify.
            self.transport.close()
        else:
            self.transport.write_eof()
        return 0

    # Deadlines.

    cdef int expire(self) except -1:
        cdef Guard guard = self.guard
        cdef double now = self.now()
        if self.dismissed:
            return self._linger()
        if self.closing or guard is None:
            self.abort()
            return 0
        if self.paused_since and now - self.paused_since >= self.settings.write_timeout_ms / 1000:
            self.abort()
            return 0
        if self.idle_since and now - self.idle_since >= self.settings.idle_timeout_ms / 1000:
            return self._end(NO_ERROR)
        if self.ending is not None and now >= self.ending_due:
            return self._say_goodbye(self.ending)
        if not guard.check_deadlines():
            self._end(NO_ERROR)
        if not guard.has_work():
            self.service.peers.note_waiting(self)
        self.flush()
        return 0 if self.closing else self._watch()

    cdef int _watch(self) except -1:
        settings = self.settings
        period = min(
            limits.http2_check_ms,
            settings.head_timeout_ms,
            settings.body_timeout_ms,
            settings.idle_timeout_ms,
            settings.write_timeout_ms,
            settings.linger_timeout_ms,
            settings.drain_timeout_ms,
        )
        self.service.wheel.set_deadline(self, period / 1000)
        return 0
