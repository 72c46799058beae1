"""The client's side of one HTTP/2 connection: requests, bodies and deadlines.

Each has a test in tests/transport/test_http2_*.py:

- Late DATA for an answered stream is dropped and does not affect other streams.
- CONNECT is answered 501.
- A body that no handler reads closes only its own window.
- Bodies and writes have deadlines.
- Control frames and resets, also those that a client provokes, are paid from a budget.
- No number of requests ends a connection.
- All frames of one turn of the loop leave in one write.
"""

import logging

from h2.errors import ErrorCodes

from fastpay._native.awaitables cimport DONE, Later
from fastpay._native.histograms cimport monotonic
from fastpay._native.http2_events cimport (
    CONTENT,
    REQUEST,
    RESET,
    SETTINGS_CHANGED,
    TERMINATED,
    TRAILERS,
    WINDOW_OPENED,
)
from fastpay._native.http2_exchange cimport Http2Exchange
from fastpay._native.http2_request cimport Reading
from fastpay._native.http2_sending cimport ServedStreams

from fastpay import limits
from fastpay._native.http2_request import LENGTH_DIFFERENT, TRAILERS_REFUSED
from fastpay._native.service import BODY_TIMEOUT, HANDLER_FAILED, log_failure

logger = logging.getLogger(__name__)

cdef enum:
    BODY_TOO_LARGE = 18

cdef Py_ssize_t AHEAD_BYTES = limits.http2_ahead_bytes
cdef int REFUSED_LENGTH = LENGTH_DIFFERENT
cdef int REFUSED_TRAILERS = TRAILERS_REFUSED
cdef int TIMED_OUT = BODY_TIMEOUT
cdef int FAILED = HANDLER_FAILED

cdef object CANCEL = ErrorCodes.CANCEL
cdef object INTERNAL_ERROR = ErrorCodes.INTERNAL_ERROR
cdef object PROTOCOL_ERROR = ErrorCodes.PROTOCOL_ERROR
cdef object REFUSED_STREAM = ErrorCodes.REFUSED_STREAM


