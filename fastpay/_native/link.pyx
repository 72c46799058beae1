"""The writing and the closing side of a connection."""

from fastpay._native.awaitables cimport Later
from fastpay._native.exchange cimport Channel, Exchange
from fastpay._native.poller cimport Stream
from fastpay._native.reading cimport Reading

from fastpay import limits

cdef enum:
    CORKED_WRITES_MAX = 32

cdef Py_ssize_t HOLDING_BYTES_MIN = limits.holding_bytes_min
# Where the application puts the name of who pays for a request's bytes, once it knows it.
cdef str PAYER = "fastpay.payer"


cdef class Link(Channel):
    """What a connection does with its transport, whatever it reads."""

    cdef int write(self, bytes data) except -1:
        if self.transport is None:
            return 0
        if self.reading is not None and (self.corked or self.reading.output):
            # More requests are at hand: their answers leave together.
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
        # What comes later is on its way, and ends the exchange by itself.
        return 0 if type(coroutine) is Later else self.service.runner.start(exchange, coroutine)

    cdef bytes date_line(self):
        return self.service.date

    cdef bint is_draining(self) noexcept:
        return self.service.draining

    def abort(self):
        self.closing = True
        if self.transport is not None:
            self.transport.abort()

    cdef int _pause_reading(self) except -1:
        if not self.read_paused and self.transport is not None:
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
            # TLS lingers by itself, until the other side has said goodbye too.
            return self._close()
        self.service.wheel.arm(self, self.service.linger_ticks)
        self._resume_reading()
        self.transport.write_eof()
        return 0

    cdef int _close(self) except -1:
        if self.transport is not None and not self.closing:
            self.closing = True
            self._wait()
            # A client that does not take the last bytes is not waited for longer than this.
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
        # From now on the connection may be closed to make room for another.
        if self.peer is not None:
            self.peer.wait(self)

    cdef void _work(self) noexcept:
        if self.peer is not None:
            self.peer.work(self)

    cdef int _refuse(self, int reason) except -1:
        raise NotImplementedError

    cdef int _schedule(self) except -1:
        # Whoever calls may be inside the handler's Task, where no other handler can start.
        if not self.scheduled:
            self.scheduled = True
            self.service.loop.call_soon(self._continue)
        return 0

    def _continue(self):
        self.scheduled = False
        self.received(None)

    cdef bint _holds_much(self) noexcept:
        # Whether the bytes of the request have to be counted: they have been, or are more than a few.
        return (
            self.holding is not None
            or (self.reading is not None and self.reading.size > HOLDING_BYTES_MIN)
            or (self.exchange is not None and self.exchange.taken > HOLDING_BYTES_MIN)
        )

    cdef int _hold(self) except -1:
        # Count what the request holds; refuse it if that is too much. Tell whether it was refused. Once the
        # handler has all of it, it is only counted: whoever is told to come again must not have been served.
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
        # A handler may still have the bytes: then they are counted until it ends.
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
        # Whose bytes these are: the client's address, and its key where the application has named it.
        cdef Exchange exchange = self.exchange
        if exchange is None:
            return () if self.peer is None else (self.peer.name,)
        client = exchange.client
        name = "" if client is None else self.service.group_of(client[0])
        payer = None if exchange.scope is None else exchange.scope.get(PAYER)
        return (name,) if payer is None else (name, payer)

    cdef int evict(self) except -1:
        # The place is free at once: whoever takes it does not wait for the transport's end.
        self._detach()
        self.abort()
        return 0

    cdef bint _has_unread(self) except -1:
        return self.reading is not None and self.reading.unread() > 0
