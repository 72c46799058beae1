"""The read path: the process's cache, then reads in flight, then one statement for all that is missing.

An object that is asked for by its identifier is looked up in the process's own cache, then among the reads in
flight. What is missing after that waits for the end of the loop turn, and is looked for together: in the
cache that instances share, then in the database, by one statement. Lists and searches are shared while they
are in flight, and never cached.

A read belongs to the reader and not to the request that came first, and everybody waits for it behind a
shield, so cancelling one waiter does not affect the others.

`engine/read/freshness.py` decides what may be shown. Decisions about money never use this path: they are made
on what the database holds under a lock.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from fastpay import limits
from fastpay._native import weighing
from fastpay._native.cache import Cache, CachedResponse, Entry, Partition
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope, is_well_formed, prefix_of
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
    Reading,
    Verification,
)
from fastpay.engine.read.confirmations import Confirmations
from fastpay.engine.read.copy_ports import Copy, CopyStore
from fastpay.engine.read.freshness import FOREVER_NS, Freshness, RecentChanges
from fastpay.engine.read.in_flight import InFlightRead, InFlightReads
from fastpay.engine.read.kinds import CACHED, CACHED_ONCE_READ
from fastpay.engine.read.shared_reads import SharedReads
from fastpay.errors import DatabaseUnavailable, Overloaded

# What says which version an object is: three fields, of which one is a number of its own.
_VERSIONED_BYTES = 80


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
    ) -> None:
        self._announcer = announcer
        # With no staleness allowed every read asks the database, and copies are of no use.
        self._copies = copies if staleness_ms else None
        self._store = store
        self._clock = clock
        self._staleness_ns = staleness_ms * 1_000_000
        self.cache = Cache(cache_bytes_max if staleness_ms else 0)
        self._scopes: dict[Scope, Freshness] = {}
        self._recent_changes = RecentChanges()
        self._in_flight = InFlightReads(self._read, clock=clock, look=self._look, ended=self._end)
        self._lists = SharedReads(clock=clock, staleness_ns=self._staleness_ns)
        self._joined = 0
        self._copies_shown = 0
        self._copies_stale = 0
        self.confirmations = Confirmations(store, self._scopes, clock=clock, staleness_ns=self._staleness_ns)

    def start(self) -> None:
        """Begin to confirm the partitions that are used."""
        self.confirmations.start()

    async def close(self) -> None:
        """Cancel what is in flight, and fail everybody who waits."""
        await self.confirmations.close()
        await self._in_flight.close()

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name."""
        return {
            "reads_process_hits": self.cache.hits,
            "reads_negative_hits": self.cache.negative_hits,
            "reads_joined": self._joined + self._lists.joined,
            "reads_missed": self._in_flight.begun,
            "reads_turns": self._in_flight.turns,
            "reads_statements": self._in_flight.sent,
            "reads_copies_shown": self._copies_shown,
            "reads_copies_stale": self._copies_stale,
            "cache_entries": len(self.cache),
            "cache_bytes": self.cache.bytes_held,
            "cache_evictions": self.cache.evictions,
        }

    async def get(self, scope: Scope, identifier: str) -> Versioned | None:
        """Return the object as it stands now, None where there is none."""
        entry = self._find(scope, identifier)
        if entry is not None:
            return _value(entry)
        read = self._join(scope, identifier)
        return None if read is None else await read.wait()

    def watch(self, scope: Scope, identifier: str, on_done: Callable[[Versioned | None], None]) -> bool:
        """Call `on_done` with what `get` returns, None if that fails. Return False if nothing is read."""
        try:
            read = self._join(scope, identifier)
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
            entry = self._find(scope, identifier)
            if entry is not None:
                found[identifier] = _value(entry)
            elif (read := self._join(scope, identifier)) is not None:
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
            scope, ("list", wanted, page), lambda: self._store.list_objects(scope, wanted, page)
        )

    async def list_each(
        self, scope: Scope, kind: str, field: str, bounds: Sequence[tuple[str, str]], limit: int
    ) -> Sequence[Sequence[Versioned]]:
        """Return a list for each of many objects: what names it in a field, newest first."""
        return await self._store.list_each(scope, kind, field, bounds, limit)

    async def search(self, scope: Scope, query: Query, page: Page) -> Sequence[Versioned]:
        """Return up to `page.limit` + 1 objects that a query finds, newest first."""
        return await self._lists.share(
            scope, ("search", query, page), lambda: self._store.search(scope, query, page)
        )

    async def accounts(self, scope: Scope) -> Sequence[Account]:
        """Return the scope's accounts that payments move."""
        return await self._lists.share(scope, "accounts", lambda: self._store.list_accounts(scope))

    async def profile(self, scope: Scope) -> Profile:
        """Return the tenant's profile."""
        return await self._lists.share(scope, "profile", lambda: self._store.read_profile(scope))

    async def verify(self, scope: Scope) -> Verification:
        """Hold the books of the scope against themselves: counters, transfers and payments."""
        return await self._lists.share(scope, "verify", lambda: self._store.verify(scope))

    def committed(self, commits: Sequence[Commit]) -> None:
        """Show what was committed here from now on, and nothing older."""
        self.follow(commits)
        if self._announcer is not None:
            self._announcer.committed(commits)

    def follow(self, commits: Sequence[Commit]) -> None:
        """Do so, without announcing it: another instance committed it, and all that it changed was heard."""
        now_ns = self._clock.monotonic_ns()
        for commit in commits:
            freshness = self._freshness(commit.scope)
            freshness.committed(commit.before, commit.after)
            self._lists.outdate(commit.scope)
            is_latest = freshness.is_latest(commit.after)
            for versioned in commit.versions:
                identifier = versioned.object.id
                if versioned.version > 1:
                    freshness.changed(identifier, now_ns)
                else:
                    # There are no older copies of a new object, but a read may have found it missing.
                    freshness.outdate(identifier)
                    if identifier in commit.elsewhere:
                        # Nothing to replace here, and who asked for it reads it there.
                        continue
                is_kept = self._is_kept(identifier)
                if not (is_kept and is_latest):
                    self.cache.drop(freshness.partition, identifier, versioned.version)
                elif _is_awaited(versioned) or identifier in freshness.partition.entries:
                    self._put(freshness, identifier, versioned)

    def heard(self, scope: Scope, versions: Sequence[tuple[str, int]]) -> None:
        """Forget objects that another instance has changed; `versions` are the ones they have now.

        The message may be late, repeated or forged. It never makes anything valid, so a forged one costs a
        read of the database, and a lost one is found when the staleness bound ends.
        """
        freshness = self._scopes.get(scope)
        if freshness is not None:
            self._lists.outdate(scope)
            freshness.outdate_uncached()
            now_ns = self._clock.monotonic_ns()
            for identifier, version in versions:
                freshness.changed(identifier, now_ns)
                self.cache.drop(freshness.partition, identifier, version)

    def acknowledged(self, scope: Scope, sequence: int) -> None:
        """Show nothing older than this sequence from now on: a client was answered as of it."""
        if self._freshness(scope).answered(sequence):
            self._lists.outdate(scope)

    def partition(self, scope: Scope) -> Partition:
        """Return the cache's partition of a scope."""
        return self._freshness(scope).partition

    def entry(self, scope: Scope, identifier: str) -> Entry | None:
        """Return the cache's entry of an object that may be shown now."""
        return self._find(scope, identifier)

    def rendered(self, scope: Scope, versioned: Versioned, response: CachedResponse) -> None:
        """Keep what was rendered from this version of an object, for as long as it is cached."""
        entry = self._freshness(scope).partition.entries.get(versioned.object.id)
        if entry is not None and entry.version == versioned.version:
            self.cache.render(entry, response)

    def _freshness(self, scope: Scope) -> Freshness:
        freshness = self._scopes.get(scope)
        if freshness is None:
            if len(self._scopes) >= limits.cached_scopes_max:
                for one in self._scopes.values():
                    one.forget()
                self._scopes.clear()
                self.cache.forget_partitions()
            freshness = Freshness(self.cache, scope, self._recent_changes, staleness_ns=self._staleness_ns)
            self._scopes[scope] = freshness
        return freshness

    def _find(self, scope: Scope, identifier: str) -> Entry | None:
        partition = self._freshness(scope).partition
        return self.cache.find(partition, identifier, self._clock.monotonic_ns())

    def _join(self, scope: Scope, identifier: str) -> InFlightRead | None:
        """Return the read to wait for, None for what is no identifier.

        Raises: Overloaded, DatabaseUnavailable.
        """
        # PostgreSQL would refuse the whole statement for one malformed identifier in it.
        if not is_well_formed(identifier, prefix_of(identifier)):
            return None
        self._in_flight.check()
        freshness, now_ns = self._freshness(scope), self._clock.monotonic_ns()
        read = freshness.joinable(identifier, now_ns)
        if read is not None:
            self._joined += 1
            return read
        is_cached = prefix_of(identifier) in CACHED
        copies = self._copies
        looks = is_cached and copies is not None and copies.wants(identifier) and freshness.has_proof(now_ns)
        read = self._in_flight.begin((scope, identifier), looks=looks)
        freshness.begin(read, is_cached=is_cached)
        return read

    def _end(self, reads: Sequence[InFlightRead]) -> None:
        for read in reads:
            freshness = self._scopes.get(read.key[0])
            if freshness is not None:
                freshness.end(read)

    async def _look(self, reads: Sequence[InFlightRead]) -> Sequence[InFlightRead]:
        """Resolve the reads that have a copy which may be shown, and return the others."""
        assert self._copies is not None
        # Keep confirming the scopes, even if they show nothing but copies.
        for scope in {read.key[0] for read in reads}:
            self._freshness(scope).partition.was_used = True
        found = await self._copies.find([read.key for read in reads])
        return [read for read in reads if not self._resolve_with_copy(read, found.get(read.key))]

    def _resolve_with_copy(self, read: InFlightRead, copy: Copy | None) -> bool:
        """Answer with the copy if it may be shown now: much may have changed since it was asked for."""
        if copy is None:
            return False
        scope, identifier = read.key
        freshness, now_ns = self._freshness(scope), self._clock.monotonic_ns()
        until_ns = freshness.copy_until_ns(identifier, copy.sequence, now_ns)
        if not until_ns:
            self._copies_stale += 1
            return False
        self._copies_shown += 1
        freshness.shown(copy.versioned, now_ns)
        self._put(freshness, identifier, copy.versioned, until_ns)
        read.resolve(copy.versioned)
        return True

    async def _read(self, reads: Sequence[InFlightRead]) -> None:
        """Read from the database, and resolve the reads."""
        scopes = {scope: self._freshness(scope) for scope in dict.fromkeys(read.key[0] for read in reads)}
        asked_ns = self._clock.monotonic_ns()
        reading = await self._store.read_latest([read.key for read in reads])
        self._keep(reads, reading, scopes, asked_ns)

    def _keep(
        self,
        reads: Sequence[InFlightRead],
        reading: Reading,
        scopes: Mapping[Scope, Freshness],
        asked_ns: int,
    ) -> None:
        now_ns = self._clock.monotonic_ns()
        latest = {(scope, versioned.object.id): versioned for scope, versioned in reading.objects}
        # To be decided before the confirmations below: they may empty a partition that this reading fills.
        kept = [
            read
            for read in reads
            if not read.is_outdated
            and self._is_kept(read.key[1])
            and read.key[0] in reading.sequences
            and not scopes[read.key[0]].is_forgotten
        ]
        for scope, sequence in reading.sequences.items():
            scopes[scope].confirmed(sequence, asked_ns, now_ns)
        for read in kept:
            scope, identifier = read.key
            self._put(scopes[scope], identifier, latest.get(read.key))
        for read in reads:
            versioned = latest.get(read.key)
            if read.is_outdated and versioned is not None:
                scopes[read.key[0]].overtake(read, versioned)
            read.resolve(versioned)
        if self._copies is not None:
            self._share(self._copies, reading, scopes, now_ns)

    def _share(
        self, copies: CopyStore, reading: Reading, scopes: Mapping[Scope, Freshness], now_ns: int
    ) -> None:
        """Have copies kept of what was read. They are right as of that snapshot, whatever changed since."""
        by_scope: dict[Scope, list[Versioned]] = {}
        for scope, versioned in reading.objects:
            identifier = versioned.object.id
            if scope in reading.sequences and self._is_kept(identifier):
                scopes[scope].shown(versioned, now_ns)
                if copies.wants(identifier):
                    by_scope.setdefault(scope, []).append(versioned)
        for scope, versions in by_scope.items():
            copies.keep(scope, reading.sequences[scope], versions)

    def _is_kept(self, identifier: str) -> bool:
        return self._staleness_ns > 0 and prefix_of(identifier) in CACHED

    def _put(
        self, freshness: Freshness, identifier: str, versioned: Versioned | None, until_ns: int = FOREVER_NS
    ) -> None:
        if versioned is not None:
            weight = weigh(versioned)
            self.cache.put(freshness.partition, identifier, versioned.version, versioned, weight, until_ns)
        elif self._stays_absent(identifier):
            until_ns = self._clock.monotonic_ns() + limits.negative_cache_ms * 1_000_000
            self.cache.put_absent(freshness.partition, identifier, until_ns)

    def _stays_absent(self, identifier: str) -> bool:
        """Tell whether nothing can be made under this identifier while it is remembered as missing.

        An identifier carries the moment that its request came in: what is older than any request that still
        waits, or younger than any that can come until then, is not made any more, or not yet.
        """
        moment_ms = int(identifier[-32:-20], 16)
        age_ms = self._clock.now_ms() - moment_ms
        return not -limits.negative_cache_ms - limits.clock_skew_ms_max <= age_ms <= limits.creation_ms_max


def weigh(versioned: Versioned) -> int:
    """Return about how many bytes an object takes in memory with its version, rather more than less."""
    return _VERSIONED_BYTES + weighing.weigh(versioned.object)


def _is_awaited(versioned: Versioned) -> bool:
    """Tell whether somebody may have an older version, or is likely to ask for this one."""
    return versioned.version > 1 or prefix_of(versioned.object.id) not in CACHED_ONCE_READ


def _value(entry: Entry) -> Versioned | None:
    value = entry.value
    assert value is None or isinstance(value, Versioned)
    return value
