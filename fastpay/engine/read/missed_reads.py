"""Reads of what the process's own cache does not have: at the home or in Redis, then in the database."""

from collections.abc import Mapping, Sequence

from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope, is_well_formed, prefix_of
from fastpay.domain.plan import Versioned
from fastpay.engine.ports import ReaderStore, Reading
from fastpay.engine.read.copy_ports import Copy, CopyStore, Neighbours, Seen
from fastpay.engine.read.freshness import Freshness
from fastpay.engine.read.in_flight import InFlightRead, InFlightReads
from fastpay.engine.read.kinds import CACHED, COPIED
from fastpay.engine.read.object_cache import ObjectCache


class MissedReads:
    """Joins equal reads, sends them together, and puts what they find into the cache and into Redis."""

    def __init__(
        self, store: ReaderStore, objects: ObjectCache, *, clock: Clock, copies: CopyStore | None
    ) -> None:
        self._store = store
        self._objects = objects
        self._clock = clock
        self._copies = copies
        # Who is asked first; None while this instance is alone.
        self.neighbours: Neighbours | None = None
        self._in_flight = InFlightReads(
            self._read, clock=clock, look=self._look, take=self._take_seen, ended=self._end
        )
        self._homes_shown = 0
        self._joined = 0
        self._copies_shown = 0
        self._copies_stale = 0

    async def close(self) -> None:
        """Cancel what is in flight, and fail everybody who waits."""
        await self._in_flight.close()

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name."""
        return {
            "reads_joined": self._joined,
            "reads_missed": self._in_flight.begun,
            "reads_turns": self._in_flight.turns,
            "reads_statements": self._in_flight.sent,
            "reads_homes_shown": self._homes_shown,
            "reads_copies_shown": self._copies_shown,
            "reads_copies_stale": self._copies_stale,
        }

    def join(self, scope: Scope, identifier: str) -> InFlightRead | None:
        """Return the read to wait for, None for what is no identifier.

        Raises: Overloaded, DatabaseUnavailable.
        """
        prefix = prefix_of(identifier)
        # PostgreSQL would refuse the whole statement for one malformed identifier in it.
        if not is_well_formed(identifier, prefix):
            return None
        self._in_flight.check()
        freshness, now_ns = self._objects.freshness(scope), self._clock.monotonic_ns()
        read = freshness.joinable(identifier, now_ns)
        if read is not None:
            self._joined += 1
            return read
        copies, neighbours, home, looks = self._copies, self.neighbours, None, False
        if prefix in COPIED:
            home = None if neighbours is None else neighbours.home(scope)
            if home is not None and not home.wants(identifier):
                home = None
            looks = (
                home is None
                and copies is not None
                and freshness.has_proof(now_ns)
                and copies.wants(identifier)
            )
        read = self._in_flight.begin((scope, identifier), home=home, looks=looks)
        freshness.begin(read, is_cached=prefix in CACHED)
        return read

    def _end(self, reads: Sequence[InFlightRead]) -> None:
        for read in reads:
            freshness = self._objects.scopes.get(read.key[0])
            if freshness is not None:
                freshness.end(read)

    async def _look(self, reads: Sequence[InFlightRead]) -> Sequence[InFlightRead]:
        """Resolve the reads that have a copy which may be shown, and return the others."""
        assert self._copies is not None
        # Keep confirming the scopes, even if they show nothing but copies.
        for scope in {read.key[0] for read in reads}:
            self._objects.freshness(scope).partition.was_used = True
        found = await self._copies.find([read.key for read in reads])
        left = []
        for read in reads:
            copy = found.get(read.key)
            if copy is not None:
                freshness, now_ns = self._objects.freshness(read.key[0]), self._clock.monotonic_ns()
                if self._resolve_with_copy(read, copy, freshness, now_ns):
                    continue
                self._copies_stale += 1
            left.append(read)
        shown = len(reads) - len(left)
        self._copies_shown += shown
        self._copies.judge(looked_for=len(reads), shown=shown)
        return left

    def _take_seen(
        self, reads: Sequence[InFlightRead], seen: Sequence[Seen | None], asked_ns: int
    ) -> list[InFlightRead]:
        """Resolve the reads that a home shows, and return the others. What it says is a proof as well."""
        now_ns = self._clock.monotonic_ns()
        left = []
        for read, one in zip(reads, seen, strict=True):
            freshness = self._objects.freshness(read.key[0])
            # Keep confirming the tenant, whoever shows it.
            freshness.partition.was_used = True
            # What was forgotten since that proof may have been newer.
            if one is not None and self._objects.has_known_since(asked_ns - one.age_ns):
                freshness.confirmed(one.sequence, asked_ns - one.age_ns, now_ns)
                copy = None if one.versioned is None else Copy(one.versioned, one.sequence)
                if copy is not None and self._resolve_with_copy(read, copy, freshness, now_ns):
                    self._homes_shown += 1
                    continue
            left.append(read)
        return left

    def _resolve_with_copy(self, read: InFlightRead, copy: Copy, freshness: Freshness, now_ns: int) -> bool:
        """Answer with the copy if it may be shown now: much may have changed since it was asked for."""
        identifier = read.key[1]
        until_ns = freshness.copy_until_ns(identifier, copy.sequence, now_ns)
        if not until_ns:
            return False
        freshness.shown(copy.versioned, now_ns)
        self._objects.put(freshness, identifier, copy.versioned, until_ns)
        read.resolve(copy.versioned)
        return True

    async def _read(self, reads: Sequence[InFlightRead]) -> None:
        """Read from the database, and resolve the reads."""
        scopes: dict[Scope, Freshness] = {}
        for read in reads:
            scope = read.key[0]
            if scope not in scopes:
                scopes[scope] = self._objects.freshness(scope)
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
        # An object is found by its digits alone, and may be of another kind.
        answers = [
            versioned if versioned is not None and versioned.object.id == read.key[1] else None
            for read, versioned in zip(reads, reading.found, strict=True)
        ]
        may_keep = {
            scope: freshness
            for scope, freshness in scopes.items()
            if self._objects.is_keeping and scope in reading.sequences and not freshness.is_forgotten
        }
        # To be decided before the confirmations below: they may empty a partition that this reading fills.
        partitions: list[Freshness | None] = []
        for read, versioned in zip(reads, answers, strict=True):
            scope = read.key[0]
            partitions.append(may_keep.get(scope) if read.is_cached and not read.is_outdated else None)
            if read.is_outdated:
                self._objects.drop_event(scopes[scope], versioned)
        for scope, sequence in reading.sequences.items():
            scopes[scope].confirmed(sequence, asked_ns, now_ns)
        for read, versioned, freshness in zip(reads, answers, partitions, strict=True):
            if freshness is not None:
                self._objects.put_read(freshness, read.key[1], versioned, asked_ns)
        for read, versioned in zip(reads, answers, strict=True):
            scope, identifier = read.key
            if versioned is not None and scope in reading.sequences and prefix_of(identifier) in COPIED:
                # Homes and Redis may have older ones.
                scopes[scope].shown(versioned, now_ns)
            if read.is_outdated and versioned is not None:
                scopes[scope].overtake(read, versioned)
            read.resolve(versioned)
        if self._copies is not None:
            self._share(self._copies, reads, answers, reading.sequences)

    def _share(
        self,
        copies: CopyStore,
        reads: Sequence[InFlightRead],
        answers: Sequence[Versioned | None],
        sequences: Mapping[Scope, int],
    ) -> None:
        """Have copies kept of what was read. They are right as of that snapshot, whatever changed since."""
        by_scope: dict[Scope, list[Versioned]] = {}
        for read, versioned in zip(reads, answers, strict=True):
            if versioned is None or prefix_of(read.key[1]) not in COPIED:
                continue
            scope, identifier = read.key
            if scope in sequences and copies.wants(identifier):
                by_scope.setdefault(scope, []).append(versioned)
        for scope, versions in by_scope.items():
            copies.keep(scope, sequences[scope], versions)
