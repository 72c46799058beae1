from fastpay._native.http1 cimport Connection
from fastpay._native.peers cimport Peer, Peers
from fastpay._native.poller cimport AcceptHandler, Poller
from fastpay._native.service cimport Service


cdef class Acceptor(AcceptHandler):
    cdef Poller poller
    cdef Service service
    cdef Peers peers
    cdef object context
    cdef object group_of
    cdef object now_ns
    cdef object take
    cdef object take_handshake
    cdef object turn_away
    cdef Py_ssize_t connections_max
    cdef Py_ssize_t handshakes_max
    cdef int listening

    cdef int _admit(self, int descriptor, str host, bint is_ipv4, int port) except -1
    cdef int _refuse(self, int descriptor, int reason, Peer peer) except -1
