"""Accepts connections, within bounds for each client address.

A connection beyond its address's bound costs an accept, one look-up and a close: no object is made for it.
When the maximum of connections is open, the longest waiting connection of the address with the most is
closed, so that a new address always gets in.
"""

import logging

cimport cython
from libc.errno cimport EAGAIN, ECONNABORTED, EINTR, errno as last_error
from posix.unistd cimport close

from fastpay._native.poller cimport Endpoint
from fastpay._native.tls cimport Tls

from fastpay._native.service import CONNECTION_RATE, CONNECTION_SHARE, HANDSHAKE_RATE

logger = logging.getLogger(__name__)

cdef extern from "Python.h":
    str PyUnicode_FromString(const char* text)

cdef extern from "<netinet/in.h>" nogil:
    enum:
        AF_INET
        AF_INET6
        INET6_ADDRSTRLEN
    struct in_addr:
        pass
    struct in6_addr:
        pass
    struct sockaddr_in:
        unsigned short sin_port
        in_addr sin_addr
    struct sockaddr_in6:
        unsigned short sin6_port
        in6_addr sin6_addr
        unsigned int sin6_scope_id
    unsigned short ntohs(unsigned short value)

cdef extern from "<arpa/inet.h>" nogil:
    const char* inet_ntop(int family, const void* source, char* target, unsigned int size)

cdef extern from "<sys/socket.h>" nogil:
    struct sockaddr:
        unsigned short sa_family
    struct sockaddr_storage:
        unsigned short ss_family
    struct linger:
        int l_onoff
        int l_linger
    enum:
        SOCK_NONBLOCK
        SOCK_CLOEXEC
        SOL_SOCKET
        SO_LINGER
        MSG_NOSIGNAL
    int accept4(int descriptor, sockaddr* address, unsigned int* length, int flags)
    int setsockopt(int descriptor, int level, int name, const void* value, unsigned int length)
    ssize_t send(int descriptor, const void* data, size_t length, int flags)

cdef enum:
    # The maximum accepted in one turn, before open connections are served.
    ACCEPTS_MAX = 64


@cython.final
cdef class Acceptor(AcceptHandler):
    """Accepts or refuses connections."""

    def __init__(self, Poller poller, Service service, admission, context):
        self.poller = poller
        self.service = service
        self.peers = service.peers
        self.context = context
        # Looked up once, not for every connection.
        self.group_of = admission.group_of
        self.now_ns = admission.now_ns
        self.take = admission.connects.take
        self.take_handshake = admission.handshakes.take
        self.turn_away = admission.turn_away
        self.connections_max = admission.connections_max
        self.handshakes_max = admission.handshakes_max
        self.listening = poller.listening

    cdef int open_some(self) except -1:
        cdef sockaddr_storage address
        cdef unsigned int length
        cdef int descriptor
        cdef char text[INET6_ADDRSTRLEN]
        cdef const char* written
        cdef int port
        for _ in range(ACCEPTS_MAX):
            if self.poller.listener is None:
                return 0
            length = sizeof(address)
            address.ss_family = 0
            descriptor = accept4(
                self.listening, <sockaddr*>&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC
            )
            if descriptor < 0:
                if last_error == EINTR or last_error == ECONNABORTED:
                    continue
                if last_error != EAGAIN:
                    self.poller.rest(last_error)
                return 0
            written = NULL
            port = 0
            if address.ss_family == AF_INET:
                written = inet_ntop(AF_INET, &(<sockaddr_in*>&address).sin_addr, text, INET6_ADDRSTRLEN)
                port = ntohs((<sockaddr_in*>&address).sin_port)
            elif address.ss_family == AF_INET6:
                written = inet_ntop(AF_INET6, &(<sockaddr_in6*>&address).sin6_addr, text, INET6_ADDRSTRLEN)
                port = ntohs((<sockaddr_in6*>&address).sin6_port)
            try:
                host = None if written == NULL else PyUnicode_FromString(written)
                self._admit(descriptor, host, address.ss_family == AF_INET, port)
            except Exception:
                logger.exception("accept_failed")
                close(descriptor)
        return 0

    cdef int _admit(self, int descriptor, str host, bint is_ipv4, int port) except -1:
        cdef Service service = self.service
        cdef Endpoint endpoint
        # An IPv4 address is its own group.
        cdef str name = host if is_ipv4 else self.group_of(host)
        cdef Peer peer = self.peers.find(name, host)
        if not peer.is_exempt:
            now_ns = self.now_ns()
            if peer.connections >= self.connections_max:
                return self._refuse(descriptor, CONNECTION_SHARE, peer)
            if not self.take(name, now_ns):
                return self._refuse(descriptor, CONNECTION_RATE, peer)
            if self.context is not None:
                if peer.handshakes >= self.handshakes_max or not self.take_handshake(name, now_ns):
                    return self._refuse(descriptor, HANDSHAKE_RATE, peer)
        if service.connection_count >= service.connections_max:
            self.peers.make_room()
        if self.context is None:
            endpoint = Connection.__new__(Connection)
            (<Connection>endpoint).service = service
        else:
            endpoint = Tls(service, self.context)
        # All IPv4 connections of a peer share one string object.
        endpoint.client_host = peer.name if is_ipv4 else host
        endpoint.client_port = port
        self.peers.join(endpoint, peer)
        self.poller.adopt(descriptor, endpoint)
        return 0

    cdef int _refuse(self, int descriptor, int reason, Peer peer) except -1:
        # Send the refusal, if there is one, and close: no state is kept for a refused connection.
        cdef linger option
        cdef bytes answer = self.turn_away(reason, peer.name)
        if answer is not None:
            send(descriptor, <const char*>answer, len(answer), MSG_NOSIGNAL)
        else:
            # A reset leaves no state behind, not even a port in TIME_WAIT.
            option.l_onoff = 1
            option.l_linger = 0
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, sizeof(option))
        close(descriptor)
        return 0
