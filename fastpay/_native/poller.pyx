"""Sockets of plain connections, read and written without uvloop's streams.

All connections of a server are in one epoll set, and the event loop watches one descriptor: the set's. When
it is ready, one turn takes the kernel's events, reads every ready socket into one shared buffer, and calls
the protocol directly. A write goes to the socket at once; only what the kernel does not accept is kept. So
a request costs one recv, one send and no callback of the loop, and an idle connection costs one small
object.

A Stream is an asyncio transport as far as protocols use it. `tls.pyx` is a protocol on top of it.

Invariants:

- The poller holds a reference to every stream until its descriptor is closed, which is in a later turn: an
  event holds a bare pointer to it. So no connection is garbage before `connection_lost`, also while nothing
  is watched and only its deadline can end it.
- A descriptor is closed only after its protocol was told, in a later turn of the loop, and after it has
  left the set. So the kernel cannot reuse its number for a connection that is still in use here.
- `connection_lost` is never called from inside a protocol's own call.
"""

import logging
import os
import socket

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport EAGAIN, EINTR, errno as last_error
from posix.unistd cimport close

from fastpay._native.sockets cimport EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLERR
from fastpay._native.sockets cimport EPOLLHUP, EPOLLIN, EPOLLOUT, MSG_NOSIGNAL, SHUT_WR
from fastpay._native.sockets cimport epoll_create1, epoll_ctl, epoll_event, epoll_wait, recv, send, shutdown

from fastpay import limits

logger = logging.getLogger(__name__)

cdef enum:
    READ_BYTES = 65_536
    # The maximum of sockets served in one turn, before the loop's other descriptors.
    EVENTS_MAX = 128

cdef Py_ssize_t PAUSE_BYTES = limits.write_buffer_high_bytes
cdef Py_ssize_t HOLDING_BYTES_MIN = limits.holding_bytes_min
cdef Py_ssize_t RESUME_BYTES = limits.write_buffer_low_bytes
# Shared: only one turn runs at a time, and the input is copied out before a protocol is called.
cdef char read_buffer[READ_BYTES]


cdef class Endpoint(Member):
    """A compiled protocol, which a Stream calls without looking its methods up."""

    cdef int received(self, bytes data) except -1:
        raise NotImplementedError

    cdef tuple payers(self):
        # The accounts that this connection's bytes are charged to.
        return () if self.peer is None else (self.peer.name,)


cdef class AcceptHandler:
    """Accepts connections when the listening socket is ready."""

    cdef int open_some(self) except -1:
        raise NotImplementedError


