from fastpay._native.runner cimport Job
from fastpay._native.poller cimport Endpoint


cdef class Channel(Endpoint):
    # What an exchange needs from its connection.
    cdef int write(self, bytes data) except -1
    cdef int want_body(self) except -1
    cdef int response_done(self, Exchange exchange) except -1
    cdef int handler_done(self, Exchange exchange, object error) except -1
    cdef int start(self, Exchange exchange, object coroutine) except -1
    cdef bytes date_line(self)
    cdef bint is_draining(self) noexcept


cdef class Answerable(Job):
    cdef public int status
    # For the metrics: the number of the route, 0 until it is known.
    cdef public Py_ssize_t route
    cdef public bint is_head
    cdef public bint started
    # The client is gone, or nothing can be written any more.
    cdef public bint lost

    cdef int answer(self, int status, bytes head, bytes body, str request_id, bytes version) except -1
    cdef int go_on(self, object coroutine) except -1


cdef class Exchange(Answerable):
    cdef Channel channel
    # The received part of the body that the application has not read.
    cdef object body
    cdef object receiver
    cdef object drain
    cdef dict scope
    # The received bytes of head and body. The holding that counts them moves here when the connection
    # continues without this exchange.
    cdef Py_ssize_t taken
    cdef object holding
    cdef object client
    # The response.
    cdef list fields
    cdef Py_ssize_t field_bytes
    # For the metrics: when the head was read.
    cdef long long begun_ns
    cdef Py_ssize_t left
    cdef bint is_version_1_0
    cdef bint keep_alive
    # The client has asked for the end of the connection, so it sends no more requests.
    cdef bint client_closes
    cdef bint running
    cdef bint message_complete
    cdef bint delivered
    cdef bint expects_continue
    cdef bint disconnected
    cdef bint paused
    cdef bint head_sent
    cdef bint chunked
    cdef bint bodiless
    cdef bint complete
    cdef bint has_date

    cdef int feed(self, object data, bint complete) except -1
    cdef int disconnect(self) except -1
    cdef int pause(self) except -1
    cdef int resume(self) except -1
    cdef dict _take(self)
    cdef object bind_receive(self)
    cdef object bind_send(self)
    cdef int _start(self, dict message) except -1
    cdef bint _note(self, bytes name, bytes value) except -1
    cdef int _drop_length(self) except -1
    cdef bytes _join_head(self, const char* length_line, int length_bytes, bytes body)
    cdef int _continue(self, dict message) except -1
    cdef int _frame(self, bytes body, bint more) except -1
    cdef int _write_body(self, bytes body, bint more) except -1
    cdef bytes _encode(self, bytes body, bint more)
