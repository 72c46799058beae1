from fastpay._native.poller cimport Endpoint, Stream
from fastpay._native.service cimport Service


cdef class Tls(Endpoint):
    cdef Service service
    cdef Stream stream
    # Reads and writes the plain bytes, after the handshake.
    cdef object protocol
    cdef Endpoint endpoint
    cdef object incoming
    cdef object outgoing
    cdef object channel
    # Decrypted and not yet delivered.
    cdef list records
    # Counts the bytes that cannot be decrypted yet, if they are more than the allowance of every
    # connection.
    cdef object holding
    cdef Py_ssize_t discarded
    cdef unsigned char counted
    cdef unsigned char established
    cdef unsigned char paused
    cdef unsigned char closing
    cdef unsigned char ended
    cdef unsigned char scheduled

    cdef int _shake_hands(self) except -1
    cdef int _hand_over(self) except -1
    cdef int _take(self, bytes data) except -1
    cdef int _decrypt(self) except -1
    cdef int _deliver(self) except -1
    cdef int _send(self) except -1
    cdef int _leave(self) except -1
    cdef int _hold(self, Py_ssize_t size) except -1
    cdef int _let_go(self) except -1
    cdef tuple payers(self)
    cdef int _fail(self, object error) except -1
    cdef int expire(self) except -1
    cdef int evict(self) except -1
