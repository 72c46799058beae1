"""How far the cache of one tenant and mode has followed what was committed.

The gapless sequence of a tenant is what makes this possible without trusting anyone but the database.
`known` is how far every change has been applied to the partition, which our own commits are as they happen.
Now and then the database is asked how far the sequence has come. If it was no further than `known`, then
nothing in the partition was outdated at the moment of asking, and the partition may be shown for the agreed
time after it. If it was further, then another instance has committed something, or we have and will hear of
it in a moment: the partition stays valid to the end of the time that was proven before, and is emptied then
unless it was our own.

A copy that is kept elsewhere, and is at least as new as a place in the sequence, may go into the partition
while the partition may be shown and has come no further than that place. Nor may anything have been answered
or committed here as of a later place: `least` remembers that also where `known` is behind, or was forgotten.
What others have told of (`told`) asks for more as well, until the database says that it was not so.
"""

from fastpay._native.cache import Cache, Partition
from fastpay.domain.identifiers import Scope


class Freshness:
    """The partition of a scope, and up to which place in the sequence it is known to be right."""

    __slots__ = (
        "_awaited",
        "_cache",
        "_least",
        "_staleness_ns",
        "_told",
        "changes",
        "known",
        "partition",
        "scope",
    )

    def __init__(self, cache: Cache, scope: Scope, *, staleness_ns: int) -> None:
        self._cache = cache
        self._staleness_ns = staleness_ns
        self.scope = scope
        self.partition: Partition = cache.partition(scope)
        self.known: int | None = None
        self._least = 0
        self._told = 0
        # How often anything was heard of a change.
        self.changes = 0
        # A moment that the partition was right at if the sequence had come no further than this.
        self._awaited: tuple[int, int] | None = None

    def advance(self, before: int, after: int) -> None:
        """Take note that all that was committed between two places has been applied to the partition."""
        self.changes += 1
        self._least = max(self._least, after)
        if self.known is None:
            # What was read before this, and is still on its way, may be older.
            self.void(after)
            return
        if before > self.known:
            # Something of another instance's is missing in between: only the database can tell.
            return
        self.known = max(self.known, after)
        if self._awaited is not None and self._awaited[1] <= self.known:
            self._extend(self._awaited[0])
            self._awaited = None

    def acknowledge(self, sequence: int) -> bool:
        """Note that an answer was given as of this place; tell whether the partition was older."""
        self._least = max(self._least, sequence)
        if self.known is not None and self.known >= sequence:
            return False
        # Where nothing is known either: what is being read already may be older.
        self.void(None)
        return True

    def hear(self, sequence: int) -> None:
        """Take note that somebody says that the sequence has come this far."""
        self.changes += 1
        self._told = max(self._told, sequence)

    def is_proven(self, now_ns: int) -> bool:
        """Tell whether the partition may be shown."""
        return self.known is not None and now_ns < self.partition.valid_until_ns

    def accepts(self, sequence: int, now_ns: int) -> bool:
        """Tell whether what is at least as new as this place may be shown."""
        if not self.is_proven(now_ns):
            return False
        assert self.known is not None
        return sequence >= max(self.known, self._least, self._told)

    def is_furthest(self, after: int) -> bool:
        """Tell whether nothing is known that was committed after this place.

        The database may have told of it before our own commit was heard of here.
        """
        return self.known is None or self.known <= after

    def confirm(self, sequence: int, asked_ns: int, now_ns: int) -> None:
        """Take note of how far the database says that the sequence has come, and when it was asked."""
        # Whoever told of more may have told it since, but may as well have made it up.
        self._told = min(self._told, sequence)
        if self.known is None:
            self.void(sequence)
            self._extend(asked_ns)
        elif sequence <= self.known:
            self._extend(asked_ns)
        elif now_ns >= self.partition.valid_until_ns:
            self.void(sequence)
            self._extend(asked_ns)
        elif self._awaited is None:
            self._awaited = (asked_ns, sequence)

    def void(self, sequence: int | None) -> None:
        """Empty the partition, and begin anew from a place in the sequence where that is known."""
        self.changes += 1
        self._cache.void(self.partition)
        self.known = sequence
        self._awaited = None

    def _extend(self, asked_ns: int) -> None:
        if self._cache.partition(self.scope) is not self.partition:
            # Forgotten meanwhile: it hears of no changes any more.
            return
        self.partition.valid_until_ns = max(self.partition.valid_until_ns, asked_ns + self._staleness_ns)
