"""The server's side of one HTTP/2 connection's streams: responses, windows, resets.

A malformed request is answered 400, and its stream is reset with PROTOCOL_ERROR after that response. RFC
9113 8.1.1 asks for a stream error and allows a response before it; the response says what is wrong. The
reset follows END_STREAM, where clients ignore it, so that no client loses the response.
"""

from functools import partial

from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

from fastpay._native.http2_exchange cimport Http2Channel, Http2Exchange
from fastpay._native.poller cimport Endpoint

from fastpay import limits

cdef Py_ssize_t AHEAD_BYTES = limits.http2_ahead_bytes
cdef Py_ssize_t CREDIT_BYTES = limits.http2_credit_bytes
cdef Py_ssize_t HOLDING_BYTES_MIN = limits.holding_bytes_min
cdef Py_ssize_t PAID_FRAME_BYTES = limits.http2_paid_frame_bytes
cdef Py_ssize_t STREAMS_UNCOUNTED = limits.http2_streams_uncounted
cdef Py_ssize_t WRITE_BUFFER_BYTES = limits.write_buffer_high_bytes

cdef list CONTINUE = [(b":status", b"100")]
cdef str PAYER = "fastpay.payer"

cdef object CANCEL = ErrorCodes.CANCEL
cdef object NO_ERROR = ErrorCodes.NO_ERROR
cdef object PROTOCOL_ERROR = ErrorCodes.PROTOCOL_ERROR


cdef class Http2Owner(Endpoint):
    """What the streams tell their connection."""

    cdef int note_output(self) except -1:
        raise NotImplementedError

    cdef int note_request(self) except -1:
        raise NotImplementedError

    cdef int note_answer(self) except -1:
        raise NotImplementedError

    cdef int note_data(self) except -1:
        raise NotImplementedError


