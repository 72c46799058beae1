from fastpay._native.http2_exchange cimport Http2Channel, Http2Exchange
from fastpay._native.poller cimport Endpoint
from fastpay._native.service cimport Service


cdef class Http2Owner(Endpoint):
    # What the streams tell their connection: there is output; a request is complete, or answered to its end;
    # a DATA frame of some size was sent.
    cdef int note_output(self) except -1
    cdef int note_request(self) except -1
    cdef int note_answer(self) except -1
    cdef int note_data(self) except -1


cdef class ServedStreams(Http2Channel):
    cdef Http2Owner owner
    cdef Service service
    # The codec of `server/http2_events.py`.
    cdef object codec
    cdef tuple client
    # Returns status, fields and body of a refusal.
    cdef object refuse
    # Streams that were answered before their requests were complete.
    cdef object lingering
    cdef readonly dict streams
    cdef double body_seconds
    cdef bint writable
    # Whether streams have more to send than fits into the output buffer.
    cdef bint is_full

    cdef double now(self) except -1
    cdef int pump_all(self) except -1
    cdef bint pump_more(self) except -1
    cdef int hold(self, Http2Exchange exchange) except -1
    cdef tuple payers_of(self, dict scope)
    cdef int credit_stream(self, object number, Py_ssize_t count) except -1
    cdef int open_window(self, Http2Exchange exchange, Py_ssize_t count) except -1
    cdef bint lacks(self, Http2Exchange exchange) except -1
    cdef int decline(self, Http2Exchange exchange, int reason) except -1
    cdef int reset(self, Http2Exchange exchange, object code) except -1
    cdef int throw_away(self, object number, Py_ssize_t count) except -1
    cdef int stop_lingering(self, object number) except -1
    cdef int _pump(self, Http2Exchange exchange) except -1
    cdef Py_ssize_t _sendable(self, Http2Exchange exchange) except -1
    cdef int _forget(self, Http2Exchange exchange) except -1
    cdef bint _send_head(self, Http2Exchange exchange, list fields, bint ends) except -1
    cdef bint _send_data(self, Http2Exchange exchange, bytes data, bint ends) except -1
    cdef int _finish(self, Http2Exchange exchange) except -1
