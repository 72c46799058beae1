"""The HTTP/2 codec of a server's connection: frames and streams, with libnghttp2's HPACK.

`fastpay.server.http2_codec.Codec` is the same codec over h2, and the oracle: the same bytes give the same
events, the same frames and the same error. Its table of the scopes of errors is true here too.

| state of a stream | HEADERS | DATA | sending |
|---|---|---|---|
| OPEN | trailers | taken | allowed |
| HALF_CLOSED_LOCAL | trailers | taken | refused |
| HALF_CLOSED_REMOTE | reset | reset | allowed |
| CLOSED by our reset | dropped | dropped | refused |
| CLOSED by their reset | reset | reset | refused |
| CLOSED by END_STREAM | ends the connection | reset | refused |
"""

from h2.errors import ErrorCodes

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp, memcpy

from fastpay._native.hpack cimport BLOCK_BROKEN, Inflater
from fastpay._native.http2_control cimport (
    COMPRESSION_ERROR,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_CLOSED,
    ControlFrames,
    read_number,
)
from fastpay._native.http2_events cimport CONTENT, REQUEST, TERMINATED, TRAILERS
from fastpay._native.http2_streams cimport (
    CLOSED,
    CONTINUATION,
    DATA,
    END_STREAM,
    FLAG_ACK,
    FLAG_BLOCK_ENDS,
    FLAG_ENDS,
    FLAG_PADDED,
    FLAG_PRIORITY,
    GOAWAY,
    HALF_CLOSED_REMOTE,
    HEAD_BYTES,
    HEADERS,
    IDLE,
    NOTHING,
    OPEN,
    OUR_RESET,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    THEIR_RESET,
    WINDOW_BYTES,
    WINDOW_MAX,
    WINDOW_UPDATE,
    ClosedBy,
    StreamRecord,
)

cdef bytes PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

cdef Py_ssize_t PREFACE_BYTES = len(PREFACE)


cdef inline Py_ssize_t _length(const uint8_t* head) noexcept:
    return <Py_ssize_t>head[0] << 16 | <Py_ssize_t>head[1] << 8 | head[2]


