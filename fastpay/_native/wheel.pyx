"""One timer for every connection: a hashed wheel whose nodes are the connections themselves.

Moving a deadline further away costs one store: the node stays in its bucket, and is moved when the wheel
visits that bucket. Only an earlier deadline moves the node at once.
"""

import logging

cimport cython

logger = logging.getLogger(__name__)

cdef enum:
    BUCKETS = 256


cdef class Node:
    """Something with a deadline, with room for its own links, so that waiting allocates nothing."""

    def __cinit__(self):
        self.after = NULL
        self.before = NULL
        self.due = 0
        self.seen = 0

    def __dealloc__(self):
        if self.after != NULL:
            (<Node>self.after).before = self.before
            (<Node>self.before).after = self.after
            self.after = NULL

    cdef int expire(self) except -1:
        return 0


@cython.final
cdef class Callback(Node):
    """A node that calls a function without arguments; for protocols that are not compiled."""

    def __init__(self, function):
        self.function = function

    cdef int expire(self) except -1:
        self.function()
        return 0


@cython.final
cdef class Wheel:
    """Calls `expire` on nodes whose deadline has passed, at most one tick late."""

    def __init__(self, loop, double tick_seconds, each_tick):
        self.loop = loop
        self.tick_seconds = tick_seconds
        self.each_tick = each_tick
        # Tick 0 means "no deadline".
        self.now = 1
        self.count = 0
        self.handle = None
        self.heads = []
        cdef Node head
        for _ in range(BUCKETS):
            head = Node()
            head.after = <void*>head
            head.before = <void*>head
            self.heads.append(head)

    def start(self):
        self.origin = self.loop.time() - self.now * self.tick_seconds
        self.handle = self.loop.call_later(self.tick_seconds, self.turn)

    def stop(self):
        if self.handle is not None:
            self.handle.cancel()
            self.handle = None

    def turn(self):
        """Advance to the loop's time, however late the call is, and schedule the next call."""
        cdef long long target = <long long>((self.loop.time() - self.origin) / self.tick_seconds)
        self.handle = self.loop.call_later(self.tick_seconds, self.turn)
        self.advance(target)
        self.each_tick()

    def advance(self, long long target):
        """Expire everything due up to the tick `target`."""
        cdef long long tick = self.now
        if target <= tick:
            return
        # After a stall longer than one turn of the wheel, one visit of every bucket sees each node once.
        if target - tick > BUCKETS:
            tick = target - BUCKETS
        self.now = target
        while tick < target:
            tick += 1
            self._empty(<Node>self.heads[tick % BUCKETS])

    def nodes(self):
        """Return all nodes in a new list."""
        cdef Node head
        cdef void* cursor
        cdef list found = []
        for head in self.heads:
            cursor = head.after
            while cursor != <void*>head:
                found.append(<Node>cursor)
                cursor = (<Node>cursor).after
        return found

    def join(self, Node node):
        """Add a node without a deadline."""
        self.add(node)

    def set_deadline(self, Node node, double seconds):
        """Expire the node after this many seconds; a later call replaces an earlier one."""
        self.arm(node, <long long>(seconds / self.tick_seconds) + 1)

    def clear_deadline(self, Node node):
        """Remove the deadline; the node stays in the wheel."""
        self.disarm(node)

    def leave(self, Node node):
        """Remove a node."""
        self.drop(node)

    cdef int add(self, Node node) except -1:
        self.drop(node)
        node.due = 0
        self._link(node, self.now + BUCKETS - 1)
        self.count += 1
        return 0

    cdef int arm(self, Node node, long long ticks) except -1:
        node.due = self.now + ticks
        if node.due < node.seen and node.after != NULL:
            self._unlink(node)
            self._link(node, node.due)
        return 0

    cdef void disarm(self, Node node) noexcept:
        node.due = 0

    cdef void drop(self, Node node) noexcept:
        if node.after != NULL:
            self._unlink(node)
            self.count -= 1

    cdef int _link(self, Node node, long long tick) except -1:
        cdef Node head
        if tick > self.now + BUCKETS - 1:
            tick = self.now + BUCKETS - 1
        elif tick <= self.now:
            tick = self.now + 1
        node.seen = tick
        head = <Node>self.heads[tick % BUCKETS]
        node.after = <void*>head
        node.before = head.before
        (<Node>head.before).after = <void*>node
        head.before = <void*>node
        return 0

    cdef void _unlink(self, Node node) noexcept:
        (<Node>node.after).before = node.before
        (<Node>node.before).after = node.after
        node.after = NULL
        node.before = NULL

    cdef int _empty(self, Node head) except -1:
        cdef Node node
        cdef list here = []
        cdef void* cursor = head.after
        while cursor != <void*>head:
            here.append(<Node>cursor)
            cursor = (<Node>cursor).after
        for node in here:
            # The expiry of an earlier node may have dropped or moved this one.
            if node.after == NULL or node.seen > self.now:
                continue
            self._unlink(node)
            if node.due == 0 or node.due > self.now:
                self._link(node, node.due if node.due else self.now + BUCKETS - 1)
                continue
            node.due = 0
            self._link(node, self.now + BUCKETS - 1)
            try:
                node.expire()
            except Exception:
                logger.exception("timer_failed")
        return 0