@cython.final
cdef class Poller:
    """Watches a listening socket and transfers the bytes of connections."""

    def __init__(self, loop, listener, bytes_budget=None):
        self.loop = loop
        self.bytes_budget = bytes_budget
        self.listener = listener
        self.handler = None
        self.family = listener.family
        self.retry = None
        self.listening = listener.fileno()
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        if self.epoll < 0:
            raise OSError(last_error, os.strerror(last_error))
        if listener.family in (socket.AF_INET, socket.AF_INET6):
            # Accepted sockets inherit these. Without a bound on the send buffer the kernel keeps megabytes
            # that no client reads.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.send_buffer_bytes)
        loop.add_reader(self.epoll, self._turn)

    def listen(self, AcceptHandler handler not None):
        self.handler = handler
        self._listen()

    def __dealloc__(self):
        if self.epoll >= 0:
            close(self.epoll)

    def close(self):
        """Stop accepting. Open connections continue."""
        if self.retry is not None:
            self.retry.cancel()
            self.retry = None
        if self.listener is not None:
            self._deafen()
            self.listener.close()
            self.listener = None

    def release(self):
        """Close the epoll set, after the last connection has ended."""
        if self.epoll >= 0:
            self.loop.remove_reader(self.epoll)
            close(self.epoll)
            self.epoll = -1

    cdef object address_of(self, int descriptor, bint of_peer, object default):
        # Called at most once a connection, so a temporary socket object is cheap enough.
        handle = socket.socket(self.family, socket.SOCK_STREAM, 0, descriptor)
        try:
            return handle.getpeername() if of_peer else handle.getsockname()
        except OSError:
            return default
        finally:
            handle.detach()

    def _listen(self):
        cdef epoll_event event
        self.retry = None
        event.events = EPOLLIN
        event.data.ptr = NULL
        if epoll_ctl(self.epoll, EPOLL_CTL_ADD, self.listening, &event) < 0:
            raise OSError(last_error, os.strerror(last_error))

    def _deafen(self):
        epoll_ctl(self.epoll, EPOLL_CTL_DEL, self.listening, NULL)

    def _turn(self):
        cdef epoll_event events[EVENTS_MAX]
        cdef int count = epoll_wait(self.epoll, events, EVENTS_MAX, 0)
        cdef int index
        cdef Stream stream
        for index in range(count):
            if events[index].data.ptr == NULL:
                self.handler.open_some()
                continue
            stream = <Stream>events[index].data.ptr
            try:
                self._serve(stream, events[index].events)
            except Exception:
                # A bug here ends this connection only.
                logger.exception("connection_failed")
                stream.abort()

    cdef int _serve(self, Stream stream, unsigned int events) except -1:
        # An error or a hang-up is reported by the next recv or send.
        if events & (EPOLLIN | EPOLLERR | EPOLLHUP) and stream.watched & EPOLLIN:
            stream._read()
        if events & (EPOLLOUT | EPOLLERR | EPOLLHUP) and stream.watched & EPOLLOUT:
            stream._write_pending()
        return 0

    cdef int adopt(self, int descriptor, Endpoint endpoint) except -1:
        # Transfer the bytes of a connection from here on. The poller owns the descriptor, also after a
        # failure.
        cdef Stream stream = Stream.__new__(Stream)
        stream.poller = self
        stream.descriptor = descriptor
        # The poller's own reference, which `_tell` drops.
        Py_INCREF(stream)
        try:
            stream._begin(endpoint)
        except Exception:
            logger.exception("connection_failed")
            stream.abort()
        return 0

    cdef int rest(self, int number) except -1:
        # No descriptors or memory left. The listening socket stays ready, so watching it would spin the
        # loop.
        logger.error("accept_failed", extra={"fields": {"error": os.strerror(number)}})
        self._deafen()
        self.retry = self.loop.call_later(limits.accept_retry_ms / 1000, self._listen)
        return 0

    cdef int _watch(self, Stream stream, unsigned int events) except -1:
        cdef epoll_event event
        cdef int operation = EPOLL_CTL_MOD
        if events == stream.watched:
            return 0
        if stream.watched == 0:
            operation = EPOLL_CTL_ADD
        elif events == 0:
            operation = EPOLL_CTL_DEL
        event.events = events
        event.data.ptr = <void*>stream
        if epoll_ctl(self.epoll, operation, stream.descriptor, &event) < 0:
            raise OSError(last_error, os.strerror(last_error))
        stream.watched = events
        return 0


