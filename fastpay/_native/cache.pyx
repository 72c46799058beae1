"""The process's own cache: the objects of each tenant, and the answers that were rendered from them.

Eviction is S3-FIFO (three queues, first in first out): a new entry starts in a small queue, and moves on to
the main one only if it was asked for meanwhile. Most payments are written and never read, so a flood of them
passes through the small queue without evicting what is read. A hit writes one byte of the entry; a list in
order of use would move links at every hit. Source: Yang and others, "FIFO queues are all you need for cache
eviction" (SOSP 2023).
"""

from collections import deque

cimport cython
from libc.limits cimport LLONG_MAX

cdef enum:
    # What an entry costs beside its value and its response: itself, its name, a slot of the dictionary and
    # one of a queue.
    ENTRY_BYTES = 320
    CACHED_RESPONSE_BYTES = 320
    USES_MAX = 3
    # The small queue's share of the bytes is one part in so many.
    SMALL_SHARE = 10
    # An entry that would take more than one part in so many is not kept.
    ENTRY_SHARE = 16
    GHOSTS_MIN = 64


@cython.final
@cython.no_gc
cdef class CachedResponse:
    """An answer as it is sent: its own header lines and its body."""

    def __cinit__(
        self,
        str path not None,
        bytes head not None,
        bytes short_head not None,
        bytes body not None,
        bytes etag not None,
        *,
        bint is_encodable,
    ):
        self.path = path
        self.head = head
        self.short_head = short_head
        self.body = body
        self.is_encodable = is_encodable
        self.etag = etag
        self.encoded = {}


cdef Py_ssize_t response_bytes(CachedResponse response):
    return len(response.head) + len(response.short_head) + len(response.body) + CACHED_RESPONSE_BYTES


@cython.final
@cython.no_gc
@cython.freelist(256)
cdef class Entry:
    """One object as of one version, or the knowledge that there is none."""


@cython.final
cdef class Partition:
    """The entries of one tenant and mode."""

    def __cinit__(self, scope):
        self.scope = scope
        self.entries = {}