cdef class ServedStreams(Http2Channel):
    """The open streams, and the sending of responses on them."""

    def __init__(self, Http2Owner owner not None, service, codec, client, *, settings, refuse, lingering):
        self.owner = owner
        self.service = service
        self.codec = codec
        self.client = client
        self.refuse = refuse
        self.lingering = lingering
        self.streams = {}
        self.body_seconds = settings.body_timeout_ms / 1000
        self.writable = True

    cdef double now(self) except -1:
        """Return the event loop's time."""
        return self.service.loop.time()

    # Called by exchanges.

    cdef int respond(self, Http2Exchange exchange) except -1:
        """Send the head of a response, and the part of the body that is ready."""
        cdef bint ends = exchange.ends and exchange.pending is None
        if self.lacks(exchange):
            return 0
        if not exchange.has_date:
            exchange.fields.append((b"date", self.service.date_value))
        if not self._send_head(exchange, exchange.fields, ends):
            return 0
        if not ends:
            return self.pump(exchange)
        self._finish(exchange)
        return self.owner.note_output()

    cdef int pump(self, Http2Exchange exchange) except -1:
        """Send as much of a response as the windows allow."""
        self.owner.note_output()
        self._pump(exchange)
        if exchange.pending is not None or exchange.holding is not None:
            self.hold(exchange)
        return 0

    cdef int _pump(self, Http2Exchange exchange) except -1:
        cdef Py_ssize_t size
        cdef bint ends
        while exchange.pending is not None and not self.lacks(exchange):
            size = self._sendable(exchange)
            if size <= 0:
                exchange.pending_since = exchange.pending_since or self.now()
                return 0
            ends = exchange.ends and size == len(exchange.pending)
            if not self._send_data(exchange, exchange.take_pending(size), ends):
                return 0
            exchange.pending_since = 0.0 if exchange.pending is None else self.now()
            if ends or size >= PAID_FRAME_BYTES:
                self.owner.note_data()
            if ends:
                return self._finish(exchange)
        if self.lacks(exchange):
            return 0
        if not exchange.ends:
            return exchange.drained()
        try:
            self.codec.end_stream(exchange.number)
        except ProtocolError:
            return self._forget(exchange)
        return self._finish(exchange)

    cdef int pump_all(self) except -1:
        """Send as much of all responses as the windows allow, one frame of each stream at a time."""
        cdef Http2Exchange exchange
        for exchange in list(self.streams.values()):
            if exchange.pending is not None:
                self.pump(exchange)
        return 0

    cdef bint pump_more(self) except -1:
        """Send more after the output buffer was taken out; return False if nothing waited for it."""
        if not self.is_full or not self.writable:
            return False
        self.is_full = False
        self.pump_all()
        return True

    cdef Py_ssize_t _sendable(self, Http2Exchange exchange) except -1:
        cdef Py_ssize_t window
        if not self.writable:
            return 0
        if <Py_ssize_t>self.codec.output_bytes >= WRITE_BUFFER_BYTES:
            # The buffer must be written first: only the transport knows whether the client reads.
            self.is_full = True
            return 0
        try:
            window = self.codec.local_flow_control_window(exchange.number)
        except ProtocolError:
            self._forget(exchange)
            return 0
        # A window may be negative (RFC 9113 6.9.2).
        window = min(window, <Py_ssize_t>self.codec.max_outbound_frame_size, exchange.unsent_bytes())
        return max(window, 0)

    cdef int want_body(self, Http2Exchange exchange, Py_ssize_t count) except -1:
        """Open the stream's window by the bytes that its handler has read."""
        if self.lacks(exchange) or exchange.input_ended:
            return 0
        if exchange.expects and not exchange.body_bytes:
            self._send_head(exchange, CONTINUE, False)
        exchange.expects = False
        if count >= AHEAD_BYTES:
            # The window was closed because the handler did not read. The client gets a new deadline.
            exchange.body_due = self.now() + self.body_seconds
        self.open_window(exchange, count)
        return self.owner.note_output()

    # Bytes that streams hold.

    cdef int hold(self, Http2Exchange exchange) except -1:
        """Count the bytes of a stream, and refuse the stream if they are too many."""
        cdef Py_ssize_t size
        cdef int reason
        budget = self.service.bytes_budget
        if budget is None or self.lacks(exchange):
            return 0
        size = exchange.held_bytes()
        holding = exchange.holding
        if holding is None:
            if size <= HOLDING_BYTES_MIN and len(self.streams) <= STREAMS_UNCOUNTED:
                return 0
            holding = exchange.holding = budget.open(
                partial(self.give_up, exchange), self.payers_of(exchange.scope)
            )
        payer = exchange.scope.get(PAYER)
        if payer is not None:
            holding.charge_to(payer)
        if exchange.body_complete and exchange.pending is None:
            holding.pin()
        else:
            holding.unpin()
        # A stream has a cost of its own, even without a body.
        reason = holding.resize(max(size, HOLDING_BYTES_MIN))
        if reason:
            self.give_up(exchange, reason)
        return 0

    def give_up(self, Http2Exchange exchange not None, int reason):
        """Refuse a stream because of its bytes; reset it if the client does not read the response at once."""
        if not self.lacks(exchange):
            self.decline(exchange, reason)
        if not self.lacks(exchange):
            self.reset(exchange, CANCEL)
        exchange.body = exchange.pending = None
        self.owner.note_output()

    cdef tuple payers_of(self, dict scope):
        """Return the accounts that bytes are charged to, by the address of the connection or request."""
        client = self.client if scope is None else scope["client"]
        return (self.service.group_of(client[0] if client else None),)

    # Ends of streams.

    cdef bint lacks(self, Http2Exchange exchange) except -1:
        return self.streams.get(exchange.number) is not exchange

    cdef int _forget(self, Http2Exchange exchange) except -1:
        """Let go of a stream that the codec has closed: the client has reset it in the same packet."""
        self.streams.pop(exchange.number, None)
        return exchange.lose()

    cdef bint _send_head(self, Http2Exchange exchange, list fields, bint ends) except -1:
        try:
            self.codec.send_headers(exchange.number, fields, ends)
        except ProtocolError:
            self._forget(exchange)
            return False
        return True

    cdef bint _send_data(self, Http2Exchange exchange, bytes data, bint ends) except -1:
        try:
            self.codec.send_data(exchange.number, data, ends)
        except ProtocolError:
            self._forget(exchange)
            return False
        return True

    cdef int open_window(self, Http2Exchange exchange, Py_ssize_t count) except -1:
        # Credit is given in large steps, so that small frames do not cause one WINDOW_UPDATE each.
        exchange.window_owed += count
        if exchange.window_owed >= CREDIT_BYTES:
            self.credit_stream(exchange.number, exchange.window_owed)
            exchange.window_owed = 0
        return 0

    cdef int credit_stream(self, object number, Py_ssize_t count) except -1:
        # The client may have ended or reset the stream in the same packet, so that the codec no longer
        # knows it.
        try:
            self.codec.increment_flow_control_window(count, number)
        except (ProtocolError, KeyError):
            pass
        return 0

    cdef int decline(self, Http2Exchange exchange, int reason) except -1:
        """Answer with a refusal, or reset the stream of a response that has begun."""
        cdef int status
        cdef list fields
        cdef bytes body
        status, fields, body = self.refuse(reason)
        exchange.malformed = status == 400
        if exchange.head_sent:
            return self.reset(exchange, PROTOCOL_ERROR if exchange.malformed else CANCEL)
        exchange.fields = fields
        exchange.status = status
        exchange.has_date = False
        exchange.head_sent = exchange.ends = True
        exchange.pending = None if exchange.is_head else body
        self.respond(exchange)
        return exchange.lose()

    cdef int reset(self, Http2Exchange exchange, object code) except -1:
        self._forget(exchange)
        try:
            self.codec.reset_stream(exchange.number, code)
        except ProtocolError:
            pass
        return self.owner.note_output()

    cdef int _finish(self, Http2Exchange exchange) except -1:
        self.streams.pop(exchange.number, None)
        if not exchange.input_ended:
            self.lingering.add(
                exchange.number, self.now(), PROTOCOL_ERROR if exchange.malformed else NO_ERROR
            )
            # The bytes that no handler has read.
            self.throw_away(exchange.number, exchange.unread_bytes() + exchange.window_owed)
        elif exchange.malformed:
            self.codec.reset_answered(exchange.number, PROTOCOL_ERROR)
        exchange.let_go()
        exchange.drained()
        return 0 if exchange.malformed else self.owner.note_answer()

    cdef int throw_away(self, object number, Py_ssize_t count) except -1:
        """Discard bytes of a stream that is answered, and give them back to its window, up to a bound."""
        taken = self.lingering.take(number, count) if count else None
        if taken:
            self.credit_stream(number, count)
            return self.owner.note_output()
        return 0 if taken is None else self.stop_lingering(number)

    cdef int stop_lingering(self, object number) except -1:
        code = self.lingering.remove(number)
        try:
            self.codec.reset_stream(number, code or NO_ERROR)
        except ProtocolError:
            pass
        return self.owner.note_output()
