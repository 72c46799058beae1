from fastpay._native.exchange cimport Answerable


cdef class Http2Channel:
    # What an exchange needs from its connection.
    cdef int respond(self, Http2Exchange exchange) except -1
    cdef int pump(self, Http2Exchange exchange) except -1
    cdef int want_body(self, Http2Exchange exchange, Py_ssize_t count) except -1
    cdef int handler_done(self, Http2Exchange exchange, object error) except -1
    cdef int start(self, Http2Exchange exchange, object coroutine) except -1


cdef class Http2Exchange(Answerable):
    cdef Http2Channel channel
    # The number of the stream, as the codec has it.
    cdef object number
    cdef dict scope
    # The received part of the body that the application has not read; None if there is none.
    cdef object body
    cdef Py_ssize_t body_bytes
    # Content-Length, or -1.
    cdef long long length
    # Bytes that were read but not yet given back to the window.
    cdef Py_ssize_t window_owed
    cdef double body_due
    # Counts the bytes held here, if they are more than a few. `head_bytes` is the head's part of them.
    cdef object holding
    cdef Py_ssize_t head_bytes
    # For the metrics; 0 is a stream that no application sees.
    cdef long long begun_ns
    # The client sends no more; the whole body has arrived and is valid.
    cdef readonly bint input_ended
    cdef readonly bint body_complete
    # Set for a complete request without a body, before the application gets it.
    cdef bint is_plain
    cdef bint expects
    cdef bint malformed
    # A handler is to be started at the end of the packet; a handler runs.
    cdef bint scheduled
    cdef bint running
    cdef bint delivered
    # The response: its fields, the unsent part of its body (None if there is none), and since when the client
    # does not take it.
    cdef list fields
    cdef object pending
    cdef double pending_since
    cdef long long left
    cdef bint has_date
    cdef bint bodiless
    cdef bint head_sent
    # Everything has been handed over.
    cdef bint ends
    cdef object reader
    cdef object writer

    cdef int feed(self, bytes data) except -1
    cdef int finish_body(self) except -1
    cdef int drained(self) except -1
    cdef int lose(self) except -1
    cdef int let_go(self) except -1
    cdef Py_ssize_t unread_bytes(self) except -1
    cdef Py_ssize_t unsent_bytes(self) except -1
    cdef Py_ssize_t held_bytes(self) except -1
    cdef int add_pending(self, bytes data) except -1
    cdef bytes take_pending(self, Py_ssize_t size)
    cdef object bind_receive(self)
    cdef object bind_send(self)
    cdef bint _has_input(self) noexcept
    cdef dict _take(self)
    cdef int _start(self, dict message) except -1
    cdef int _add_field(self, list fields, bytes name, bytes value) except -1
    cdef int _continue(self, dict message) except -1
