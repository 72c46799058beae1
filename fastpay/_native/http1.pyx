"""The HTTP/1.1 protocol of one connection.

A connection is in one of these states:

    idle        no bytes, no exchange, no Reading: only the connection object exists
    head        a part of a head has arrived, and the head deadline runs
    body        the exchange exists, its body is arriving, and the body deadline runs
    handler     the request is complete; the application works without a deadline of the connection
    writing     the client does not read fast enough; the write deadline runs, in any of the other states
    lingering   the last response is written; input is discarded for a while, because closing would reset the
                connection and destroy the response in flight (RFC 9112 9.6)

Invariants:

- One exchange at a time: the bytes of the next request wait in the buffer until the response is complete,
  so that responses leave in the order of their requests (RFC 9112 9.3.2).
- Only `_process` reads, and `busy` keeps it from running inside itself. A handler that completes its
  response while `_process` runs only clears `exchange`; the loop in `_process` then takes the next request.
- A refused request ends the connection, because the start of the next request is unknown.
"""

import logging

cimport cython

from fastpay._native.awaitables cimport Ready
from fastpay._native.exchange cimport Exchange
from fastpay._native.fields cimport is_text
from fastpay._native.gate cimport DONE, MORE
from fastpay._native.histograms cimport monotonic
from fastpay._native.link cimport Link
from fastpay._native.poller cimport Endpoint, Stream
from fastpay._native.reading cimport PREFACE_BYTES, Reading
from fastpay._native.service cimport Service

from fastpay._native.service import BODY_TIMEOUT, CONNECTIONS_EXHAUSTED, HANDLER_FAILED, HEAD_TIMEOUT
from fastpay._native.service import log_failure

logger = logging.getLogger(__name__)


