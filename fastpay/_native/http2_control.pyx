"""The frames of an HTTP/2 client that are not requests: settings, windows, resets."""

from libc.stdint cimport uint8_t, uint32_t

from fastpay._native.http2_events cimport RESET, SETTINGS_CHANGED, WINDOW_OPENED
from fastpay._native.http2_streams cimport (
    CLOSED,
    END_STREAM,
    FLAG_ACK,
    HALF_CLOSED_REMOTE,
    NOTHING,
    OPEN,
    OUR_RESET,
    SETTINGS,
    THEIR_RESET,
    WINDOW_BYTES,
    WINDOW_MAX,
    StreamRecord,
    StreamTable,
)

cdef enum:
    # RFC 9113 6.5.2.
    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    ENABLE_CONNECT_PROTOCOL = 8

    FRAME_BYTES_LEAST = 16_384
    FRAME_BYTES_MOST = 0xFFFFFF


cdef class ControlFrames(StreamTable):
    """A table of streams that follows what the client says about them."""

    def __cinit__(self, **_):
        self.fault = -1
        self.initial_window = WINDOW_BYTES

    cdef int take_settings(self, int flags, const uint8_t* body, Py_ssize_t size) except -1:
        cdef dict changes = {}
        cdef Py_ssize_t offset
        if size % 6 or (flags & FLAG_ACK and size):
            # RFC 9113 6.5.
            self.fault = FRAME_SIZE_ERROR
        elif not flags & FLAG_ACK:
            for offset in range(0, size, 6):
                changes[<int>body[offset] << 8 | body[offset + 1]] = read_number(body + offset + 2)
            self.check_settings(changes)
            if self.fault < 0:
                self.apply_settings(changes)
        return 0

    cdef int check_settings(self, dict changes) except -1:
        cdef int name
        cdef uint32_t value
        for name, value in changes.items():
            if name == INITIAL_WINDOW_SIZE and value > WINDOW_MAX:
                self.fault = FLOW_CONTROL_ERROR
                return 0
            if (name in (ENABLE_PUSH, ENABLE_CONNECT_PROTOCOL) and value > 1) or (
                name == MAX_FRAME_SIZE and not FRAME_BYTES_LEAST <= value <= FRAME_BYTES_MOST
            ):
                self.fault = PROTOCOL_ERROR
                return 0
        return 0

    cdef int apply_settings(self, dict changes) except -1:
        cdef StreamRecord stream
        cdef long long window = changes.get(INITIAL_WINDOW_SIZE, self.initial_window)
        cdef long long added = window - self.initial_window
        self.initial_window = window
        if added:
            for stream in self.streams.values():
                if stream.send_window + added > WINDOW_MAX:
                    # RFC 9113 6.9.2.
                    self.fault = FLOW_CONTROL_ERROR
                    return 0
                stream.send_window += added
        if HEADER_TABLE_SIZE in changes:
            self.deflater.set_table_bytes(changes[HEADER_TABLE_SIZE])
        self.max_outbound_frame_size = changes.get(MAX_FRAME_SIZE, self.max_outbound_frame_size)
        self.put(0, SETTINGS, FLAG_ACK, 0)
        self.events.append((SETTINGS_CHANGED, 0, None, 0, False))
        return 0

    cdef int take_window(self, uint32_t number, const uint8_t* body, Py_ssize_t size) except -1:
        if size != 4:
            self.fault = FRAME_SIZE_ERROR
            return 0
        if not 1 <= read_number(body) <= WINDOW_MAX:
            # RFC 9113 6.9.
            if number:
                return self.fail(number, PROTOCOL_ERROR)
            self.fault = PROTOCOL_ERROR
            return 0
        return self.open_window(number, read_number(body))

    cdef int open_window(self, uint32_t number, long long increment) except -1:
        cdef StreamRecord stream
        if not number:
            if self.send_window + increment > WINDOW_MAX:
                self.fault = FLOW_CONTROL_ERROR
                return 0
            self.send_window += increment
        else:
            stream = self.streams.get(number)
            if stream is None:
                if self.is_idle(number):
                    self.fault = PROTOCOL_ERROR
                return 0
            if stream.state == CLOSED:
                return 0
            if stream.send_window + increment > WINDOW_MAX:
                return self.fail(number, FLOW_CONTROL_ERROR)
            stream.send_window += increment
        self.events.append((WINDOW_OPENED, number, None, 0, False))
        return 0

    cdef int take_reset(self, uint32_t number) except -1:
        cdef StreamRecord stream
        if self.is_idle(number):
            # RFC 9113 6.4.
            self.fault = PROTOCOL_ERROR
            return 0
        stream = self.streams.get(number)
        if stream is not None and stream.state != CLOSED:
            self.close(stream, number, THEIR_RESET)
            self.events.append((RESET, number, None, 0, False))
        return 0

    cdef int end_receiving(self, StreamRecord stream, uint32_t number) except -1:
        if stream.state == OPEN:
            stream.state = HALF_CLOSED_REMOTE
        else:
            self.close(stream, number, END_STREAM)
        return 0

    cdef int fail(self, uint32_t number, int code) except -1:
        """Reset a stream. An idle stream cannot be reset: there the error is the connection's (5.1)."""
        cdef StreamRecord stream
        if self.is_idle(number):
            self.fault = code
            return 0
        if self.how_closed(number) == OUR_RESET:
            self.dropped += 1
            return 0
        stream = self.streams.get(number)
        if stream is None or (stream.state == CLOSED and stream.closed_by != NOTHING):
            # The response may have ended the stream a moment before: the client is told all the same.
            return self.put_reset(number, code)
        self.close(stream, number, OUR_RESET)
        return self.tell_reset(number, code)

    cdef int tell_reset(self, uint32_t number, int code) except -1:
        self.events.append((RESET, number, None, 0, False))
        return self.put_reset(number, code)
