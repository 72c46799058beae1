"""TLS between a stream and the protocol of a connection: records in memory, sockets as for plain bytes.

A connection is in one of these states:

    handshake     counted as a connection, with a deadline; no protocol yet
    established   the protocol exists and has its own deadlines
    closing       close_notify is sent; input is discarded until the client closes too

Invariants:

- Bytes go through OpenSSL's memory buffers one record at a time. A buffer never shrinks, so a buffer that
  once held a whole response would keep that memory for the life of the connection.
- Exactly one of this object and the connection behind it counts as a connection of the server and of its
  peer, except inside `_hand_over`.
- Nothing is delivered after `closing`, and the alert of a failed handshake is the last thing that is sent.
"""

import logging
from ssl import MemoryBIO, SSLError, SSLWantReadError

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from fastpay._native.http1 cimport Connection
from fastpay._native.peers cimport Peer

from fastpay import limits

logger = logging.getLogger(__name__)

cdef enum:
    # RFC 8446 5.1
    RECORD_BYTES = 16_384
    JOINED_RECORDS_MAX = 16

cdef Py_ssize_t HOLDING_BYTES_MIN = limits.holding_bytes_min
# Shared: one record is read at a time, and copied out before a protocol is called.
cdef bytearray read_buffer = bytearray(RECORD_BYTES)


