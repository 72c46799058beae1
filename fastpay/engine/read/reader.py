"""The read path: the process's cache, then reads in flight, then one statement for all that is missing.

An object that is asked for by its identifier is looked up in the process's own cache, then among the reads in
flight. What is missing after that waits for the end of the loop turn, and is looked for together: at the
tenant's home, which knows what is new, or in the cache that instances share; then in the database, by one
statement. Lists and searches are shared while they are in flight, and never cached; a replica may answer them
(`engine/read/replica.py`).

A read belongs to the reader and not to the request that came first, and everybody waits for it behind a
shield, so cancelling one waiter does not affect the others.

`engine/read/freshness.py` decides what may be shown. Decisions about money never use this path: they are made
on what the database holds under a lock.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from fastpay import limits
from fastpay._native.cache import CachedResponse, Entry, Partition
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.plan import Versioned
from fastpay.domain.search import Query
from fastpay.engine.ports import (
    Commit,
    CommitObserver,
    Filter,
    Page,
    Profile,
    ReaderStore,
    Verification,
)
from fastpay.engine.read.confirmations import Confirmations
from fastpay.engine.read.copy_ports import CopyStore, Neighbours
from fastpay.engine.read.in_flight import InFlightRead
from fastpay.engine.read.missed_reads import MissedReads
from fastpay.engine.read.object_cache import ObjectCache
from fastpay.engine.read.replica import Replica
from fastpay.engine.read.shared_reads import SharedReads
from fastpay.errors import DatabaseUnavailable, Overloaded

_Answer = TypeVar("_Answer")


class Reader:
    """Reads objects by identifier and by list, always within one scope.

    Nothing that it shows is older than `staleness_ms`; and nothing is older than what was committed here, or
    than any answer that was given here. With 0 everything is read anew.
    """

    def __init__(
        self,
        store: ReaderStore,
        *,
        clock: Clock,
        staleness_ms: int = limits.read_staleness_ms,
        cache_bytes_max: int = limits.cache_bytes_max,
        announcer: CommitObserver | None = None,
        copies: CopyStore | None = None,
        replica: Replica | None = None,
    ) -> None:
        self._replica = replica
        self._announcer = announcer
        self._store = store
        self._objects = ObjectCache(clock=clock, staleness_ms=staleness_ms, cache_bytes_max=cache_bytes_max)
        self.cache, self.show = self._objects.cache, self._objects.show
        # With no staleness allowed every read asks the database, and copies are of no use.
        copies = copies if staleness_ms else None
        self._missed = MissedReads(store, self._objects, clock=clock, copies=copies)
        staleness_ns = staleness_ms * 1_000_000
        self._lists = SharedReads(clock=clock, staleness_ns=staleness_ns)
        self.confirmations = Confirmations(
            store, self._objects.scopes, clock=clock, staleness_ns=staleness_ns
        )

    def start(self) -> None:
        """Begin to confirm the partitions that are used."""
        self.confirmations.start()

    async def close(self) -> None:
        """Cancel what is in flight, and fail everybody who waits."""
        await self.confirmations.close()
        await self._missed.close()

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name."""
        missed = self._missed.counts()
        return missed | {
            "reads_process_hits": self.cache.hits,
            "reads_negative_hits": self.cache.negative_hits,
            "reads_joined": missed["reads_joined"] + self._lists.joined,
            "reads_replica": 0 if self._replica is None else self._replica.answered,
            "reads_replica_passed_by": 0 if self._replica is None else self._replica.passed_by,
            "cache_entries": len(self.cache),
            "cache_bytes": self.cache.bytes_held,
            "cache_evictions": self.cache.evictions,
        }

    async def get(self, scope: Scope, identifier: str) -> Versioned | None:
        """Return the object as it stands now, None where there is none."""
        entry = self._objects.find(scope, identifier)
        if entry is not None:
            return _value(entry)
        read = self._missed.join(scope, identifier)
        return None if read is None else await read.wait()

    def watch(self, scope: Scope, identifier: str, on_done: Callable[[Versioned | None], None]) -> bool:
        """Call `on_done` with what `get` returns, None if that fails. Return False if nothing is read."""
        try:
            read = self._missed.join(scope, identifier)
        except (DatabaseUnavailable, Overloaded):
            return False
        if read is None:
            return False
        read.watch(on_done)
        return True

    async def get_many(self, scope: Scope, identifiers: Sequence[str]) -> dict[str, Versioned]:
        """Return those of the objects that exist, by identifier."""
        found: dict[str, Versioned | None] = {}
        reads: dict[str, InFlightRead] = {}
        for identifier in dict.fromkeys(identifiers):
            entry = self._objects.find(scope, identifier)
            if entry is not None:
                found[identifier] = _value(entry)
            elif (read := self._missed.join(scope, identifier)) is not None:
                reads[identifier] = read
        if reads:
            answers = await asyncio.gather(*(read.wait() for read in reads.values()))
            found.update(zip(reads, answers, strict=True))
        return {identifier: one for identifier, one in found.items() if one is not None}

    async def get_many_at(
        self, scope: Scope, identifiers: Sequence[str], sequence: int
    ) -> dict[str, Versioned]:
        """Return the objects as they were at this number of the tenant's sequence."""
        asked = set(identifiers)
        found = await self._store.get_objects_at(scope, identifiers, sequence)
        # By the whole identifier: the digits alone would let another kind pass.
        return {versioned.object.id: versioned for versioned in found if versioned.object.id in asked}

    async def transfers(self, scope: Scope, identifiers: Sequence[str]) -> list[tuple[Transfer, int]]:
        """Return transfers with their moments in milliseconds since 1970."""
        return await self._store.get_transfers(scope, identifiers)

    async def list(self, scope: Scope, wanted: Filter, page: Page) -> Sequence[Versioned]:
        """Return up to `page.limit` + 1 objects, newest first: the one too many says that there are more."""
        return await self._lists.share(
            scope,
            ("list", wanted, page),
            lambda: self.choose(scope, lambda store: store.list_objects(scope, wanted, page), _newest),
        )

    async def list_each(
        self, scope: Scope, kind: str, field: str, bounds: Sequence[tuple[str, str]], limit: int
    ) -> Sequence[Sequence[Versioned]]:
        """Return a list for each of many objects: what names it in a field, newest first."""
        return await self._store.list_each(scope, kind, field, bounds, limit)

    async def search(self, scope: Scope, query: Query, page: Page) -> Sequence[Versioned]:
        """Return up to `page.limit` + 1 objects that a query finds, newest first."""
        return await self._lists.share(
            scope,
            ("search", query, page),
            lambda: self.choose(scope, lambda store: store.search(scope, query, page), _newest),
        )

    async def choose(
        self,
        scope: Scope,
        ask: Callable[[ReaderStore], Awaitable[_Answer]],
        sequence_of: Callable[[_Answer], int],
    ) -> _Answer:
        """Ask the replica where it may answer, or else the primary, and show nothing older from then on."""
        if self._replica is None:
            return await ask(self._store)
        answer = await self._replica.read(scope, self._objects.came_to(scope), ask)
        self._objects.freshness(scope).listed(sequence_of(answer))
        return answer

    async def accounts(self, scope: Scope) -> Sequence[Account]:
        """Return the scope's accounts that payments move."""
        return await self._lists.share(scope, "accounts", lambda: self._store.list_accounts(scope))

    async def profile(self, scope: Scope) -> Profile:
        """Return the tenant's profile."""
        return await self._lists.share(scope, "profile", lambda: self._store.read_profile(scope))

    async def verify(self, scope: Scope) -> Verification:
        """Hold the books of the scope against themselves: counters, transfers and payments."""
        return await self._lists.share(scope, "verify", lambda: self._store.verify(scope))

    def ask(self, neighbours: Neighbours | None) -> None:
        """Ask the homes of tenants for what is not cached here from now on, before the database."""
        self._missed.neighbours = neighbours if self._objects.is_keeping else None

    def committed(self, commits: Sequence[Commit]) -> None:
        """Show what was committed here from now on, and nothing older."""
        self.follow(commits)
        if self._announcer is not None:
            self._announcer.committed(commits)

    def follow(self, commits: Sequence[Commit]) -> None:
        """Do so, without announcing it: another instance committed it. What is not in there was heard."""
        self._objects.follow(commits)
        for commit in commits:
            self._lists.outdate(commit.scope)

    def advanced(self, scope: Scope, before: int, after: int) -> None:
        """Do so for commits of new objects that nobody asked for here, and show nothing older than them."""
        self._lists.outdate(scope)
        freshness = self._objects.scopes.get(scope) or self._objects.freshness(scope)
        freshness.advanced(before, after)

    def holds(self, scope: Scope, identifier: str) -> bool:
        """Tell whether the object is cached, or was until another instance changed it."""
        return self._objects.holds(scope, identifier)

    def heard(self, scope: Scope, versions: Sequence[tuple[str, int]]) -> None:
        """Forget objects that another instance has changed; `versions` are the ones they have now.

        The message may be late, repeated or forged. It never makes anything valid, so a forged one costs a
        read of the database, and a lost one is found when the staleness bound ends.
        """
        self._lists.outdate(scope)
        self._objects.heard(scope, versions)

    def acknowledged(self, scope: Scope, sequence: int) -> None:
        """Show nothing older than this sequence from now on: a client was answered as of it."""
        if self._objects.freshness(scope).answered(sequence):
            self._lists.outdate(scope)

    def partition(self, scope: Scope) -> Partition:
        """Return the cache's partition of a scope."""
        return self._objects.freshness(scope).partition

    def entry(self, scope: Scope, identifier: str) -> Entry | None:
        """Return the cache's entry of an object that may be shown now."""
        return self._objects.find(scope, identifier)

    def rendered(self, scope: Scope, versioned: Versioned, response: CachedResponse) -> None:
        """Keep what was rendered from this version of an object, for as long as it is cached."""
        self._objects.rendered(scope, versioned, response)


def _newest(listed: Sequence[Versioned]) -> int:
    return max((versioned.sequence for versioned in listed), default=0)


def _value(entry: Entry) -> Versioned | None:
    value = entry.value
    assert value is None or isinstance(value, Versioned)
    return value
