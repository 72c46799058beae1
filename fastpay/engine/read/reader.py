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
from fastpay._native.cache import Cache, Entry, Rendition, Shelf
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope, is_well_formed
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.objects import prefix_of
from fastpay.domain.plan import Versioned
from fastpay.domain.search import Query
from fastpay.engine.ports import Commit, CommitObserver, Filter, Page, ReaderStore, Reading, Verification
from fastpay.engine.read.copy_ports import CopyStore, Found
from fastpay.engine.read.freshness import Standing
from fastpay.engine.read.in_flight import Flight, Flights
from fastpay.engine.read.shared_reads import SharedReads
from fastpay.errors import DatabaseUnavailable, Overloaded
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.reader")
# What says which version an object is: three fields, of which one is a number of its own.
_VERSIONED_BYTES = 80
# What is cached: objects of which every change is a version that commits tell of, and whose identifiers carry
# the moment of their request. The ledger's are read anew, and joined only as long as nothing changes for
# their tenant.
_CACHED = frozenset(("cus", "pm", "pi", "ch", "re"))
# New ones come with nearly every payment, and few are ever asked for by themselves: they are kept once they
# were. Nobody can have an older version of one.
_UNASKED = frozenset(("pm", "ch"))


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
        self._standings: dict[Scope, Standing] = {}
        self._flights = Flights(self._read, clock=clock, staleness_ns=self._staleness_ns, look=self._look)
        self._lists = SharedReads(clock=clock, staleness_ns=self._staleness_ns)
        # What became of copies that were found.
        self._found = Counter[str]()
        # What was asked before standings were forgotten says nothing about those that came after.
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
        await self._flights.close()

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name."""
        return {
            "reads_process_hits": self._cache.hits,
            "reads_negative_hits": self._cache.negative_hits,
            "reads_joined": self._flights.joined + self._lists.joined,
            "reads_missed": self._flights.missed,
            "reads_turns": self._flights.turns,
            "reads_statements": self._flights.sent,
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
        flight = self._join(scope, identifier)
        return None if flight is None else await flight.wait()

    def watch(self, scope: Scope, identifier: str, landed: Callable[[Versioned | None], None]) -> bool:
        """Have `landed` called with what `get` would return, of an object that is not cached; tell whether it
        will be. It is called with None where that would raise, too."""
        try:
            flight = self._join(scope, identifier)
        except (DatabaseUnavailable, Overloaded):
            return False
        if flight is None:
            return False
        flight.watch(landed)
        return True

    async def get_many(self, scope: Scope, identifiers: Sequence[str]) -> dict[str, Versioned]:
        """Return those of the objects that exist, by identifier."""
        found: dict[str, Versioned | None] = {}
        flights: dict[str, Flight] = {}
        for identifier in dict.fromkeys(identifiers):
            entry = self._find(scope, identifier)
            if entry is not None:
                found[identifier] = _value(entry)
            elif (flight := self._join(scope, identifier)) is not None:
                flights[identifier] = flight
        if flights:
            answers = await asyncio.gather(*(flight.wait() for flight in flights.values()))
            found.update(zip(flights, answers, strict=True))
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

    async def search(self, scope: Scope, query: Query, page: Page) -> Sequence[Versioned]:
        """Return up to `page.limit` + 1 objects that a query finds, newest first."""
        return await self._lists.share(
            scope, ("search", query, page), lambda: self._store.search(scope, query, page)
        )

    async def accounts(self, scope: Scope) -> Sequence[Account]:
        """Return the scope's accounts that payments move."""
        return await self._lists.share(scope, "accounts", lambda: self._store.list_accounts(scope))

    async def verify(self, scope: Scope) -> Verification:
        """Hold the books of the scope against themselves: counters, transfers and payments."""
        return await self._lists.share(scope, "verify", lambda: self._store.verify(scope))

    def committed(self, commits: Sequence[Commit]) -> None:
        """Show what was committed here from now on, and nothing that was read before."""
        for commit in commits:
            standing = self._standing(commit.scope)
            standing.advance(commit.before, commit.after)
            self._lists.outdate(commit.scope)
            is_furthest = standing.is_furthest(commit.after)
            awaited: list[Versioned] = []
            for versioned in commit.versions:
                identifier = versioned.object.id
                self._flights.outdate((commit.scope, identifier))
                is_kept = self._is_kept(identifier)
                is_awaited = is_kept and _is_awaited(versioned)
                if is_awaited:
                    awaited.append(versioned)
                if not (is_kept and is_furthest):
                    self._cache.drop(standing.shelf, identifier, versioned.version)
                elif is_awaited or identifier in standing.shelf.entries:
                    self._put(standing, identifier, versioned)
            if self._copies is not None:
                self._copies.prime(commit.scope, commit.before, commit.after, awaited)
        if self.announcer is not None:
            self.announcer.committed(commits)

    def heard(self, scope: Scope, versions: Sequence[tuple[str, int]], sequence: int = 0) -> None:
        """Forget what another instance says that it has changed: objects, with the versions they have by now.

        `sequence` is how far it says that the tenant's sequence has come, 0 where it does not say.

        It may be late, or wrong: it makes nothing valid, and for longer than agreed nothing is shown anyway.
        """
        standing = self._standings.get(scope)
        if standing is not None:
            self._lists.outdate(scope)
            standing.hear(sequence)
            for identifier, version in versions:
                self._flights.outdate((scope, identifier))
                self._cache.drop(standing.shelf, identifier, version)

    def acknowledged(self, scope: Scope, sequence: int) -> None:
        """Show nothing from before this place in the sequence any more: an answer was given here as of it."""
        if self._standing(scope).acknowledge(sequence):
            self._lists.outdate(scope)

    def shelf(self, scope: Scope) -> Shelf:
        """Return the cache's shelf of a scope."""
        return self._standing(scope).shelf

    def entry(self, scope: Scope, identifier: str) -> Entry | None:
        """Return the cache's entry of an object that may be shown now."""
        return self._find(scope, identifier)

    def rendered(self, scope: Scope, versioned: Versioned, rendition: Rendition) -> None:
        """Keep what was rendered from this version of an object, for as long as it is cached."""
        entry = self._standing(scope).shelf.entries.get(versioned.object.id)
        if entry is not None and entry.version == versioned.version:
            self._cache.render(entry, rendition)

    def _standing(self, scope: Scope) -> Standing:
        standing = self._standings.get(scope)
        if standing is None:
            if len(self._standings) >= limits.standings_max:
                self._cache.forget_shelves()
                self._standings.clear()
                self._flights.outdate_all()
                self._forgotten_ns = self._clock.monotonic_ns()
            standing = Standing(self._cache, scope, staleness_ns=self._staleness_ns)
            self._standings[scope] = standing
        return standing

    def _find(self, scope: Scope, identifier: str) -> Entry | None:
        shelf = self._standing(scope).shelf
        return self._cache.find(shelf, identifier, self._clock.monotonic_ns())

    def _join(self, scope: Scope, identifier: str) -> Flight | None:
        # What is no identifier at all would make the database refuse the whole statement.
        if not is_well_formed(identifier, prefix_of(identifier)):
            return None
        standing = self._standing(scope)
        if prefix_of(identifier) not in _CACHED:
            return self._flights.join((scope, identifier), -1 - standing.changes)
        looks = (
            self._copies is not None
            and self._copies.wants(identifier)
            and standing.is_proven(self._clock.monotonic_ns())
        )
        return self._flights.join((scope, identifier), standing.shelf.generation, looks=looks)

    async def _look(self, flights: Sequence[Flight]) -> Sequence[Flight]:
        """Land those of the flights of which there is a copy to be shown, and return the others."""
        assert self._copies is not None
        for scope in {flight.key[0] for flight in flights}:
            # So that the proof goes on where nothing but copies is shown.
            self._standing(scope).shelf.was_used = True
        found = await self._copies.find([flight.key for flight in flights])
        return [flight for flight in flights if not self._land_on_copy(flight, found)]

    def _land_on_copy(self, flight: Flight, found: Found) -> bool:
        """Answer with the copy if it may be shown now, whatever was so when it was asked for."""
        copy = found.copies.get(flight.key)
        if copy is None:
            return False
        scope, identifier = flight.key
        standing, now_ns = self._standing(scope), self._clock.monotonic_ns()
        if not standing.accepts(found.sequences[scope], now_ns):
            self._found["behind" if standing.is_proven(now_ns) else "unproven"] += 1
            return False
        self._found["shown"] += 1
        self._put(standing, identifier, copy)
        flight.land(copy)
        return True

    async def _read(self, flights: Sequence[Flight]) -> None:
        """Read what these flights are for, and let them land."""
        asked_ns = self._clock.monotonic_ns()
        reading = await self._store.read_latest([flight.key for flight in flights])
        self._keep(flights, reading, asked_ns)

    def _keep(self, flights: Sequence[Flight], reading: Reading, asked_ns: int) -> None:
        now_ns = self._clock.monotonic_ns()
        latest = {(scope, versioned.object.id): versioned for scope, versioned in reading.objects}
        standings = {scope: self._standing(scope) for scope in reading.sequences}
        # What a change overtook while it was being read is answered, and not kept.
        kept = [
            flight
            for flight in flights
            if self._is_kept(flight.key[1])
            and not flight.is_outdated
            and flight.key[0] in standings
            and flight.generation == standings[flight.key[0]].shelf.generation
        ]
        for scope, sequence in reading.sequences.items():
            self._confirm(standings[scope], sequence, asked_ns, now_ns)
        for flight in kept:
            scope, identifier = flight.key
            self._put(standings[scope], identifier, latest.get(flight.key))
        for flight in flights:
            flight.land(latest.get(flight.key))
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

    def _confirm(self, standing: Standing, sequence: int, asked_ns: int, now_ns: int) -> None:
        if asked_ns > self._forgotten_ns:
            standing.confirm(sequence, asked_ns, now_ns)

    def _is_kept(self, identifier: str) -> bool:
        return self._staleness_ns > 0 and prefix_of(identifier) in _CACHED

    def _put(self, standing: Standing, identifier: str, versioned: Versioned | None) -> None:
        if versioned is not None:
            self._cache.put(standing.shelf, identifier, versioned.version, versioned, weigh(versioned))
        elif self._stays_absent(identifier):
            until_ns = self._clock.monotonic_ns() + limits.negative_cache_ms * 1_000_000
            self._cache.put_absent(standing.shelf, identifier, until_ns)

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
        used = [standing for standing in self._standings.values() if standing.shelf.was_used]
        for start in range(0, len(used), limits.batch_reads_max):
            await self._confirm_some(used[start : start + limits.batch_reads_max])

    async def _keep_confirming(self) -> None:
        """Ask in time, before the proof runs out."""
        while True:
            await asyncio.sleep(self._staleness_ns / 2e9)
            await self.confirm()

    async def _confirm_some(self, standings: Sequence[Standing]) -> None:
        asked_ns = self._clock.monotonic_ns()
        for standing in standings:
            standing.shelf.was_used = False
        try:
            sequences = await self._store.read_sequences([standing.scope for standing in standings])
        except (DatabaseUnavailable, Overloaded):
            # Then nothing is proven, and what is cached is not shown for much longer.
            return
        except Exception:  # noqa: BLE001  the task must outlive whatever one question does to it
            _log.exception("confirmation_failed")
            return
        now_ns = self._clock.monotonic_ns()
        for standing in standings:
            if standing.scope in sequences:
                self._confirm(standing, sequences[standing.scope], asked_ns, now_ns)


def weigh(versioned: Versioned) -> int:
    """Return about how many bytes an object takes in memory with its version, rather more than less."""
    return _VERSIONED_BYTES + weighing.weigh(versioned.object)


def _is_awaited(versioned: Versioned) -> bool:
    """Tell whether somebody may have an older version, or is likely to ask for this one."""
    return versioned.version > 1 or prefix_of(versioned.object.id) not in _UNASKED


def _value(entry: Entry) -> Versioned | None:
    value = entry.value
    assert value is None or isinstance(value, Versioned)
    return value
