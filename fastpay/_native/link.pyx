"""The writing and the closing side of a connection."""

from fastpay._native.awaitables cimport Later
from fastpay._native.exchange cimport Channel, Exchange
from fastpay._native.poller cimport Stream
from fastpay._native.reading cimport Reading

cdef enum:
    CORKED_WRITES_MAX = 32


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

    cdef int evict(self) except -1:
        # The place is free at once: whoever takes it does not wait for the transport's end.
        self._detach()
        self.abort()
        return 0

    cdef bint _has_unread(self) except -1:
        return self.reading is not None and self.reading.unread() > 0