@cython.final
cdef class Cache:
    """All partitions together, within a bound of bytes."""

    def __init__(self, Py_ssize_t bytes_max):
        self.bytes_max = bytes_max
        self.partitions = {}
        self.small = deque()
        self.main = deque()
        self.ghosts = deque()
        self.ghost_hashes = set()

    def __len__(self):
        return sum(len(partition.entries) for partition in self.partitions.values())

    def partition(self, scope):
        found = self.partitions.get(scope)
        if found is None:
            found = self.partitions[scope] = Partition(scope)
        return found

    def find(self, Partition partition not None, str identifier not None, long long now_ns):
        return self.look(partition, identifier, now_ns)

    def put(
        self,
        Partition partition not None,
        str identifier not None,
        long long version,
        value,
        Py_ssize_t weight,
        long long until_ns=LLONG_MAX,
    ):
        cdef Entry entry
        cdef Py_ssize_t total = ENTRY_BYTES + weight
        found = partition.entries.get(identifier)
        if found is not None:
            entry = <Entry>found
            if entry.version >= version:
                if entry.version == version and entry.until_ns < until_ns:
                    entry.until_ns = until_ns
                return entry
            if total <= self.bytes_max // ENTRY_SHARE:
                entry.version = version
                entry.until_ns = until_ns
                entry.value = value
                entry.response = None
                self._weigh(entry, total)
                self._evict()
                return entry
            self._forget(entry)
            return None
        if total > self.bytes_max // ENTRY_SHARE:
            return None
        return self._add(partition, identifier, version, value, total, until_ns)

    def put_absent(self, Partition partition not None, str identifier not None, long long until_ns):
        cdef Entry entry
        found = partition.entries.get(identifier)
        if found is None:
            if ENTRY_BYTES > self.bytes_max // ENTRY_SHARE:
                return None
            found = self._add(partition, identifier, 0, None, ENTRY_BYTES, until_ns)
        entry = <Entry>found
        if entry.version == 0:
            entry.until_ns = until_ns
        return entry

    def render(self, Entry entry not None, CachedResponse response not None):
        cdef Py_ssize_t more = response_bytes(response)
        if entry.response is not None or not self._is_held(entry):
            return
        if entry.weight + more > self.bytes_max // ENTRY_SHARE:
            return
        entry.response = response
        self._weigh(entry, entry.weight + more)
        self._evict()

    def encode(
        self,
        Entry entry not None,
        CachedResponse response not None,
        str coding not None,
        CachedResponse form not None,
    ):
        cdef Py_ssize_t more = response_bytes(form)
        if entry.response is not response or not response.is_encodable or not self._is_held(entry):
            return
        if coding in response.encoded or entry.weight + more > self.bytes_max // ENTRY_SHARE:
            return
        response.encoded[coding] = form
        self._weigh(entry, entry.weight + more)
        self._evict()

    def drop(self, Partition partition not None, str identifier not None, long long version):
        found = partition.entries.get(identifier)
        if found is None or (<Entry>found).version >= version:
            return False
        self._forget(<Entry>found)
        return True

    def void(self, Partition partition not None):
        # Its entries stay in the queues, and count, until they come to the front.
        partition.valid_until_ns = 0
        partition.entries.clear()

    def forget_partitions(self):
        for partition in self.partitions.values():
            self.void(partition)
        self.partitions.clear()

    cdef Entry look(self, Partition partition, str identifier, long long now_ns):
        # The entry if it may be shown, which counts as a use; else None.
        cdef Entry entry
        if now_ns >= partition.valid_until_ns:
            return None
        found = partition.entries.get(identifier)
        if found is None:
            return None
        entry = <Entry>found
        if now_ns >= entry.until_ns:
            return None
        self.use(partition, entry)
        return entry

    cdef void use(self, Partition partition, Entry entry) noexcept:
        # Count that an entry is shown.
        if entry.version == 0:
            self.negative_hits += 1
        else:
            self.hits += 1
        partition.was_used = True
        if entry.uses < USES_MAX:
            entry.uses += 1

    cdef Entry _add(
        self,
        Partition partition,
        str identifier,
        long long version,
        value,
        Py_ssize_t total,
        long long until_ns,
    ):
        cdef Entry entry = Entry.__new__(Entry)
        entry.scope = partition.scope
        entry.identifier = identifier
        entry.version = version
        entry.until_ns = until_ns
        entry.value = value
        partition.entries[identifier] = entry
        ghost = hash((partition.scope, identifier))
        if ghost in self.ghost_hashes:
            # It left not long ago, and was asked for again: it goes into the main queue at once.
            self.ghost_hashes.discard(ghost)
            entry.is_main = True
            self.main.append(entry)
        else:
            self.small.append(entry)
        self._weigh(entry, total)
        self._evict()
        return entry

    cdef int _weigh(self, Entry entry, Py_ssize_t weight) except -1:
        self.bytes_held += weight - entry.weight
        if not entry.is_main:
            self.small_bytes += weight - entry.weight
        entry.weight = weight
        return 0

    cdef int _forget(self, Entry entry) except -1:
        # The entry stays in its queue and counts there, so that the queues are bounded as well.
        partition = self.partitions.get(entry.scope)
        if partition is not None:
            (<Partition>partition).entries.pop(entry.identifier, None)
        entry.value = None
        entry.response = None
        self._weigh(entry, ENTRY_BYTES)
        return 0

    cdef bint _is_held(self, Entry entry) except -1:
        partition = self.partitions.get(entry.scope)
        return partition is not None and (<Partition>partition).entries.get(entry.identifier) is entry

    cdef int _evict(self) except -1:
        while self.bytes_held > self.bytes_max:
            if self.small and (self.small_bytes > self.bytes_max // SMALL_SHARE or not self.main):
                self._evict_small()
            else:
                self._evict_main()
        return 0

    cdef int _evict_small(self) except -1:
        cdef Entry entry = self.small.popleft()
        cdef bint is_held = self._is_held(entry)
        if is_held and entry.uses:
            self.small_bytes -= entry.weight
            entry.is_main = True
            entry.uses = 0
            self.main.append(entry)
            return 0
        if is_held:
            self._forget(entry)
            self.evictions += 1
            ghost = hash((entry.scope, entry.identifier))
            self.ghost_hashes.add(ghost)
            self.ghosts.append(ghost)
            while len(self.ghosts) > max(GHOSTS_MIN, len(self.main) + len(self.small)):
                self.ghost_hashes.discard(self.ghosts.popleft())
        self._weigh(entry, 0)
        return 0

    cdef int _evict_main(self) except -1:
        cdef Entry entry = self.main.popleft()
        if self._is_held(entry):
            if entry.uses:
                entry.uses -= 1
                self.main.append(entry)
                return 0
            self._forget(entry)
            self.evictions += 1
        self._weigh(entry, 0)
        return 0