@cython.final
cdef class Connection(Link):
    """An asyncio protocol that speaks HTTP/1.1 and passes HTTP/2 connections to another protocol."""

    def __init__(self, Service service):
        self.service = service

    # Called by the transport.

    def connection_made(self, transport):
        cdef Service service = self.service
        self.transport = transport
        self.stream = <Stream>transport if type(transport) is Stream else None
        service.connection_count += 1
        self.counted = True
        service.wheel.add(self)
        service.wheel.arm(self, service.idle_ticks)
        if service.draining:
            self._close()
        elif service.connection_count > service.connections_max:
            self._refuse(CONNECTIONS_EXHAUSTED)
        elif service.is_tls:
            channel = transport.get_extra_info("ssl_object")
            if channel is not None and channel.selected_alpn_protocol() == "h2":
                self._switch(b"")

    def connection_lost(self, error):
        cdef Exchange exchange = self.exchange
        self._detach()
        self.closing = True
        self.transport = self.stream = None
        self.reading = None
        self._let_go(exchange)
        if exchange is not None:
            self.exchange = None
            exchange.lost = True
            exchange.disconnect()

    def data_received(self, bytes data):
        self.received(data)

    cdef int received(self, bytes data) except -1:
        try:
            self._process() if data is None else self._receive(data)
        except Exception:
            # A bug here ends this connection only.
            logger.exception("connection_failed")
            self.abort()
        return 0

    def eof_received(self):
        cdef Exchange exchange = self.exchange
        self.ended = True
        if exchange is None or self.lingering or not exchange.message_complete:
            self._close()
            return False
        # A client may close its sending half after the request and still wait for the response (RFC 9112
        # 9.6).
        exchange.disconnect()
        return not self.service.is_tls

    def pause_writing(self):
        self.write_paused = True
        if self.exchange is not None:
            self.exchange.pause()
        self.service.wheel.arm(self, self.service.write_ticks)

    def resume_writing(self):
        self.write_paused = False
        if self.exchange is not None:
            self.exchange.resume()
        if not self.closing and not self.lingering:
            self._schedule()

    # Called by the server.

    def retire(self):
        """Close now if no handler runs, otherwise when the response is written."""
        if self.exchange is None or not self.exchange.running:
            self._close() if self.exchange is None and self.reading is None else self._linger()

    # Reading.

    cdef int _receive(self, bytes data) except -1:
        if self.closing:
            return 0
        if self.lingering:
            self.lingered += len(data)
            if self.lingered > self.service.linger_bytes_max:
                self._close()
            return 0
        if self.reading is None:
            self.reading = self.service.lend()
        self.reading.add(data)
        if self.exchange is not None and self.exchange.message_complete:
            # The next requests wait. Only a bounded number of their bytes is kept.
            if self.reading.unread() > self.service.ahead_bytes_max:
                self._pause_reading()
            return min(0, self._hold())
        return self._process()

    cdef int _process(self) except -1:
        # The caller may be a handler that `_step` has started; then the outer call continues.
        if self.busy:
            return 0
        self.busy = True
        try:
            while self._step():
                pass
            self._flush()
        finally:
            self.busy = False
        return self._settle()

    cdef bint _step(self) except -1:
        # Do one step; return whether there may be more.
        if self.closing or self.lingering or self.reading is None:
            return False
        if self.exchange is not None:
            return not self.exchange.message_complete and self._read_body()
        # Backpressure: a client that does not read its responses gets no further request started.
        if self.write_paused or not self.reading.unread():
            return False
        return self._read_head()

    cdef bint _read_head(self) except -1:
        cdef Reading reading = self.reading
        cdef int verdict
        # The preface can only begin a connection. It comes first, because the gate would refuse it.
        if self.requests == 0 and self._is_preface():
            return False
        reading.method = None
        verdict = reading.judge(&self.service.bounds)
        if verdict == DONE:
            verdict = reading.read_head(&self.service.bounds)
        if verdict == MORE:
            return False
        if verdict != DONE:
            self._refuse(verdict)
            return False
        self.timed = False
        self._accept()
        return True

    cdef bint _is_preface(self) except -1:
        # True while the bytes are, or may become, the preface of HTTP/2 (RFC 9113 3.4).
        cdef Reading reading = self.reading
        if reading.start()[0] != c"P" or self.service.is_tls or self.service.switch_to_http2 is None:
            return False
        if not reading.may_be_preface():
            return False
        if reading.unread() >= PREFACE_BYTES:
            self._switch(reading.rest())
        return True

    cdef int _switch(self, bytes data) except -1:
        transport = self.transport
        peer = self.peer
        # Leave wheel, peers and count before the other protocol enters them.
        self._detach()
        self.closing = True
        self.transport = self.stream = None
        self.reading = None
        self._let_go(None)
        try:
            protocol = self.service.switch_to_http2(self.service)
            (<Endpoint?>protocol).peer = peer
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
        except Exception:
            # Nobody else would end it: this connection has let go of it, and has no deadline any more.
            transport.abort()
            raise
        if data:
            protocol.data_received(data)
        return 0

    cdef int _accept(self) except -1:
        cdef Reading reading = self.reading
        cdef Exchange exchange = Exchange.__new__(Exchange)
        cdef Service service = self.service
        cdef int fault
        self.requests += 1
        service.request_count += 1
        exchange.channel = self
        exchange.begun_ns = monotonic()
        exchange.is_head = is_text(reading.method, b"HEAD", 4)
        exchange.is_version_1_0 = reading.is_version_1_0
        exchange.client_closes = reading.wants_close
        if reading.is_version_1_0 and not reading.wants_keep_alive:
            exchange.client_closes = True
        exchange.keep_alive = not exchange.client_closes and self.requests < service.connection_requests_max
        exchange.paused = self.write_paused
        exchange.message_complete = reading.message_complete
        exchange.taken = reading.head_bytes
        exchange.scope = service.template.copy()
        client = None if self.client_host is None else (self.client_host, self.client_port)
        fault = service.build_scope(reading, client, exchange.scope)
        exchange.client = exchange.scope["client"] if service.forwarded is not None else client
        if fault:
            return self._refuse(fault)
        self.exchange = exchange
        if reading.message_complete or not service.ahead_bytes_max:
            exchange.expects_continue = reading.expects_continue
            return self._run()
        if reading.expects_continue:
            exchange.expects_continue = True
            self.want_body()
        return 0

    cdef bint _read_body(self) except -1:
        cdef Reading reading = self.reading
        cdef Exchange exchange = self.exchange
        cdef int verdict = reading.read_body(&self.service.bounds)
        if verdict > DONE:
            self._refuse(verdict)
            return False
        if reading.body is not None or verdict == DONE:
            exchange.expects_continue = False
            exchange.taken += len(reading.body or b"")
            # Checked before the handler has the whole body: after that the request may have an effect and
            # is never refused.
            if self._holds_much() and self._hold():
                return False
            exchange.feed(reading.body, verdict == DONE)
            reading.body = None
            if verdict == DONE and self.holding is not None:
                self.holding.pin()
        if not exchange.running and not exchange.complete:
            if verdict == DONE or len(exchange.body or b"") >= self.service.ahead_bytes_max:
                self._run()
        if verdict != DONE and exchange.body is not None:
            if len(exchange.body) > self.service.ahead_bytes_max:
                self._pause_reading()
        return verdict == DONE

    cdef int _run(self) except -1:
        cdef Exchange exchange = self.exchange
        scope = exchange.scope
        exchange.running = True
        # With more input at hand, responses are collected and leave together (Link.write).
        self.corked = self.reading is not None and self.reading.unread() > 0
        try:
            coroutine = self.service.app(scope, exchange.bind_receive(), exchange.bind_send())
        except Exception as error:
            return exchange.ended(error)
        # A Ready is a handler that has already completed its response.
        return exchange.ended(None) if type(coroutine) is Ready else self.start(exchange, coroutine)

    cdef int _settle(self) except -1:
        # Set the deadline of the state, and return what an idle connection does not need.
        cdef Service service = self.service
        cdef Exchange exchange = self.exchange
        if self.closing or self.lingering or self.transport is None:
            return 0
        if self.reading is not None and not self.reading.unread():
            if exchange is None or exchange.message_complete:
                service.take_back(self.reading)
                self.reading = None
        if self._holds_much() and self._hold():
            return 0
        if self.write_paused:
            if exchange is None:
                self._wait()
            return 0
        if exchange is None and self.ended:
            return self._close()
        if exchange is not None:
            # A slow sender has one deadline for the whole body; the time of a slow handler does not count.
            if exchange.message_complete or self.read_paused:
                self.timed = False
                service.wheel.disarm(self)
                if exchange.message_complete:
                    self._work()
            elif not self.timed:
                self.timed = True
                service.wheel.arm(self, service.body_ticks)
        elif self.reading is None:
            self.timed = False
            service.wheel.arm(self, service.idle_ticks)
            self._wait()
        elif not self.timed:
            self.timed = True
            service.wheel.arm(self, service.head_ticks)
        if exchange is None or not exchange.message_complete:
            if self.read_paused and (exchange is None or exchange.body is None):
                self._resume_reading()
        return 0

    # Called by the exchange.

    cdef int want_body(self) except -1:
        cdef Exchange exchange = self.exchange
        if exchange is None or self.transport is None or self.closing:
            return 0
        if exchange.expects_continue and not exchange.head_sent:
            exchange.expects_continue = False
            # RFC 9110 10.1.1: no 100 (Continue) if some of the body has arrived already.
            if not self._has_unread():
                self._flush()
                self._put(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.read_paused:
            self._resume_reading()
            self._schedule()
        return 0

    cdef int response_done(self, Exchange exchange) except -1:
        if self.service.request_times is not None:
            self.service.time_request(
                exchange.route, exchange.scope, False, exchange.status, exchange.begun_ns
            )
        if exchange is not self.exchange:
            return 0
        self.exchange = None
        self._let_go(exchange)
        if not exchange.keep_alive:
            self._flush()
            # Otherwise the next request may be on its way: a reset for it could overtake the response.
            if self.ended or exchange.client_closes and exchange.message_complete and not self._has_unread():
                return self._close()
            return self._linger()
        if self.busy:
            return 0
        if self.reading is not None or self.ended or self.read_paused:
            self._schedule()
        elif not self.write_paused:
            self.service.wheel.arm(self, self.service.idle_ticks)
            self._wait()
        return 0

    cdef int handler_done(self, Exchange exchange, object error) except -1:
        if error is not None:
            log_failure(error, exchange.disconnected)
        elif error is None and not exchange.complete and not exchange.disconnected:
            logger.error("response_omitted")
        if exchange is not self.exchange:
            return 0
        if exchange.head_sent or exchange.lost:
            # A part of the response is sent: only closing the connection can tell the client.
            self.exchange = None
            self.abort()
            return 0
        return self._refuse(HANDLER_FAILED)

    # Ending.

    cdef int expire(self) except -1:
        cdef Exchange exchange = self.exchange
        if self.transport is None:
            return 0
        if self.closing or self.write_paused:
            self.abort()
        elif self.lingering:
            self._close()
        elif exchange is not None:
            if not exchange.message_complete:
                self._refuse(BODY_TIMEOUT)
        elif self.timed:
            self._refuse(HEAD_TIMEOUT)
        else:
            self._close()
        return 0

    cdef int _refuse(self, int reason) except -1:
        # Answer without the application and end the connection: nobody knows where the next request starts.
        cdef Exchange exchange = self.exchange
        cdef bint is_head = False
        if exchange is not None:
            is_head = exchange.is_head
        elif self.reading is not None:
            is_head = is_text(self.reading.method, b"HEAD", 4)
        # Responses that are collected must leave before the refusal.
        self._flush()
        self.reading = None
        self._let_go(exchange)
        if exchange is not None:
            self.exchange = None
            exchange.lost = True
            # A handler that still runs gets ClientDisconnected from `send`, http.disconnect from `receive`.
            exchange.complete = exchange.running
            exchange.disconnect()
            if exchange.head_sent:
                self.abort()
                return 0
        if self.transport is not None:
            self._put(self.service.refuse(reason, is_head))
        return self._linger()