@cython.final
cdef class Stream:
    """The transport of one plain connection."""

    def __cinit__(self):
        self.descriptor = -1

    def __dealloc__(self):
        if self.descriptor >= 0:
            close(self.descriptor)

    def _begin(self, protocol):
        self.set_protocol(protocol)
        protocol.connection_made(self)
        self._want()

    def set_protocol(self, protocol):
        self.protocol = protocol
        self.endpoint = <Endpoint>protocol if isinstance(protocol, Endpoint) else None

    def get_extra_info(self, name, default=None):
        if self.descriptor >= 0 and name in ("peername", "sockname"):
            return self.poller.address_of(self.descriptor, name == "peername", default)
        return default

    def is_closing(self):
        return bool(self.closing)

    # Reading.

    def pause_reading(self):
        self.paused = True
        self._want()

    def resume_reading(self):
        self.paused = False
        self._want()

    cdef int _read(self) except -1:
        cdef ssize_t length = recv(self.descriptor, read_buffer, READ_BYTES, 0)
        cdef Endpoint endpoint = self.endpoint
        if length > 0:
            # Copied before the protocol runs, because the next read of this turn reuses the buffer.
            data = PyBytes_FromStringAndSize(read_buffer, length)
            if endpoint is not None:
                return endpoint.received(data)
            self.protocol.data_received(data)
            return 0
        if length == 0:
            return self._end_of_input()
        if last_error != EAGAIN and last_error != EINTR:
            self._fail(last_error)
        return 0

    cdef int _end_of_input(self) except -1:
        self.ended = True
        self._want()
        if not self.protocol.eof_received():
            self.close()
        return 0

    # Writing.

    def write(self, data):
        self.put(data if type(data) is bytes else bytes(data))

    def writelines(self, pieces):
        self.put(b"".join(pieces))

    def can_write_eof(self):
        return True

    def write_eof(self):
        if not self.eof_wanted and not self.closing:
            self.eof_wanted = True
            if self.pending is None:
                shutdown(self.descriptor, SHUT_WR)

    def get_write_buffer_size(self):
        return 0 if self.pending is None else len(self.pending)

    cdef int put(self, bytes data) except -1:
        cdef Py_ssize_t length = PyBytes_GET_SIZE(data)
        cdef Py_ssize_t sent = 0
        if self.closing or self.eof_wanted or length == 0:
            return 0
        # New bytes go to the kernel directly only if none are pending: bytes must not overtake others.
        if self.pending is None:
            sent = self._send(PyBytes_AS_STRING(data), length)
            if sent == length or sent < 0:
                return 0
            self.pending = bytearray()
            self.pending += data[sent:] if sent else data
            self._want()
        else:
            self.pending += data
        if PyByteArray_GET_SIZE(self.pending) > HOLDING_BYTES_MIN:
            self._hold()
            # The budget may have ended this connection for these bytes, or for those of its own request.
            if self.pending is None:
                return 0
        if not self.protocol_paused and PyByteArray_GET_SIZE(self.pending) > PAUSE_BYTES:
            self.protocol_paused = True
            self.protocol.pause_writing()
        return 0

    cdef int _hold(self) except -1:
        # Count the bytes that the client has not read, and end the connection if they are too many; return
        # whether it ended.
        cdef int reason
        if self.holding is None:
            if self.poller.bytes_budget is None:
                return 0
            names = self.endpoint.payers() if self.endpoint is not None else self.protocol.payers()
            self.holding = self.poller.bytes_budget.open(self.give_up, names)
        reason = self.holding.resize(0 if self.pending is None else PyByteArray_GET_SIZE(self.pending))
        if reason:
            self.give_up(reason)
        return reason

    def give_up(self, int reason):
        # A part of the response is sent: only closing the connection can tell the client.
        self.abort()

    cdef Py_ssize_t _send(self, const char* data, Py_ssize_t length) except -2:
        # Return how many bytes the kernel accepted; -1 if the connection is lost.
        cdef ssize_t sent = send(self.descriptor, data, length, MSG_NOSIGNAL)
        if sent >= 0:
            return sent
        if last_error == EAGAIN or last_error == EINTR:
            return 0
        self._fail(last_error)
        return -1

    cdef int _write_pending(self) except -1:
        cdef Py_ssize_t length = PyByteArray_GET_SIZE(self.pending)
        cdef Py_ssize_t sent = self._send(PyByteArray_AS_STRING(self.pending), length)
        if sent < 0:
            return 0
        if sent == length:
            self.pending = None
            self._want()
        elif sent:
            del self.pending[:sent]
        if self.holding is not None:
            self._hold()
        if self.protocol_paused and length - sent <= RESUME_BYTES:
            self.protocol_paused = False
            self.protocol.resume_writing()
        if self.pending is None:
            if self.closing:
                self._end(None)
            elif self.eof_wanted:
                shutdown(self.descriptor, SHUT_WR)
        return 0

    # Ending.

    def close(self):
        if self.closing:
            return
        self.closing = True
        self._end(None) if self.pending is None else self._want()

    def abort(self):
        self.pending = None
        self._end(None)

    cdef int _fail(self, int number) except -1:
        self.pending = None
        return self._end(OSError(number, os.strerror(number)))

    cdef int _end(self, object error) except -1:
        # The protocol is told in a later turn of the loop, because it may be the caller.
        if self.lost:
            return 0
        self.lost = self.closing = True
        # First: whatever fails here, the protocol is told and the descriptor is closed.
        self.poller.loop.call_soon(self._tell, error)
        self.poller._watch(self, 0)
        if self.holding is not None:
            self.holding.release()
            self.holding = None
        return 0

    def _tell(self, error):
        # Closed last: an open descriptor keeps its number from being reused while the protocol cleans up.
        cdef int descriptor = self.descriptor
        if descriptor < 0:
            return
        protocol = self.protocol
        self.protocol = self.endpoint = None
        self.descriptor = -1
        try:
            if protocol is not None:
                protocol.connection_lost(error)
        finally:
            close(descriptor)
            Py_DECREF(self)

    cdef int _want(self) except -1:
        # Watch for the events that are needed now, or leave the set.
        cdef unsigned int events = 0
        if self.lost:
            return 0
        if not (self.paused or self.ended or self.closing):
            events |= EPOLLIN
        if self.pending is not None:
            events |= EPOLLOUT
        return self.poller._watch(self, events)