@cython.final
cdef class Tls(Endpoint):
    """The protocol of a stream, and the transport of the protocol behind it."""

    def __init__(self, Service service, context):
        self.service = service
        self.incoming = MemoryBIO()
        self.outgoing = MemoryBIO()
        self.records = []
        self.channel = context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    # Called by the stream.

    def connection_made(self, stream):
        cdef Service service = self.service
        self.stream = <Stream?>stream
        service.enter()
        self.counted = True
        if self.peer is not None:
            self.peer.handshakes += 1
        service.wheel.add(self)
        service.wheel.arm(self, service.handshake_ticks)
        if service.draining:
            self.stream.abort()

    def connection_lost(self, error):
        protocol = self.protocol
        self._leave()
        self._let_go()
        self.service.wheel.drop(self)
        self.closing = True
        self.protocol = self.endpoint = None
        self.channel = self.incoming = self.outgoing = None
        self.records.clear()
        self.stream = None
        if protocol is not None:
            protocol.connection_lost(error)

    def data_received(self, bytes data):
        self.received(data)

    cdef int received(self, bytes data) except -1:
        cdef Py_ssize_t start = 0
        cdef Py_ssize_t length = PyBytes_GET_SIZE(data)
        if self.closing:
            self.discarded += length
            if self.discarded > self.service.linger_bytes_max:
                self.abort()
            return 0
        try:
            if length <= RECORD_BYTES:
                self._take(data)
            else:
                # In pieces of a record, so that the incoming buffer stays small.
                while start < length and not self.closing:
                    self._take(data[start:start + RECORD_BYTES])
                    start += RECORD_BYTES
            self._deliver()
            if self.holding is not None or length > HOLDING_BYTES_MIN:
                self._hold(0 if self.incoming is None else self.incoming.pending)
        except SSLError as error:
            self._fail(error)
        except Exception:
            # A bug here ends this connection only.
            logger.exception("connection_failed")
            self.abort()
        return 0

    def eof_received(self):
        if self.established and not self.closing:
            self.protocol.eof_received()
            self.close()
        return False

    def pause_writing(self):
        if self.protocol is not None:
            self.protocol.pause_writing()

    def resume_writing(self):
        if self.protocol is not None:
            self.protocol.resume_writing()

    # The handshake.

    cdef int _take(self, bytes data) except -1:
        self.incoming.write(data)
        if not self.established:
            self._shake_hands()
        return self._decrypt() if self.established else 0

    cdef int _shake_hands(self) except -1:
        try:
            self.channel.do_handshake()
        except SSLWantReadError:
            return self._send()
        self._send()
        if self.stream is not None and not self.stream.lost:
            self._hand_over()
        return 0

    cdef int _hand_over(self) except -1:
        # From here on the connection behind this object is counted and has the deadlines.
        cdef Service service = self.service
        cdef Peer peer = self.peer
        cdef Connection connection = Connection.__new__(Connection)
        connection.service = service
        connection.client_host = self.client_host
        connection.client_port = self.client_port
        self.established = True
        self.protocol = self.endpoint = connection
        if peer is not None:
            # Joined before this object leaves: a peer without connections would be forgotten, with its
            # counts.
            service.peers.join(connection, peer)
        service.wheel.drop(self)
        # Not by `leave`, which could report that no connection is left.
        service.connection_count -= 1
        self.counted = False
        if peer is not None:
            peer.handshakes -= 1
            service.peers.leave(self)
        connection.connection_made(self)
        return 0

    cdef int _leave(self) except -1:
        if self.counted:
            self.counted = False
            if self.peer is not None:
                self.peer.handshakes -= 1
            self.service.wheel.drop(self)
            self.service.peers.leave(self)
            self.service.leave()
        return 0

    cdef int _fail(self, object error) except -1:
        # The alert that OpenSSL has written is sent, and nothing after it.
        cdef Stream stream = self.stream
        if stream is None:
            return 0
        self.closing = True
        self._send()
        stream.close()
        return 0

    # Bytes.

    cdef int _hold(self, Py_ssize_t size) except -1:
        if self.stream is None or self.service.bytes_budget is None:
            return 0
        if self.holding is None:
            if size <= HOLDING_BYTES_MIN:
                return 0
            self.holding = self.service.bytes_budget.open(self.give_up, self.payers())
        if size <= HOLDING_BYTES_MIN:
            return self._let_go()
        if self.holding.resize(size):
            self.abort()
        return 0

    cdef int _let_go(self) except -1:
        if self.holding is not None:
            self.holding.release()
            self.holding = None
        return 0

    def give_up(self, int reason):
        self.abort()

    cdef tuple payers(self):
        if self.endpoint is not None:
            return self.endpoint.payers()
        if self.protocol is not None:
            return self.protocol.payers()
        return () if self.peer is None else (self.peer.name,)

    cdef int _decrypt(self) except -1:
        cdef Py_ssize_t count
        while not (self.paused or self.ended) and (self.incoming.pending or self.channel.pending()):
            try:
                count = self.channel.read(RECORD_BYTES, read_buffer)
            except SSLWantReadError:
                break
            if count == 0:
                # close_notify: the client sends nothing more (RFC 8446 6.1).
                self.ended = True
                break
            self.records.append(PyBytes_FromStringAndSize(PyByteArray_AS_STRING(read_buffer), count))
        # Reading may have produced output, such as a key update (RFC 8446 4.6.3).
        return self._send()

    cdef int _deliver(self) except -1:
        # Records that arrived together are delivered together, as without TLS.
        cdef list records = self.records
        cdef Endpoint endpoint = self.endpoint
        if records and not self.closing:
            data = records[0] if len(records) == 1 else b"".join(records)
            records.clear()
            if endpoint is not None:
                endpoint.received(data)
            else:
                self.protocol.data_received(data)
        if self.ended and not self.closing:
            self.eof_received()
        return 0

    cdef int _send(self) except -1:
        if self.stream is not None and self.outgoing.pending:
            self.stream.put(self.outgoing.read())
        return 0

    def set_protocol(self, protocol):
        self.protocol = protocol
        self.endpoint = <Endpoint>protocol if isinstance(protocol, Endpoint) else None

    def get_extra_info(self, name, default=None):
        if name == "ssl_object":
            return self.channel
        return default if self.stream is None else self.stream.get_extra_info(name, default)

    def is_closing(self):
        return bool(self.closing)

    def pause_reading(self):
        self.paused = True
        if self.stream is not None:
            self.stream.pause_reading()

    def resume_reading(self):
        self.paused = False
        if self.stream is None:
            return
        self.stream.resume_reading()
        # The caller may be inside a handler's Task, where no other handler can start.
        if self.incoming.pending and not self.scheduled:
            self.scheduled = True
            self.service.loop.call_soon(self._resume)

    def _resume(self):
        self.scheduled = False
        if self.stream is not None and not self.closing:
            self.received(b"")

    def write(self, data):
        cdef Py_ssize_t start = 0
        cdef Py_ssize_t length = len(data)
        cdef list records
        if self.closing or self.stream is None or not length:
            return
        try:
            if length <= RECORD_BYTES:
                self.channel.write(data)
                self._send()
                return
            view = memoryview(data)
            while start < length and self.stream is not None:
                records = []
                while start < length and len(records) < JOINED_RECORDS_MAX:
                    start += self.channel.write(view[start:start + RECORD_BYTES])
                    records.append(self.outgoing.read())
                self.stream.put(b"".join(records))
        except SSLError as error:
            self._fail(error)

    def writelines(self, pieces):
        self.write(b"".join(pieces))

    def can_write_eof(self):
        return False

    def get_write_buffer_size(self):
        return 0 if self.stream is None else self.stream.get_write_buffer_size()

    # Ending.

    def close(self):
        cdef Stream stream = self.stream
        if self.closing or stream is None:
            return
        self.closing = True
        if not self.established:
            stream.close()
            return
        try:
            self.channel.unwrap()
        except (SSLError, OSError):
            # The client has not sent close_notify yet, or the connection can send nothing more.
            pass
        self._send()
        stream.resume_reading()
        # The client closes first: some clients lose unread bytes when the end of the stream arrives.
        self.service.wheel.add(self)
        self.service.wheel.arm(self, self.service.shutdown_ticks)

    def abort(self):
        self.closing = True
        if self.stream is not None:
            self.stream.abort()

    def retire(self):
        """End a handshake: a stopping server does not need the connection."""
        if not self.established:
            self.abort()

    cdef int expire(self) except -1:
        cdef Stream stream = self.stream
        if stream is None:
            return 0
        if self.established and stream.pending is not None:
            # The protocol's own write deadline is running.
            self.service.wheel.arm(self, self.service.shutdown_ticks)
        elif self.established:
            stream.close()
        else:
            self.abort()
        return 0

    cdef int evict(self) except -1:
        self._leave()
        self.abort()
        return 0