@cython.final
cdef class Http2Codec(ControlFrames):
    """One connection: bytes in by `read`, bytes out by `data_to_send`."""

    def __cinit__(
        self,
        *,
        bytes settings not None,
        Py_ssize_t header_bytes_max,
        Py_ssize_t header_count_max,
        Py_ssize_t streams_max,
        Py_ssize_t frame_bytes_max,
        **_,
    ):
        # Twice the accepted size, as the oracle.
        self.inflater = Inflater(2 * header_bytes_max, 2 * header_count_max)
        self.block_bytes_max = 2 * header_bytes_max
        self.settings = settings
        self.rest = self.block = b""
        self.streams_max = streams_max
        self.frame_bytes_max = frame_bytes_max

    def initiate_connection(self) -> None:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self.settings)
        memcpy(self.put(size, SETTINGS, 0, 0), PyBytes_AS_STRING(self.settings), size)

    def read(self, bytes data not None) -> tuple:
        cdef Py_ssize_t used, due
        cdef list events = []
        self.events = events
        if self.preface_bytes < PREFACE_BYTES:
            # RFC 9113 3.4.
            due = min(PREFACE_BYTES - self.preface_bytes, PyBytes_GET_SIZE(data))
            if memcmp(PyBytes_AS_STRING(PREFACE) + self.preface_bytes, PyBytes_AS_STRING(data), due):
                return events, ErrorCodes.PROTOCOL_ERROR
            self.preface_bytes += due
            data = data[due:]
        if self.rest:
            data = self.rest + data
        used = self.walk(<const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        self.rest = data[used:]
        return events, None if self.fault < 0 else ErrorCodes(self.fault)

    def read_on(self, bytes data not None) -> list:
        cdef list events = []
        cdef const uint8_t* head
        cdef Py_ssize_t left, used, offset = 0
        cdef uint32_t number, value
        data = self.rest + data
        self.events = events
        while offset < PyBytes_GET_SIZE(data):
            head = <const uint8_t*>PyBytes_AS_STRING(data) + offset
            left = PyBytes_GET_SIZE(data) - offset
            if self.skip:
                used = min(self.skip, left)
                self.skip -= used
                offset += used
                continue
            if left < HEAD_BYTES:
                break
            if _length(head) != 4 or head[3] not in (RST_STREAM, WINDOW_UPDATE):
                self.skip = HEAD_BYTES + _length(head)
                continue
            if left < HEAD_BYTES + 4:
                break
            offset += HEAD_BYTES + 4
            number = read_number(head + 5) & WINDOW_MAX
            value = read_number(head + HEAD_BYTES) & WINDOW_MAX
            if self.is_dead:
                continue
            if head[3] == RST_STREAM and number:
                self.take_reset(number)
            elif head[3] == WINDOW_UPDATE and value:
                self.open_window(number, value)
        self.rest = data[offset:]
        return events

    # Frames.

    cdef Py_ssize_t walk(self, const uint8_t* data, Py_ssize_t size) except -1:
        """Take the complete frames, up to an error; return how many bytes they have."""
        cdef Py_ssize_t offset = 0, length
        cdef const uint8_t* head
        cdef uint32_t number
        while size - offset >= HEAD_BYTES:
            head = data + offset
            length = _length(head)
            number = read_number(head + 5) & WINDOW_MAX
            if self.check_head(head[3], number, length) or size - offset - HEAD_BYTES < length:
                break
            offset += HEAD_BYTES + length
            self.take_frame(head[3], head[4], number, head + HEAD_BYTES, length)
            if self.fault >= 0:
                break
        return offset

    cdef int check_head(self, int kind, uint32_t number, Py_ssize_t size) noexcept:
        """Return whether a frame ends the connection by its header alone, before the rest arrives."""
        if kind in (SETTINGS, PING, GOAWAY):
            if number:
                self.fault = PROTOCOL_ERROR
        elif kind <= CONTINUATION and kind != WINDOW_UPDATE and not number:
            self.fault = PROTOCOL_ERROR
        if self.fault < 0 and size > self.frame_bytes_max:
            # RFC 9113 4.2.
            self.fault = FRAME_SIZE_ERROR
        if self.fault < 0 and self.in_block and (kind != CONTINUATION or number != self.block_stream):
            # RFC 9113 6.10.
            self.fault = PROTOCOL_ERROR
        return self.fault >= 0

    cdef int take_frame(
        self, int kind, int flags, uint32_t number, const uint8_t* body, Py_ssize_t size
    ) except -1:
        if kind == DATA:
            return self.take_data(flags, number, body, size)
        if kind == HEADERS:
            return self.take_headers(flags, number, body, size)
        if kind == CONTINUATION:
            if self.in_block:
                return self.extend_block(flags, body, size)
            self.fault = PROTOCOL_ERROR
        elif kind == PRIORITY:
            if size != 5:
                # RFC 9113 6.3.
                return self.fail(number, FRAME_SIZE_ERROR)
            if read_number(body) & WINDOW_MAX == number:
                return self.fail(number, PROTOCOL_ERROR)
        elif kind == RST_STREAM:
            if size == 4:
                return self.take_reset(number)
            self.fault = FRAME_SIZE_ERROR
        elif kind == SETTINGS:
            return self.take_settings(flags, body, size)
        elif kind == PUSH_PROMISE:
            # RFC 9113 8.4: a client cannot push.
            self.fault = FRAME_SIZE_ERROR if size < 4 + bool(flags & FLAG_PADDED) else PROTOCOL_ERROR
        elif kind == PING:
            if size != 8:
                self.fault = FRAME_SIZE_ERROR
            elif not flags & FLAG_ACK:
                memcpy(self.put(8, PING, FLAG_ACK, 0), body, 8)
        elif kind == GOAWAY:
            # The client accepts no streams from the server, which opens none. It still waits for responses.
            if size < 8:
                self.fault = FRAME_SIZE_ERROR
            else:
                self.events.append((TERMINATED, 0, None, 0, False))
        elif kind == WINDOW_UPDATE:
            return self.take_window(number, body, size)
        return 0

    cdef int take_data(self, int flags, uint32_t number, const uint8_t* body, Py_ssize_t size) except -1:
        cdef Py_ssize_t frame_bytes = size, padding = 0
        cdef StreamRecord stream
        if flags & FLAG_PADDED:
            if not size:
                self.fault = FRAME_SIZE_ERROR
                return 0
            padding = body[0]
            if padding and padding >= size:
                self.fault = PROTOCOL_ERROR
                return 0
            body += 1
            size -= 1 + padding
        if not self.has_begun:
            self.is_dead = True
            self.fault = PROTOCOL_ERROR
            return 0
        self.receive_window -= frame_bytes
        if self.receive_window < 0:
            self.fault = FLOW_CONTROL_ERROR
            return 0
        if self.how_closed(number) == OUR_RESET:
            self.dropped += 1
        else:
            stream = self.streams.get(number)
            if stream is None and self.is_idle(number):
                # RFC 9113 5.1.
                self.fault = PROTOCOL_ERROR
                return 0
            if self.take_content(stream, number, flags & FLAG_ENDS, body, size, frame_bytes):
                return 0
        # The frame counts against the connection's window in every state of its stream (RFC 9113 5.1).
        self.events.append((CONTENT, number, b"", frame_bytes, False))
        return 0

    cdef int take_content(
        self,
        StreamRecord stream,
        uint32_t number,
        bint ends,
        const uint8_t* content,
        Py_ssize_t size,
        Py_ssize_t frame_bytes,
    ) except -1:
        """Take the content of a DATA frame; return whether its stream takes it."""
        if stream is None or stream.state == CLOSED:
            self.tell_reset(number, STREAM_CLOSED)
            return 0
        if stream.state == HALF_CLOSED_REMOTE:
            self.close(stream, number, OUR_RESET)
            self.tell_reset(number, STREAM_CLOSED)
            return 0
        stream.receive_window -= frame_bytes
        if stream.receive_window < 0:
            self.fail(number, FLOW_CONTROL_ERROR)
            return 0
        self.events.append((
            CONTENT, number, PyBytes_FromStringAndSize(<const char*>content, size), frame_bytes, ends
        ))
        if ends:
            self.end_receiving(stream, number)
        return 1

    cdef int take_headers(self, int flags, uint32_t number, const uint8_t* body, Py_ssize_t size) except -1:
        cdef Py_ssize_t padding = 0, start = 0
        cdef long long parent = -1
        if flags & FLAG_PADDED:
            if not size:
                self.fault = FRAME_SIZE_ERROR
                return 0
            padding = body[0]
            body += 1
            size -= 1
        if flags & FLAG_PRIORITY:
            if size < 5:
                self.fault = FRAME_SIZE_ERROR
                return 0
            parent = read_number(body) & WINDOW_MAX
            start = 5
        if padding and padding >= size:
            self.fault = PROTOCOL_ERROR
            return 0
        size = max(size - padding - start, 0)
        if flags & FLAG_BLOCK_ENDS:
            return self.take_block(flags, number, parent, body + start, size)
        self.in_block = True
        self.block = b""
        self.block_stream = number
        self.block_flags = flags
        self.block_parent = parent
        return self.extend_block(0, body + start, size)

    cdef int extend_block(self, int flags, const uint8_t* body, Py_ssize_t size) except -1:
        cdef bytes block
        self.block += PyBytes_FromStringAndSize(<const char*>body, size)
        if PyBytes_GET_SIZE(self.block) > self.block_bytes_max:
            self.fault = ENHANCE_YOUR_CALM
        elif flags & FLAG_BLOCK_ENDS:
            block, self.block = self.block, b""
            self.in_block = False
            self.take_block(
                self.block_flags,
                self.block_stream,
                self.block_parent,
                <const uint8_t*>PyBytes_AS_STRING(block),
                PyBytes_GET_SIZE(block),
            )
        return 0

    cdef int take_block(
        self, int flags, uint32_t number, long long parent, const uint8_t* block, Py_ssize_t size
    ) except -1:
        cdef list fields = []
        # Decode first, whatever happens to the stream: the compression state of later blocks depends on it
        # (RFC 9113 4.3).
        cdef int broken = self.inflater.append(fields, block, size)
        cdef StreamRecord stream
        if broken:
            self.fault = COMPRESSION_ERROR if broken == BLOCK_BROKEN else ENHANCE_YOUR_CALM
            return 0
        self.has_begun = True
        if self.how_closed(number) == OUR_RESET:
            self.dropped += 1
            return 0
        stream = self.find_or_open(number)
        if stream is None:
            return 0
        if parent == number:
            return self.fail(number, PROTOCOL_ERROR)
        return self.take_fields(stream, number, fields, flags & FLAG_ENDS)

    cdef StreamRecord find_or_open(self, uint32_t number):
        """Return the stream of a HEADERS frame, or None after a reset or an error."""
        cdef StreamRecord stream = self.streams.get(number)
        cdef ClosedBy how
        if stream is not None:
            return stream
        if number % 2 == 0:
            self.fault = PROTOCOL_ERROR
            return None
        if number <= self.highest_stream:
            how = self.closed.get(number, NOTHING)
            if how == THEIR_RESET:
                self.put_reset(number, STREAM_CLOSED)
            else:
                self.fault = STREAM_CLOSED if how == END_STREAM else PROTOCOL_ERROR
            return None
        self.forget_closed()
        self.highest_stream = number
        if self.open_count >= self.streams_max:
            self.remember(number, OUR_RESET)
            self.put_reset(number, REFUSED_STREAM)
            return None
        stream = StreamRecord.__new__(StreamRecord)
        stream.state = IDLE
        stream.send_window = self.initial_window
        stream.receive_window = WINDOW_BYTES
        self.streams[number] = stream
        self.open_count += 1
        return stream

    cdef int take_fields(self, StreamRecord stream, uint32_t number, list fields, bint ends) except -1:
        cdef int kind = TRAILERS
        if stream.state == CLOSED:
            if stream.closed_by == THEIR_RESET:
                return self.put_reset(number, STREAM_CLOSED)
            self.fault = STREAM_CLOSED
            return 0
        if stream.state == HALF_CLOSED_REMOTE:
            self.close(stream, number, OUR_RESET)
            return self.tell_reset(number, STREAM_CLOSED)
        if stream.state == IDLE:
            kind = REQUEST
            stream.state = OPEN
        elif stream.trailers_received:
            # RFC 9113 8.1.
            return self.fail(number, PROTOCOL_ERROR)
        else:
            stream.trailers_received = True
        self.events.append((kind, number, fields, 0, ends))
        if ends:
            self.end_receiving(stream, number)
        return 0