cdef class Guard(ServedStreams):
    """The state of one HTTP/2 connection between its codec and the application."""

    def __init__(self, owner, service, codec, client, *, settings, refuse, lingering, policy):
        super().__init__(
            owner, service, codec, client, settings=settings, refuse=refuse, lingering=lingering
        )
        self.policy = policy
        self.ready = []
        self.head_seconds = settings.head_timeout_ms / 1000
        self.write_seconds = settings.write_timeout_ms / 1000
        self.body_bytes_max = settings.body_bytes_max

    cdef object take_in(self, bytes data):
        """Read bytes and start handlers; return the error that ends the connection, if there is one.

        Requests that were complete before the error are started.
        """
        cdef Http2Exchange exchange
        cdef list events, ready
        events, fault = self.codec.read(data)
        for event in events:
            self._dispatch(<tuple>event)
        if self.credit >= AHEAD_BYTES:
            self.codec.increment_flow_control_window(self.credit)
            self.credit = 0
        if self.ready:
            ready, self.ready = self.ready, []
            for exchange in ready:
                # A reset in the same packet: the handler is not needed.
                if not exchange.lost:
                    self._run(exchange)
        if not self.codec.in_block:
            self.block_due = 0.0
        elif not self.block_due:
            self.block_due = self.now() + self.head_seconds
        return fault

    cdef Py_ssize_t read_on(self, bytes data) except -1:
        """Read the frames that open windows for the remaining responses; return how many there were."""
        cdef list events = self.codec.read_on(data)
        for event in events:
            self._dispatch(<tuple>event)
        return len(events)

    cdef int give_up_incomplete(self) except -1:
        """Reset the incomplete requests; the others continue to their responses."""
        cdef Http2Exchange exchange
        self.terminated = True
        for exchange in list(self.streams.values()):
            if not exchange.body_complete:
                # RFC 9113 8.7: REFUSED_STREAM if no handler has seen any of it, so that the client may send
                # it again.
                self.reset(exchange, CANCEL if exchange.running or exchange.head_sent else REFUSED_STREAM)
        return 0

    cdef int lose(self) except -1:
        """Tell all handlers that the connection is gone."""
        cdef Http2Exchange exchange
        cdef dict streams = self.streams
        self.streams = {}
        for exchange in streams.values():
            exchange.lose()
        return 0

    cdef bint check_deadlines(self) except -1:
        """End slow streams; return False if the connection itself is too slow.

        A sender has one deadline for a whole body, as over HTTP/1.1. The time of a slow handler does not
        count: while many bytes are unread and the window is closing, the deadline is not enforced.
        """
        cdef Http2Exchange exchange
        cdef double now = self.now()
        cdef bint late
        for exchange in list(self.streams.values()):
            late = not exchange.body_complete and exchange.body_due and now >= exchange.body_due
            if late and exchange.unread_bytes() < AHEAD_BYTES:
                self.decline(exchange, TIMED_OUT)
            elif exchange.pending is not None and now - exchange.pending_since >= self.write_seconds:
                self.reset(exchange, CANCEL)
        for number in self.lingering.find_overdue(now):
            self.stop_lingering(number)
        return not self.block_due or now < self.block_due

    cdef bint has_work(self) except -1:
        """Return whether a complete request waits for its response."""
        cdef Http2Exchange exchange
        for exchange in self.streams.values():
            if exchange.body_complete:
                return True
        return False

    cdef int handler_done(self, Http2Exchange exchange, object error) except -1:
        """Answer 500, or reset the stream, if a handler ended without a complete response."""
        exchange.running = False
        self._conclude(exchange, error)
        if exchange.ends and exchange.status and self.service.request_times is not None:
            self.service.time_request(
                exchange.route, exchange.scope, True, exchange.status, exchange.begun_ns
            )
        return 0

    cdef int _conclude(self, Http2Exchange exchange, object error) except -1:
        if exchange.holding is not None:
            if self.lacks(exchange):
                exchange.let_go()
            else:
                self.hold(exchange)
        if error is not None:
            log_failure(error, exchange.lost)
        elif exchange.ends and exchange.head_sent:
            return 0
        elif not exchange.ends and not exchange.lost:
            logger.error("response_omitted")
        if self.lacks(exchange):
            return 0
        if not exchange.head_sent:
            return self.decline(exchange, FAILED)
        return 0 if exchange.ends else self.reset(exchange, INTERNAL_ERROR)

    # Events of the codec.

    cdef int _dispatch(self, tuple event) except -1:
        cdef int kind = event[0]
        cdef object number = event[1]
        cdef bint ends = event[4]
        cdef Http2Exchange exchange
        if kind == REQUEST:
            self._begin_request(number, event[2], ends)
        elif kind == CONTENT:
            self._take_data(number, event[2], event[3], ends)
        elif kind == TRAILERS:
            self._take_trailers(number, event[2], ends)
        elif kind == RESET:
            self.lingering.remove(number)
            exchange = self.streams.pop(number, None)
            if exchange is not None:
                exchange.lose()
        elif kind == WINDOW_OPENED and number:
            exchange = self.streams.get(number)
            if exchange is not None and exchange.pending is not None:
                self.pump(exchange)
        elif kind == WINDOW_OPENED or kind == SETTINGS_CHANGED:
            self.pump_all()
        elif kind == TERMINATED:
            self.terminated = True
        return self._end_request(number) if ends else 0

    cdef int _begin_request(self, object number, list fields, bint ends) except -1:
        cdef Http2Exchange exchange = Http2Exchange.__new__(Http2Exchange)
        cdef Reading reading
        cdef dict scope
        exchange.channel = self
        exchange.number = number
        if self.terminated:
            return self.reset(exchange, REFUSED_STREAM)
        self.last_stream = max(self.last_stream, <long long>number)
        scope = exchange.scope = self.service.template.copy()
        scope["http_version"] = "2"
        scope["client"] = self.client
        reading = self.policy.build(fields, scope)
        self.streams[number] = exchange
        exchange.is_head = exchange.bodiless = scope["method"] == "HEAD"
        exchange.begun_ns = monotonic()
        exchange.expects = reading.expects_continue
        exchange.length = reading.length
        exchange.input_ended = ends
        if not ends:
            exchange.body_due = self.now() + self.body_seconds
        if reading.fault:
            return self.decline(exchange, reading.fault)
        if self.service.state is not None:
            scope["state"] = self.service.state.copy()
        if self.service.forwarded is not None:
            self.service.forwarded(scope)
        exchange.head_bytes = reading.head_bytes
        self.hold(exchange)
        if exchange.expects and not ends:
            self.want_body(exchange, 0)
        return 0

    cdef int _take_data(self, object number, bytes content, Py_ssize_t size, bint ends) except -1:
        # The connection's window is always given back, so that one stream cannot starve another. A stream's
        # own window is given back only when its handler reads.
        cdef Http2Exchange exchange = self.streams.get(number)
        cdef Py_ssize_t padding = size - len(content)
        self.credit += size
        if exchange is None:
            return self.throw_away(number, size)
        exchange.input_ended = ends
        if exchange.lost:
            # It was refused, and the refusal waits for a window.
            exchange.window_owed += size
            return 0
        exchange.feed(content)
        if exchange.body_bytes > self.body_bytes_max:
            return self.decline(exchange, BODY_TOO_LARGE)
        if 0 <= exchange.length < exchange.body_bytes:
            return self.decline(exchange, REFUSED_LENGTH)
        if padding and not exchange.input_ended:
            self.open_window(exchange, padding)
        self.hold(exchange)
        return self._schedule(exchange) if exchange.unread_bytes() >= AHEAD_BYTES else 0

    cdef int _take_trailers(self, object number, list fields, bint ends) except -1:
        cdef Http2Exchange exchange = self.streams.get(number)
        cdef int fault
        if exchange is None:
            return 0
        fault = self.policy.judge_trailers(fields)
        if not fault and not ends:
            fault = REFUSED_TRAILERS
        # Nothing may follow trailers, whether they have END_STREAM or not (RFC 9113 8.1).
        exchange.input_ended = True
        return self.decline(exchange, fault) if fault else 0

    cdef int _end_request(self, object number) except -1:
        cdef Http2Exchange exchange = self.streams.get(number)
        if exchange is None:
            if self.lingering.remove(number):
                self.codec.reset_answered(number, PROTOCOL_ERROR)
            return 0
        if exchange.lost:
            # Its client is told that it was refused, so no handler may get a whole body any more.
            return 0
        if exchange.length != -1 and exchange.length != exchange.body_bytes:
            # RFC 9113 8.1.1. The request may have no body at all, or end with trailers.
            return self.decline(exchange, REFUSED_LENGTH)
        exchange.finish_body()
        if exchange.holding is not None:
            # From here on the request may have an effect, so it must not be refused as retryable.
            exchange.holding.pin()
        self.owner.note_request()
        return self._schedule(exchange)

    cdef int _schedule(self, Http2Exchange exchange) except -1:
        if not exchange.scheduled and not exchange.head_sent:
            exchange.scheduled = True
            self.ready.append(exchange)
        return 0

    cdef int _run(self, Http2Exchange exchange) except -1:
        self.service.request_count += 1
        # Not before: a stream that is lost until then has no handler, whose end would release its bytes.
        exchange.running = True
        exchange.is_plain = exchange.body_complete and not exchange.body_bytes
        try:
            coroutine = self.service.app(exchange.scope, exchange.bind_receive(), exchange.bind_send())
        except Exception as error:  # whatever an application raises is answered 500
            return self.handler_done(exchange, error)
        return self.start(exchange, coroutine)

    cdef int start(self, Http2Exchange exchange, object coroutine) except -1:
        """Run what the application returned; `handler_done` is called at its end."""
        if coroutine is DONE:
            return self.handler_done(exchange, None)
        if type(coroutine) is not Later:
            # A Later ends the exchange by itself.
            self.service.runner.start(exchange, coroutine)
        return 0
