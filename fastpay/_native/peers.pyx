"""The connected peers: for each client address its connections, and which of them to close first.

A peer is a group of addresses that counts as one client. It has a list of its waiting connections: those
that are idle or whose request is still incomplete, the one that has waited longest first. A connection
whose request is being answered is not in the list, and is never closed to make room.

Peers with equally many connections are linked, and `levels` has one list for each number. A peer moves by
one level when a connection is added or removed, so the peer with the most connections is found in constant
time. All links are borrowed: a member leaves its list before it is freed.
"""

cimport cython
from libc.stdlib cimport calloc, free

cdef enum:
    # How many peers without a waiting connection are checked before the new connection is refused.
    PEERS_LOOKED_AT_MAX = 64


# The collector would set `peer` to None, which `__dealloc__` needs to keep the list intact. A Peer is never
# part of a cycle: it refers to no object that the collector looks at.
@cython.no_gc_clear
cdef class Member(Node):
    """A connection as its peer sees it."""

    def __cinit__(self):
        self.longer = NULL
        self.shorter = NULL

    def __dealloc__(self):
        # Every member must leave before it is freed. This keeps the list intact if one did not.
        if self.is_waiting and self.peer is not None:
            _unlink(self)

    cdef int evict(self) except -1:
        # Close at once, and leave the peer before returning: the new connection needs the slot.
        raise NotImplementedError


@cython.final
cdef class Guest(Member):
    """A member that calls functions without arguments; for protocols that are not compiled."""

    def __init__(self, on_expire, on_evict):
        self.on_expire = on_expire
        self.on_evict = on_evict

    cdef int expire(self) except -1:
        self.on_expire()
        return 0

    cdef int evict(self) except -1:
        self.on_evict()
        return 0


@cython.final
cdef class Peer:
    """One client address, or a group of addresses that counts as one."""

    cdef void wait(self, Member member) noexcept:
        # Append a connection to the list of waiting ones.
        if member.is_waiting:
            if member.shorter == NULL:
                return
            _unlink(member)
        member.longer = self.last
        member.shorter = NULL
        if self.last != NULL:
            (<Member>self.last).shorter = <void*>member
        else:
            self.first = <void*>member
        self.last = <void*>member
        member.is_waiting = True

    cdef void work(self, Member member) noexcept:
        # Remove a connection from the list: its request is being answered.
        if member.is_waiting:
            _unlink(member)


cdef void _unlink(Member member) noexcept:
    cdef Peer peer = member.peer
    if member.longer != NULL:
        (<Member>member.longer).shorter = member.shorter
    else:
        peer.first = member.shorter
    if member.shorter != NULL:
        (<Member>member.shorter).longer = member.longer
    else:
        peer.last = member.longer
    member.longer = NULL
    member.shorter = NULL
    member.is_waiting = False


@cython.final
cdef class Peers:
    """All peers that have a connection."""

    def __cinit__(self, Py_ssize_t connections_max, is_exempt):
        # Lingering connections may exceed the bound for a moment; those levels share the last list.
        self.connections_max = connections_max
        self.levels = <void**>calloc(connections_max + 1, sizeof(void*))
        if self.levels == NULL:
            raise MemoryError
        self.is_exempt = is_exempt
        self.peers = {}
        self.highest = 0

    def __dealloc__(self):
        free(self.levels)

    def __len__(self):
        return len(self.peers)

    def get(self, name):
        return self.peers.get(name)

    def find_or_make(self, name, host):
        return self.find(name, host)

    def enter(self, Member member, Peer peer not None):
        self.join(member, peer)

    def exit(self, Member member):
        self.leave(member)

    def note_waiting(self, Member member):
        if member.peer is not None and not member.is_waiting:
            member.peer.wait(member)

    def note_working(self, Member member):
        if member.peer is not None:
            member.peer.work(member)

    cdef Peer find(self, str name, object host):
        # A peer is stored with its first connection only.
        cdef Peer peer
        found = self.peers.get(name)
        if found is not None:
            return <Peer>found
        peer = Peer.__new__(Peer)
        peer.name = name
        peer.is_exempt = self.is_exempt(host)
        return peer

    cdef int join(self, Member member, Peer peer) except -1:
        if peer.connections == 0:
            self.peers[peer.name] = peer
        else:
            self._displace(peer)
        peer.connections += 1
        self._place(peer)
        member.peer = peer
        peer.wait(member)
        return 0

    cdef int leave(self, Member member) except -1:
        cdef Peer peer = member.peer
        if peer is None:
            return 0
        if member.is_waiting:
            _unlink(member)
        member.peer = None
        self._displace(peer)
        peer.connections -= 1
        if peer.connections:
            self._place(peer)
        elif self.peers.get(peer.name) is peer:
            del self.peers[peer.name]
        return 0

    cdef void _place(self, Peer peer) noexcept:
        cdef Py_ssize_t level = min(peer.connections, self.connections_max)
        peer.before = NULL
        peer.after = self.levels[level]
        if peer.after != NULL:
            (<Peer>peer.after).before = <void*>peer
        self.levels[level] = <void*>peer
        if level > self.highest:
            self.highest = level

    cdef void _displace(self, Peer peer) noexcept:
        cdef Py_ssize_t level = min(peer.connections, self.connections_max)
        if peer.before != NULL:
            (<Peer>peer.before).after = peer.after
        else:
            self.levels[level] = peer.after
        if peer.after != NULL:
            (<Peer>peer.after).before = peer.before
        # A peer moves by one level at a time, so the level below is not empty after it is inserted there.
        if level == self.highest and self.levels[level] == NULL:
            self.highest -= 1

    cpdef bint make_room(self) except -1:
        """Close the longest waiting connection of the peer with the most; return False if there is none."""
        cdef Py_ssize_t level = self.highest
        cdef int looked = 0
        cdef void* cursor
        cdef Member member
        while level > 0:
            cursor = self.levels[level]
            while cursor != NULL:
                if (<Peer>cursor).first != NULL:
                    member = <Member>(<Peer>cursor).first
                    member.evict()
                    return True
                looked += 1
                if looked == PEERS_LOOKED_AT_MAX:
                    return False
                cursor = (<Peer>cursor).after
            level -= 1
        return False
