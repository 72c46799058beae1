"""What may be shown of one tenant and mode, for how long, and why.

PostgreSQL is the only source of truth. Each tenant's `sequence` is gapless and grows in commit order, so one
number tells whether anything was missed. Every read returns the sequence of the same snapshot, and sequences
that are in use are asked for twice in the staleness bound. An answer to a question sent at `asked_ns` proves:
whatever includes all commits up to that sequence is at most `now - asked_ns` old. Only this process's
monotonic clock is used, so no wrong clock anywhere makes stale data look fresh.

Three kinds of data may be shown, each under its own rule:

    data                  may be shown
    cached entry          before `partition.valid_until_ns`, and before the entry's own `until_ns`
    read in flight        to who comes before it is sent, or within the bound after, if it is not outdated
    copy from Redis       before `asked_ns + bound` of a proof that was asked after the object's last known
                          change, with a sequence that is not above the copy's

`known` is the sequence up to which every commit was applied to the partition. Transitions of the partition:

    event                           if                        known         partition
    committed(before, after)        known is None             after         emptied
                                    before > known (a gap)    -             -
                                    else                      max(, after)  valid to awaited + bound if the
                                                                            awaited sequence is reached
    answered(sequence)              sequence <= known         -             -
                                    else                      None          emptied
    confirmed(sequence, asked_ns)   known is None             sequence      emptied, valid to asked + bound
                                    sequence <= known         -             valid to asked + bound
                                    beyond, still valid       -             - (awaited: our own commit may
                                                                            still be on its way to us)
                                    beyond, expired           sequence      emptied, valid to asked + bound
    changed(identifier)             -                         -             -
    revoke()                        -                         -             emptied
    forget()                        -                         None          emptied, never valid again

Emptying a partition also outdates the reads in flight: they are answered, but neither joined nor cached.
`confirmed` adds a proof for copies in every case; `answered` removes the proofs below its sequence; `changed`
makes earlier proofs useless for that object. A copy as new as `known` is cached like any read. An older copy
is cached with an `until_ns`, because commits between its sequence and `known` were not applied to it.
"""

from array import array
from typing import NamedTuple

from fastpay._native.cache import Cache, Partition
from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Versioned
from fastpay.engine.read.in_flight import InFlightRead

FOREVER_NS = (1 << 63) - 1
# Objects that share a slot share the time of their last change: that costs a read of the database at most.
_SLOTS = 1 << 14
# A proof is kept if it was asked this part of the staleness bound after the one before.
_PROOFS_PER_BOUND = 8


class RecentChanges:
    """When each object was last known to change, by the monotonic clock, in a table of fixed size."""

    def __init__(self) -> None:
        self._changed_ns = array("q", bytes(8 * _SLOTS))

    def note(self, identifier: str, now_ns: int) -> None:
        """Note that a version of the object is known here that copies may not have."""
        self._changed_ns[hash(identifier) % _SLOTS] = now_ns

    def last_ns(self, identifier: str) -> int:
        """Return when the object was noted last, or a later time."""
        return self._changed_ns[hash(identifier) % _SLOTS]


class Proof(NamedTuple):
    """The sequence that PostgreSQL answered to a question sent at `asked_ns`."""

    asked_ns: int
    sequence: int


