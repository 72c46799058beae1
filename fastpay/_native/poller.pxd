from fastpay._native.peers cimport Member


cdef class Endpoint(Member):
    # The client's address as ASGI has it; None for a Unix socket.
    cdef object client_host
    cdef int client_port

    cdef int received(self, bytes data) except -1
    cdef tuple payers(self)


cdef class AcceptHandler:
    cdef int open_some(self) except -1


cdef class Poller:
    cdef object loop
    cdef object bytes_budget
    cdef AcceptHandler handler
    cdef object listener
    cdef object retry
    cdef object family
    cdef int epoll
    cdef int listening

    cdef object address_of(self, int descriptor, bint of_peer, object default)
    cdef int adopt(self, int descriptor, Endpoint endpoint) except -1
    cdef int rest(self, int number) except -1
    cdef int _serve(self, Stream stream, unsigned int events) except -1
    cdef int _watch(self, Stream stream, unsigned int events) except -1


cdef class Stream:
    cdef Poller poller
    cdef object protocol
    # The protocol again if it is compiled, to be called without a look-up.
    cdef Endpoint endpoint
    cdef bytearray pending
    # Counts the pending bytes, if they are more than the allowance of every connection.
    cdef object holding
    cdef int descriptor
    cdef unsigned int watched
    cdef unsigned char paused
    cdef unsigned char ended
    cdef unsigned char closing
    cdef unsigned char lost
    cdef unsigned char protocol_paused
    cdef unsigned char eof_wanted

    cdef int put(self, bytes data) except -1
    cdef int _hold(self) except -1
    cdef int _read(self) except -1
    cdef int _write_pending(self) except -1
    cdef int _end_of_input(self) except -1
    cdef int _want(self) except -1
    cdef int _fail(self, int number) except -1
    cdef int _end(self, object error) except -1
    cdef Py_ssize_t _send(self, const char* data, Py_ssize_t length) except -2
