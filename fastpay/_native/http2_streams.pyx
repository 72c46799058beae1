"""The streams of one HTTP/2 connection, and the frames that are sent on them.

A closed stream stays in `streams` until the next one opens, and then in `closed` until many more have.
"""

from collections import deque

from h2.exceptions import ProtocolError

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE, PyByteArray_Resize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t
from libc.string cimport memcpy

from fastpay._native.hpack cimport Deflater


cdef inline void _write_number(char* data, uint32_t value) noexcept:
    data[0] = <char>(value >> 24)
    data[1] = <char>(value >> 16)
    data[2] = <char>(value >> 8)
    data[3] = <char>value


cdef inline void _write_head(char* data, Py_ssize_t size, int kind, int flags, uint32_t number) noexcept:
    data[0] = <char>(size >> 16)
    data[1] = <char>(size >> 8)
    data[2] = <char>size
    data[3] = <char>kind
    data[4] = <char>flags
    _write_number(data + 5, number)


@cython.final
@cython.freelist(256)
cdef class StreamRecord:
    """The state and the windows of one stream."""


cdef class StreamTable:
    """The states of the streams, and the output that waits to be taken."""

    def __cinit__(self, *, Py_ssize_t table_bytes_max, Py_ssize_t closed_streams_max, **_):
        self.max_outbound_frame_size = 16_384
        self.deflater = Deflater(table_bytes_max)
        self.output = bytearray()
        self.streams = {}
        self.just_closed = []
        self.closed = {}
        self.closed_order = deque()
        self.remembered_max = closed_streams_max
        self.send_window = self.receive_window = WINDOW_BYTES

    @property
    def output_bytes(self):
        return PyByteArray_GET_SIZE(self.output)

    def data_to_send(self) -> bytes:
        cdef bytes data = bytes(self.output)
        self.output = bytearray()
        return data

    def take_wasted(self) -> tuple:
        cdef tuple wasted = (self.provoked, self.dropped)
        self.provoked = self.dropped = 0
        return wasted

    def local_flow_control_window(self, uint32_t number) -> int:
        cdef StreamRecord stream = self.need(number)
        if stream.state == CLOSED:
            raise ProtocolError("the stream is closed")
        return min(self.send_window, stream.send_window)

    def send_headers(self, uint32_t number, list fields not None, bint end_stream=False) -> None:
        cdef StreamRecord stream = self.need(number)
        cdef bint is_informational = fields[0][1][:1] == b"1"
        cdef Py_ssize_t start = PyByteArray_GET_SIZE(self.output)
        cdef Py_ssize_t size
        if stream.state > HALF_CLOSED_REMOTE or stream.head_sent or (is_informational and end_stream):
            raise ProtocolError("a head that is not due")
        stream.head_sent = not is_informational
        PyByteArray_Resize(self.output, start + HEAD_BYTES)
        self.deflater.append(self.output, fields)
        size = PyByteArray_GET_SIZE(self.output) - start - HEAD_BYTES
        if size > self.max_outbound_frame_size:
            self._split_block(start, number, end_stream)
        else:
            _write_head(
                PyByteArray_AS_STRING(self.output) + start,
                size,
                HEADERS,
                FLAG_BLOCK_ENDS | (FLAG_ENDS if end_stream else 0),
                number,
            )
        if end_stream:
            self.end_sending(stream, number)

    def _split_block(self, Py_ssize_t start, uint32_t number, bint end_stream) -> None:
        """Send the block at the end of the output in several frames."""
        cdef bytes block = bytes(self.output[start + HEAD_BYTES:])
        cdef Py_ssize_t offset = 0, size, total = PyBytes_GET_SIZE(block)
        cdef int flags = FLAG_ENDS if end_stream else 0
        cdef int kind = HEADERS
        PyByteArray_Resize(self.output, start)
        while offset < total:
            size = min(total - offset, self.max_outbound_frame_size)
            if offset + size == total:
                flags |= FLAG_BLOCK_ENDS
            memcpy(self.put(size, kind, flags, number), PyBytes_AS_STRING(block) + offset, size)
            offset += size
            kind = CONTINUATION
            flags = 0

    def send_data(self, uint32_t number, bytes data not None, bint end_stream=False) -> None:
        cdef StreamRecord stream = self.need(number)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        if stream.state > HALF_CLOSED_REMOTE:
            raise ProtocolError("DATA after END_STREAM")
        if size > min(self.send_window, stream.send_window, <long long>self.max_outbound_frame_size):
            raise ProtocolError("DATA beyond a window or the size of a frame")
        self.send_window -= size
        stream.send_window -= size
        memcpy(self.put(size, DATA, FLAG_ENDS if end_stream else 0, number), PyBytes_AS_STRING(data), size)
        if end_stream:
            self.end_sending(stream, number)

    def end_stream(self, uint32_t number) -> None:
        cdef StreamRecord stream = self.need(number)
        if stream.state > HALF_CLOSED_REMOTE:
            raise ProtocolError("END_STREAM again")
        self.put(0, DATA, FLAG_ENDS, number)
        self.end_sending(stream, number)

    def reset_stream(self, uint32_t number, uint32_t code=0) -> None:
        cdef StreamRecord stream = self.need(number)
        if stream.state == CLOSED:
            raise ProtocolError("the stream is closed")
        self.close(stream, number, OUR_RESET)
        self.put_reset(number, code)

    def reset_answered(self, uint32_t number, uint32_t code) -> None:
        cdef StreamRecord stream = self.streams.get(number)
        if stream is not None:
            self.close(stream, number, OUR_RESET)
        self.remember(number, OUR_RESET)
        self.put_number(RST_STREAM, number, code)

    def increment_flow_control_window(self, long long increment, uint32_t number=0) -> None:
        cdef StreamRecord stream
        if not 1 <= increment <= WINDOW_MAX:
            raise ValueError("an increment is between 1 and 2^31-1")
        if number:
            stream = self.need(number)
            if stream.state == CLOSED or stream.receive_window + increment > WINDOW_MAX:
                raise ProtocolError("the window cannot be opened")
            stream.receive_window += increment
        else:
            if self.receive_window + increment > WINDOW_MAX:
                raise ProtocolError("the window cannot be opened")
            self.receive_window += increment
        self.put_number(WINDOW_UPDATE, number, <uint32_t>increment)

    cdef StreamRecord need(self, uint32_t number):
        """Return a stream. Raises: ProtocolError if it was never opened or is closed for long."""
        cdef StreamRecord stream = self.streams.get(number)
        if stream is None:
            raise ProtocolError(f"stream {number} is not known")
        return stream

    cdef ClosedBy how_closed(self, uint32_t number) except *:
        """Return how a stream ended, if it did."""
        cdef StreamRecord stream = self.streams.get(number)
        return stream.closed_by if stream is not None else self.closed.get(number, NOTHING)

    cdef int close(self, StreamRecord stream, uint32_t number, ClosedBy how) except -1:
        """Close a stream, or record another reason why it is closed."""
        if stream.state != CLOSED:
            stream.state = CLOSED
            self.open_count -= 1
            self.just_closed.append(number)
        stream.closed_by = how
        return 0

    cdef int remember(self, uint32_t number, ClosedBy how) except -1:
        if number not in self.closed:
            self.closed_order.append(number)
            if len(self.closed_order) > self.remembered_max:
                del self.closed[self.closed_order.popleft()]
        self.closed[number] = how
        return 0

    cdef int forget_closed(self) except -1:
        """Move the streams that have closed since the last call out of the table."""
        cdef StreamRecord stream
        if len(self.just_closed) > 1:
            self.just_closed.sort()
        for number in self.just_closed:
            stream = self.streams.pop(number)
            self.remember(number, stream.closed_by)
        self.just_closed.clear()
        return 0

    cdef bint is_idle(self, uint32_t number) noexcept:
        return number % 2 == 0 or number > self.highest_stream

    cdef int end_sending(self, StreamRecord stream, uint32_t number) except -1:
        if stream.state == OPEN:
            stream.state = HALF_CLOSED_LOCAL
        else:
            self.close(stream, number, END_STREAM)
        return 0

    cdef char* put(self, Py_ssize_t size, int kind, int flags, uint32_t number) except NULL:
        """Append a frame; return where its content goes. The pointer is valid until the next frame."""
        cdef Py_ssize_t start = PyByteArray_GET_SIZE(self.output)
        cdef char* head
        PyByteArray_Resize(self.output, start + HEAD_BYTES + size)
        head = PyByteArray_AS_STRING(self.output) + start
        _write_head(head, size, kind, flags, number)
        return head + HEAD_BYTES

    cdef int put_number(self, int kind, uint32_t number, uint32_t value) except -1:
        """Append a frame whose content is one number."""
        _write_number(self.put(4, kind, 0, number), value)
        return 0

    cdef int put_reset(self, uint32_t number, uint32_t code) except -1:
        """Append a RST_STREAM that the client provoked, or has to pay for."""
        self.provoked += 1
        return self.put_number(RST_STREAM, number, code)
