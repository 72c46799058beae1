"""Which tenants other instances write to as well: what the lanes have seen of their books."""

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.write.batch import DecidedBatch


class Contention:
    """Remembers evidence for a while, and forgets it when a book shows that nobody else writes any more."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Until when others are believed to write. Each payment looks whether there is any.
        self.until_ns: dict[Scope, int] = {}
        # The sequence after our last commit.
        self._ended: dict[Scope, int] = {}

    def __contains__(self, scope: Scope) -> bool:
        """Tell whether others are believed to write to this tenant."""
        until_ns = self.until_ns.get(scope)
        if until_ns is None:
            return False
        if self._clock.monotonic_ns() < until_ns:
            return True
        self.forget(scope)
        return False

    def met(self, scope: Scope) -> None:
        """Note that the book of a tenant was held, or had changed since our last commit."""
        if scope not in self.until_ns and len(self.until_ns) >= limits.contended_scopes_max:
            self.until_ns.clear()
            self._ended.clear()
        self.until_ns[scope] = self._clock.monotonic_ns() + limits.contention_believed_ms * 1_000_000

    def forget(self, scope: Scope) -> None:
        """Believe that nobody else writes to this tenant."""
        self.until_ns.pop(scope, None)
        self._ended.pop(scope, None)

    def look(self, batch: DecidedBatch) -> None:
        """Compare the books that a batch of a lane has found under their locks with how we left them."""
        for book in batch.found:
            ended = self._ended.get(book.scope)
            if ended == book.sequence:
                self.forget(book.scope)
            elif ended is not None:
                self.met(book.scope)
        for commit in batch.commits():
            if commit.scope in self.until_ns:
                self._ended[commit.scope] = commit.after
