"""How far the cache of one tenant and mode has followed what was committed.

The gapless sequence of a tenant is what makes this possible without trusting anyone but the database. `known`
is how far every change has been applied to the shelf, which our own commits are as they happen. Now and then
the database is asked how far the sequence has come. If it was no further than `known`, then nothing on the
shelf was outdated at the moment of asking, and the shelf may be shown for the agreed time after it. If it was
further, then another instance has committed something, or we have and will hear of it in a moment: the shelf
stays valid to the end of the time that was proven before, and is emptied then unless it was our own.
"""

from fastpay._native.cache import Cache, Shelf
from fastpay.domain.identifiers import Scope


class Standing:
    """The shelf of a scope, and up to which place in the sequence it is known to be right."""

    __slots__ = ("_awaited", "_cache", "_staleness_ns", "changes", "known", "scope", "shelf")

    def __init__(self, cache: Cache, scope: Scope, *, staleness_ns: int) -> None:
        self._cache = cache
        self._staleness_ns = staleness_ns
        self.scope = scope
        self.shelf: Shelf = cache.shelf(scope)
        self.known: int | None = None
        # How often anything was heard of a change.
        self.changes = 0
        # A moment that the shelf was right at if the sequence had come no further than this.
        self._awaited: tuple[int, int] | None = None

    def advance(self, before: int, after: int) -> None:
        """Take note that all that was committed between two places has been applied to the shelf."""
        self.changes += 1
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

    def is_furthest(self, after: int) -> bool:
        """Tell whether nothing is known that was committed after this place.

        The database may have told of it before our own commit was heard of here.
        """
        return self.known is None or self.known <= after

    def confirm(self, sequence: int, asked_ns: int, now_ns: int) -> None:
        """Take note of how far the database says that the sequence has come, and when it was asked."""
        if self.known is None:
            self.void(sequence)
            self._extend(asked_ns)
        elif sequence <= self.known:
            self._extend(asked_ns)
        elif now_ns >= self.shelf.valid_until_ns:
            self.void(sequence)
            self._extend(asked_ns)
        elif self._awaited is None:
            self._awaited = (asked_ns, sequence)

    def void(self, sequence: int | None) -> None:
        """Empty the shelf, and begin anew from a place in the sequence where that is known."""
        self.changes += 1
        self._cache.void(self.shelf)
        self.known = sequence
        self._awaited = None

    def _extend(self, asked_ns: int) -> None:
        if self._cache.shelf(self.scope) is not self.shelf:
            # Forgotten meanwhile: it hears of no changes any more.
            return
        self.shelf.valid_until_ns = max(self.shelf.valid_until_ns, asked_ns + self._staleness_ns)
