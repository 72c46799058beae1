"""The read path: what is cached, else what is being read already, else one statement for all that is missing.

An object that is asked for by its identifier is looked for in the process's own cache; then among the reads
that are under way; and what is missing after that waits for the end of the loop turn, so that everything that
was missed in it is looked for together: among the copies that instances share, and then in the database, by
one statement. Lists and searches are joined too while they are under way, and never kept.

What is read by nobody else while it is read has no fault that another's going away could cause: a read
belongs to the reader and not to who asked first, and everybody waits for it behind a shield.

`engine/read/freshness.py` decides whether the cache, or a copy, may be shown. Decisions about money are made
elsewhere, on what the database holds under a lock.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

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
from fastpay.engine.read.copy_ports import CopyStore, Found
from fastpay.engine.read.freshness import Freshness
from fastpay.engine.read.in_flight import InFlightRead, InFlightReads
from fastpay.engine.read.kinds import CACHED, CACHED_ONCE_READ
from fastpay.engine.read.shared_reads import SharedReads
from fastpay.errors import DatabaseUnavailable, Overloaded
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.reader")
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
        self.announcer = announcer
        # With no staleness allowed everything is read anew, and nothing is worth a copy.
        self._copies = copies if staleness_ms else None
        self._store = store
        self._clock = clock
        self._staleness_ns = staleness_ms * 1_000_000
        self.cache = self._cache = Cache(cache_bytes_max if staleness_ms else 0)
        self._scopes: dict[Scope, Freshness] = {}
        self._in_flight = InFlightReads(
            self._read, clock=clock, staleness_ns=self._staleness_ns, look=self._look
        )
        self._lists = SharedReads(clock=clock, staleness_ns=self._staleness_ns)
        # What became of copies that were found.
        self._found = Counter[str]()
        # What was asked before scopes were forgotten says nothing about those that came after.
        self._forgotten_ns = 0
        self._confirming: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to confirm what is used."""
        if self._staleness_ns:
            self._confirming = asyncio.create_task(self._keep_confirming(), name="reader")

    async def close(self) -> None:
        """End what is under way, and let nobody wait for it."""
        if self._confirming is not None:
            self._confirming.cancel()
            await asyncio.wait([self._confirming])
        await self._in_flight.close()

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name."""
        return {
            "reads_process_hits": self._cache.hits,
            "reads_negative_hits": self._cache.negative_hits,
            "reads_joined": self._in_flight.joined + self._lists.joined,
            "reads_missed": self._in_flight.missed,
            "reads_turns": self._in_flight.turns,
            "reads_statements": self._in_flight.sent,
            "reads_copies_shown": self._found["shown"],
            "reads_copies_behind": self._found["behind"],
            "reads_copies_unproven": self._found["unproven"],
            "cache_entries": len(self._cache),
            "cache_bytes": self._cache.bytes_held,
            "cache_evictions": self._cache.evictions,
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
        """Return the objects as they stood at this place in the tenant's sequence."""
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
        """Show what was committed here from now on, and nothing that was read before."""
        for commit in commits:
            freshness = self._freshness(commit.scope)
            freshness.advance(commit.before, commit.after)
            self._lists.outdate(commit.scope)
            is_furthest = freshness.is_furthest(commit.after)
            awaited: list[Versioned] = []
            for versioned in commit.versions:
                identifier = versioned.object.id
                self._in_flight.outdate((commit.scope, identifier))
                is_kept = self._is_kept(identifier)
                is_awaited = is_kept and _is_awaited(versioned)
                if is_awaited:
                    awaited.append(versioned)
                if not (is_kept and is_furthest):
                    self._cache.drop(freshness.partition, identifier, versioned.version)
                elif is_awaited or identifier in freshness.partition.entries:
                    self._put(freshness, identifier, versioned)
            if self._copies is not None:
                self._copies.prime(commit.scope, commit.before, commit.after, awaited)
        if self.announcer is not None:
            self.announcer.committed(commits)

    def heard(self, scope: Scope, versions: Sequence[tuple[str, int]], sequence: int = 0) -> None:
        """Forget what another instance says that it has changed: objects, with the versions they have by now.

        `sequence` is how far it says that the tenant's sequence has come, 0 where it does not say.
        It may be late, or wrong: it makes nothing valid, and for longer than agreed nothing is shown anyway.
        """
        freshness = self._scopes.get(scope)
        if freshness is not None:
            self._lists.outdate(scope)
            freshness.hear(sequence)
            for identifier, version in versions:
                self._in_flight.outdate((scope, identifier))
                self._cache.drop(freshness.partition, identifier, version)

    def acknowledged(self, scope: Scope, sequence: int) -> None:
        """Show nothing from before this place in the sequence any more: an answer was given here as of it."""
        if self._freshness(scope).acknowledge(sequence):
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
            self._cache.render(entry, response)

    def _freshness(self, scope: Scope) -> Freshness:
        freshness = self._scopes.get(scope)
        if freshness is None:
            if len(self._scopes) >= limits.cached_scopes_max:
                self._cache.forget_partitions()
                self._scopes.clear()
                self._in_flight.outdate_all()
                self._forgotten_ns = self._clock.monotonic_ns()
            freshness = Freshness(self._cache, scope, staleness_ns=self._staleness_ns)
            self._scopes[scope] = freshness
        return freshness

    def _find(self, scope: Scope, identifier: str) -> Entry | None:
        partition = self._freshness(scope).partition
        return self._cache.find(partition, identifier, self._clock.monotonic_ns())

    def _join(self, scope: Scope, identifier: str) -> InFlightRead | None:
        # What is no identifier at all would make the database refuse the whole statement.
        if not is_well_formed(identifier, prefix_of(identifier)):
            return None
        freshness = self._freshness(scope)
        if prefix_of(identifier) not in CACHED:
            return self._in_flight.join((scope, identifier), -1 - freshness.changes)
        looks = (
            self._copies is not None
            and self._copies.wants(identifier)
            and freshness.is_proven(self._clock.monotonic_ns())
        )
        return self._in_flight.join((scope, identifier), freshness.partition.generation, looks=looks)

    async def _look(self, reads: Sequence[InFlightRead]) -> Sequence[InFlightRead]:
        """Resolve the reads that have a copy which may be shown, and return the others."""
        assert self._copies is not None
        for scope in {read.key[0] for read in reads}:
            # So that the proof goes on where nothing but copies is shown.
            self._freshness(scope).partition.was_used = True
        found = await self._copies.find([read.key for read in reads])
        return [read for read in reads if not self._resolve_with_copy(read, found)]

    def _resolve_with_copy(self, read: InFlightRead, found: Found) -> bool:
        """Answer with the copy if it may be shown now, whatever was so when it was asked for."""
        copy = found.copies.get(read.key)
        if copy is None:
            return False
        scope, identifier = read.key
        freshness, now_ns = self._freshness(scope), self._clock.monotonic_ns()
        if not freshness.accepts(found.sequences[scope], now_ns):
            self._found["behind" if freshness.is_proven(now_ns) else "unproven"] += 1
            return False
        self._found["shown"] += 1
        self._put(freshness, identifier, copy)
        read.resolve(copy)
        return True

    async def _read(self, reads: Sequence[InFlightRead]) -> None:
        """Read what these reads are for, and resolve them."""
        asked_ns = self._clock.monotonic_ns()
        reading = await self._store.read_latest([read.key for read in reads])
        self._keep(reads, reading, asked_ns)

    def _keep(self, reads: Sequence[InFlightRead], reading: Reading, asked_ns: int) -> None:
        now_ns = self._clock.monotonic_ns()
        latest = {(scope, versioned.object.id): versioned for scope, versioned in reading.objects}
        scopes = {scope: self._freshness(scope) for scope in reading.sequences}
        # What a change overtook while it was being read is answered, and not kept.
        kept = [
            read
            for read in reads
            if self._is_kept(read.key[1])
            and not read.is_outdated
            and read.key[0] in scopes
            and read.generation == scopes[read.key[0]].partition.generation
        ]
        for scope, sequence in reading.sequences.items():
            self._confirm(scopes[scope], sequence, asked_ns, now_ns)
        for read in kept:
            scope, identifier = read.key
            self._put(scopes[scope], identifier, latest.get(read.key))
        for read in reads:
            read.resolve(latest.get(read.key))
        self._fill(reading)

    def _fill(self, reading: Reading) -> None:
        """Have copies kept of what was read: as of that moment they are right, whatever has changed since."""
        if self._copies is None:
            return
        by_scope: dict[Scope, list[Versioned]] = {}
        for scope, versioned in reading.objects:
            identifier = versioned.object.id
            if self._is_kept(identifier) and self._copies.wants(identifier):
                by_scope.setdefault(scope, []).append(versioned)
        for scope, versions in by_scope.items():
            self._copies.fill(scope, reading.sequences[scope], versions)

    def _confirm(self, freshness: Freshness, sequence: int, asked_ns: int, now_ns: int) -> None:
        if asked_ns > self._forgotten_ns:
            freshness.confirm(sequence, asked_ns, now_ns)

    def _is_kept(self, identifier: str) -> bool:
        return self._staleness_ns > 0 and prefix_of(identifier) in CACHED

    def _put(self, freshness: Freshness, identifier: str, versioned: Versioned | None) -> None:
        if versioned is not None:
            self._cache.put(freshness.partition, identifier, versioned.version, versioned, weigh(versioned))
        elif self._stays_absent(identifier):
            until_ns = self._clock.monotonic_ns() + limits.negative_cache_ms * 1_000_000
            self._cache.put_absent(freshness.partition, identifier, until_ns)

    def _stays_absent(self, identifier: str) -> bool:
        """Tell whether nothing can be made under this identifier while it is remembered as missing.

        An identifier carries the moment that its request came in: what is older than any request that still
        waits, or younger than any that can come until then, is not made any more, or not yet.
        """
        moment_ms = int(identifier[-32:-20], 16)
        age_ms = self._clock.now_ms() - moment_ms
        return not -limits.negative_cache_ms - limits.clock_skew_ms_max <= age_ms <= limits.creation_ms_max

    async def confirm(self) -> None:
        """Ask the database whether what was used since the last time is still right."""
        used = [freshness for freshness in self._scopes.values() if freshness.partition.was_used]
        for start in range(0, len(used), limits.batch_reads_max):
            await self._confirm_some(used[start : start + limits.batch_reads_max])

    async def _keep_confirming(self) -> None:
        """Ask in time, before the proof runs out."""
        while True:
            await asyncio.sleep(self._staleness_ns / 2e9)
            await self.confirm()

    async def _confirm_some(self, scopes: Sequence[Freshness]) -> None:
        asked_ns = self._clock.monotonic_ns()
        for freshness in scopes:
            freshness.partition.was_used = False
        try:
            sequences = await self._store.read_sequences([freshness.scope for freshness in scopes])
        except (DatabaseUnavailable, Overloaded):
            # Then nothing is proven, and what is cached is not shown for much longer.
            return
        except Exception:  # noqa: BLE001  the task must outlive whatever one question does to it
            _log.exception("confirmation_failed")
            return
        now_ns = self._clock.monotonic_ns()
        for freshness in scopes:
            if freshness.scope in sequences:
                self._confirm(freshness, sequences[freshness.scope], asked_ns, now_ns)


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