class Freshness:
    """Decides what may be shown of one scope. All times are of the monotonic clock, in nanoseconds."""

    __slots__ = (
        "_awaited",
        "_cache",
        "_durable",
        "_known",
        "_proofs",
        "_recent",
        "_seen",
        "_shown",
        "_staleness_ns",
        "_uncached_reads",
        "is_forgotten",
        "partition",
        "reads",
        "scope",
    )

    def __init__(self, cache: Cache, scope: Scope, recent: RecentChanges, *, staleness_ns: int) -> None:
        self._cache = cache
        self._recent = recent
        self._staleness_ns = staleness_ns
        self.scope = scope
        self.partition: Partition = cache.partition(scope)
        self._known: int | None = None
        # A question that the partition answers once our own commits have reached its sequence.
        self._awaited: Proof | None = None
        # In the order they were asked in; sequences never fall, so the first has the lowest.
        self._proofs: list[Proof] = []
        # The highest sequence that PostgreSQL has shown, or that a client was answered as of; then the same
        # with our own commits. What is sent from now on sees all of that.
        self._seen = 0
        self._durable = 0
        # The highest sequence of what was read or copied, for reads that a replica may answer.
        self._shown = 0
        # Reads that may be joined, by identifier: of objects that are cached, and of those that are not.
        self.reads: dict[str, InFlightRead] = {}
        self._uncached_reads: dict[str, InFlightRead] = {}
        self.is_forgotten = False

    # What may be shown

    def joinable(self, identifier: str, now_ns: int) -> InFlightRead | None:
        """Return a read in flight whose answer is fresh enough for a request that comes now."""
        read = self.reads.get(identifier) or self._uncached_reads.get(identifier)
        if read is None or read.sent_ns is None or now_ns - read.sent_ns < self._staleness_ns:
            return read
        return None

    def has_proof(self, now_ns: int) -> bool:
        """Tell whether any copy could be shown now."""
        return bool(self._proofs) and now_ns < self._proofs[-1].asked_ns + self._staleness_ns

    def copy_until_ns(self, identifier: str, sequence: int, now_ns: int) -> int:
        """Return until when a copy may be cached, 0 if it may not be shown.

        `sequence` is the tenant's as of the snapshot that the copy was read in.
        """
        usable_ns = max(self._recent.last_ns(identifier), now_ns - self._staleness_ns)
        for proof in reversed(self._proofs):
            if proof.asked_ns <= usable_ns:
                break
            if proof.sequence <= sequence:
                if self._known is not None and sequence >= self._known:
                    return FOREVER_NS
                return proof.asked_ns + self._staleness_ns
        return 0

    def proof(self, now_ns: int) -> Proof | None:
        """Return what proves that the partition may be shown now, None if nothing does."""
        if self._known is None or now_ns >= self.partition.valid_until_ns:
            return None
        return Proof(self.partition.valid_until_ns - self._staleness_ns, self._known)

    def came_to(self) -> int:
        """Return the sequence that every later answer must have come to, as far as it is known here."""
        return max(self._seen, self._durable, self._shown, self._known or 0)

    def is_latest(self, after: int) -> bool:
        """Tell whether nothing was shown here that is newer than this sequence.

        PostgreSQL may show a later commit before this instance hears of its own.
        """
        return self._seen <= after and (self._known is None or self._known <= after)

    # What changes it

    def committed(self, before: int, after: int) -> None:
        """Note a commit of this instance, which is about to be applied to the partition."""
        self._durable = max(self._durable, after)
        self.outdate_uncached()
        if self._known is None:
            # Reads in flight may have looked before this commit.
            self._empty(after)
        elif before <= self._known:
            self._known = max(self._known, after)
            if self._awaited is not None and self._awaited.sequence <= self._known:
                self._extend(self._awaited.asked_ns)
                self._awaited = None

    def advanced(self, before: int, after: int) -> None:
        """Note a commit of another instance as `committed` and `answered` do. It has changed no object."""
        known = self._known
        if known is None or not before <= known <= after or self._awaited or self._uncached_reads:
            self.committed(before, after)
            self.answered(after)
            return
        # What is left of both: many such commits come together.
        self._known = after
        self._seen = max(self._seen, after)
        self._durable = max(self._durable, after)
        if self._proofs and self._proofs[0].sequence < after:
            self._proofs = [proof for proof in self._proofs if proof.sequence >= after]

    def answered(self, sequence: int) -> bool:
        """Note that a client was answered as of this sequence. Return whether the partition was older."""
        self._seen = max(self._seen, sequence)
        self._durable = max(self._durable, sequence)
        if self._proofs and self._proofs[0].sequence < sequence:
            self._proofs = [proof for proof in self._proofs if proof.sequence >= sequence]
        if self._known is not None and self._known >= sequence:
            return False
        self._empty(None)
        return True

    def confirmed(self, sequence: int, asked_ns: int, now_ns: int) -> None:
        """Note the sequence that PostgreSQL returned at `now_ns` to a question sent at `asked_ns`."""
        if self.is_forgotten:
            return
        self._durable = max(self._durable, sequence)
        self._add_proof(sequence, asked_ns, now_ns)
        if self._known is not None and sequence <= self._known:
            self._extend(asked_ns)
        elif self._known is None or now_ns >= self.partition.valid_until_ns:
            self._empty(sequence)
            self._extend(asked_ns)
        elif self._awaited is None:
            self._awaited = Proof(asked_ns, sequence)

    def changed(self, identifier: str, now_ns: int) -> None:
        """Note that an object has a version which copies, and reads that were sent, may not have."""
        self._recent.note(identifier, now_ns)
        self.outdate(identifier)

    def revoke(self) -> None:
        """Show nothing that was read before now. A commit has changed more than its own objects."""
        self._empty(self._known)

    def shown(self, versioned: Versioned, now_ns: int) -> None:
        """Note what was read or copied, so that no older copy of it is shown later."""
        self._shown = max(self._shown, versioned.sequence)
        if versioned.version == 1:
            return
        is_proven = self._proofs and versioned.sequence <= self._proofs[0].sequence
        if not is_proven:
            self._recent.note(versioned.object.id, now_ns)

    def listed(self, sequence: int) -> None:
        """Note the sequence of something that was shown."""
        self._shown = max(self._shown, sequence)

    def forget(self) -> None:
        """Show nothing from now on. Commits are not noted here any more."""
        self.is_forgotten = True
        self._proofs.clear()
        self._empty(None)

    # Reads in flight

    def begin(self, read: InFlightRead, *, is_cached: bool) -> None:
        """Let a read be joined. What is not cached has no versions: any change of the tenant outdates it."""
        read.is_cached = is_cached
        reads = self.reads if is_cached else self._uncached_reads
        previous = reads.get(read.key[1])
        if previous is not None:
            # Too old to be joined. Its answer may come after the new one's, which may be evicted by then.
            previous.is_outdated, previous.outdated_at = True, self._durable
        reads[read.key[1]] = read

    def end(self, read: InFlightRead) -> None:
        """Let a read be joined no more."""
        reads, identifier = self.reads if read.is_cached else self._uncached_reads, read.key[1]
        if reads.get(identifier) is read:
            del reads[identifier]

    def outdate(self, identifier: str) -> None:
        """Outdate a read that may have looked before a change."""
        read = self.reads.get(identifier)
        if read is not None and read.sent_ns is not None:
            read.is_outdated, read.outdated_at = True, self._durable
            del self.reads[identifier]

    def overtake(self, read: InFlightRead, versioned: Versioned) -> None:
        """Note that an outdated read has found this version.

        Statements may look in another order than they were sent in. If the version is newer than what the
        next statement is certain to see, that one may return an older version.
        """
        self._cache.drop(self.partition, read.key[1], versioned.version)
        if versioned.sequence > read.outdated_at:
            self.outdate(read.key[1])

    def outdate_uncached(self) -> None:
        """Outdate the reads of what is not cached: something of the tenant has changed."""
        if self._uncached_reads:
            self._outdate_sent(self._uncached_reads)

    def _outdate_sent(self, reads: dict[str, InFlightRead]) -> None:
        # Those that are not sent yet will see the change.
        for identifier in [name for name, read in reads.items() if read.sent_ns is not None]:
            read = reads.pop(identifier)
            read.is_outdated, read.outdated_at = True, self._durable

    def _empty(self, known: int | None) -> None:
        self._cache.void(self.partition)
        self._known = known
        self._awaited = None
        self._outdate_sent(self.reads)
        self._outdate_sent(self._uncached_reads)

    def _extend(self, asked_ns: int) -> None:
        self.partition.valid_until_ns = max(self.partition.valid_until_ns, asked_ns + self._staleness_ns)

    def _add_proof(self, sequence: int, asked_ns: int, now_ns: int) -> None:
        # A later question may be answered from an earlier snapshot: it would prove less than was shown.
        if sequence < self._seen:
            return
        self._seen = sequence
        proofs = self._proofs
        if proofs and asked_ns - proofs[-1].asked_ns < self._staleness_ns // _PROOFS_PER_BOUND:
            return
        self._proofs = [proof for proof in proofs if now_ns < proof.asked_ns + self._staleness_ns]
        self._proofs.append(Proof(asked_ns, sequence))
