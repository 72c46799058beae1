"""The writing and closing side of a connection.

Invariants:

- `_detach` is idempotent: a connection leaves the wheel, its peer and the server's count exactly once,
  whether it is closed, evicted or passed to HTTP/2.
- Bytes of a request are counted until the connection has dropped them and its handler has ended. A holding
  moves to the exchange in `_let_go` if the handler still runs.
"""

from fastpay._native.awaitables cimport Later
from fastpay._native.exchange cimport Channel, Exchange
from fastpay._native.poller cimport Stream
from fastpay._native.reading cimport Reading

from fastpay import limits

cdef enum:
    CORKED_WRITES_MAX = 32

cdef Py_ssize_t HOLDING_BYTES_MIN = limits.holding_bytes_min
# The scope key under which the application stores the account that pays for a request's bytes.
cdef str PAYER = "fastpay.payer"


cdef class Link(Channel):
    """The part of a connection that writes and closes, whatever protocol it reads."""

    cdef int write(self, bytes data) except -1:
        if self.transport is None:
            return 0
        if self.reading is not None and (self.corked or self.reading.output):
            # More requests are at hand: their responses leave together.
            self.reading.output.append(data)
            if len(self.reading.output) >= CORKED_WRITES_MAX:
                self._flush()
        else:
            self._put(data)
        return 0

    cdef int _put(self, bytes data) except -1:
        cdef Stream stream = self.stream
        if stream is not None:
            stream.put(data)
        elif self.transport is not None:
            self.transport.write(data)
        return 0

    cdef int _flush(self) except -1:
        cdef Reading reading = self.reading
        self.corked = False
        if reading is not None and reading.output:
            data = b"".join(reading.output)
            reading.output.clear()
            self._put(data)
        return 0

    cdef int start(self, Exchange exchange, object coroutine) except -1:
        # A Later ends the exchange by itself.
        return 0 if type(coroutine) is Later else self.service.runner.start(exchange, coroutine)

    cdef bytes date_line(self):
        return self.service.date

    cdef bint is_draining(self) noexcept:
        return self.service.draining or self.service.retiring

    def abort(self):
        self.closing = True
        if self.transport is not None:
            self.transport.abort()

    cdef int _pause_reading(self) except -1:
        # A connection that is ending reads on, and discards what it reads.
        if not (self.read_paused or self.lingering or self.closing) and self.transport is not None:
            self.read_paused = True
            self.transport.pause_reading()
        return 0

    cdef int _resume_reading(self) except -1:
        if self.read_paused and self.transport is not None:
            self.read_paused = False
            self.transport.resume_reading()
        return 0

    cdef int _linger(self) except -1:
        self.lingering = True
        self.reading = None
        self._wait()
        if self.transport is None or self.ended or not self.transport.can_write_eof():
            # TLS lingers in tls.pyx, until the other side has sent close_notify.
            return self._close()
        self.service.wheel.arm(self, self.service.linger_ticks)
        self._resume_reading()
        self.transport.write_eof()
        return 0

    cdef int _close(self) except -1:
        if self.transport is not None and not self.closing:
            self.closing = True
            self._wait()
            # The bound on the time for a client to read the last bytes.
            self.service.wheel.arm(self, self.service.write_ticks)
            self.transport.close()
        self.closing = True
        return 0

    cdef int _detach(self) except -1:
        self.service.wheel.drop(self)
        self.service.peers.leave(self)
        if self.counted:
            self.counted = False
            self.service.leave()
        return 0

    cdef void _wait(self) noexcept:
        # The connection may now be closed to make room for another one.
        if self.peer is not None:
            self.peer.wait(self)

    cdef void _work(self) noexcept:
        if self.peer is not None:
            self.peer.work(self)

    cdef int _refuse(self, int reason) except -1:
        raise NotImplementedError

    cdef int _schedule(self) except -1:
        # The caller may be inside a handler's Task, where no other handler can start.
        if not self.scheduled:
            self.scheduled = True
            self.service.loop.call_soon(self._continue)
        return 0

    def _continue(self):
        self.scheduled = False
        self.received(None)

    cdef bint _holds_much(self) noexcept:
        # Whether the request's bytes must be counted: they are counted already, or exceed the allowance.
        return (
            self.holding is not None
            or (self.reading is not None and self.reading.size > HOLDING_BYTES_MIN)
            or (self.exchange is not None and self.exchange.taken > HOLDING_BYTES_MIN)
        )

    cdef int _hold(self) except -1:
        # Count the bytes of the request, and refuse it if they are too many; return whether it was refused.
        # When the handler has all of them, they are only counted: a request that is told to retry must not
        # have been served.
        cdef Exchange exchange = self.exchange
        cdef Py_ssize_t size = 0
        cdef int reason
        if self.reading is not None:
            size = self.reading.size
        if exchange is not None:
            size += exchange.taken
        if self.holding is None:
            if size <= HOLDING_BYTES_MIN or self.service.bytes_budget is None:
                return 0
            self.holding = self.service.bytes_budget.open(self.give_up, self.payers())
        elif exchange is not None and exchange.running and PAYER in exchange.scope:
            self.holding.charge_to(exchange.scope[PAYER])
        if exchange is not None and exchange.message_complete:
            self.holding.pin()
            self.holding.count(size)
            return 0
        reason = self.holding.resize(size)
        if reason:
            self._refuse(reason)
        return reason

    cdef int _let_go(self, Exchange exchange) except -1:
        # If a handler still has the bytes, they count until it ends.
        holding = self.holding
        if holding is None:
            return 0
        self.holding = None
        if exchange is not None and exchange.running:
            holding.pin()
            exchange.holding = holding
        else:
            holding.release()
        return 0

    def give_up(self, int reason):
        self._refuse(reason)

    cdef tuple payers(self):
        # The accounts of these bytes: the client's address, and the API key once the application has set
        # it.
        cdef Exchange exchange = self.exchange
        if exchange is None:
            return () if self.peer is None else (self.peer.name,)
        client = exchange.client
        name = "" if client is None else self.service.group_of(client[0])
        payer = None if exchange.scope is None else exchange.scope.get(PAYER)
        return (name,) if payer is None else (name, payer)

    cdef int evict(self) except -1:
        # Leave the peer now: the new connection does not wait until the transport has closed.
        self._detach()
        self.abort()
        return 0

    cdef bint _has_unread(self) except -1:
        return self.reading is not None and self.reading.unread() > 0
