"""The process's own cache of objects, and how fresh it is for each tenant.

`engine/read/freshness.py` decides what may be shown. Here that is kept for all tenants, and applied when this
instance commits, when another one announces a change, and when something was read.
"""

from collections.abc import Sequence

from fastpay import limits
from fastpay._native import weighing
from fastpay._native.cache import Cache, CachedResponse, Entry
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope, prefix_of
from fastpay.domain.plan import Versioned
from fastpay.engine.event_ports import StoredEvent
from fastpay.engine.ports import Commit
from fastpay.engine.read.copy_ports import Seen
from fastpay.engine.read.freshness import FOREVER_NS, Freshness, RecentChanges
from fastpay.engine.read.kinds import CACHED, CACHED_ONCE_READ, COPIED, ENDPOINT

# What says which version an object is: three fields, of which one is a number of its own.
_VERSIONED_BYTES = 80


class ObjectCache:
    """Keeps objects while they may be shown. With `staleness_ms` 0 it keeps nothing."""

    def __init__(self, *, clock: Clock, staleness_ms: int, cache_bytes_max: int) -> None:
        self._clock = clock
        self._staleness_ns = staleness_ms * 1_000_000
        self.is_keeping = staleness_ms > 0
        self.cache = Cache(cache_bytes_max if staleness_ms else 0)
        self.scopes: dict[Scope, Freshness] = {}
        # When all scopes were forgotten last.
        self._forgotten_ns: int | None = None
        self._recent_changes = RecentChanges()
        # What was dropped because another instance changed it, oldest first.
        self._dropped: dict[tuple[Scope, str], None] = {}

    def freshness(self, scope: Scope) -> Freshness:
        """Return how fresh a tenant is. If too many are followed, all are forgotten."""
        freshness = self.scopes.get(scope)
        if freshness is None:
            if len(self.scopes) >= limits.cached_scopes_max:
                for one in self.scopes.values():
                    one.forget()
                self.scopes.clear()
                self._forgotten_ns = self._clock.monotonic_ns()
                self.cache.forget_partitions()
            freshness = Freshness(self.cache, scope, self._recent_changes, staleness_ns=self._staleness_ns)
            self.scopes[scope] = freshness
        return freshness

    def has_known_since(self, moment_ns: int) -> bool:
        """Tell whether nothing was forgotten since this time of the monotonic clock."""
        return self._forgotten_ns is None or moment_ns > self._forgotten_ns

    def came_to(self, scope: Scope) -> int | None:
        """Return the tenant's sequence that every later answer must have come to.

        None if that was forgotten less than the staleness bound ago.
        """
        forgotten_ns = self._forgotten_ns
        if forgotten_ns is not None and self._clock.monotonic_ns() - forgotten_ns < self._staleness_ns:
            return None
        freshness = self.scopes.get(scope)
        return 0 if freshness is None else freshness.came_to()

    def find(self, scope: Scope, identifier: str) -> Entry | None:
        """Return the entry of an object that may be shown now."""
        partition = self.freshness(scope).partition
        return self.cache.find(partition, identifier, self._clock.monotonic_ns())

    def show(self, scope: Scope, identifier: str) -> Seen | None:
        """Return an object for another instance, None if nothing of its tenant may be shown now.

        What is asked for is used here: it stays, and its tenant is confirmed from then on.
        """
        if scope not in self.scopes and len(self.scopes) >= limits.cached_scopes_max:
            # Others must not make it forget all.
            return None
        freshness, now_ns = self.freshness(scope), self._clock.monotonic_ns()
        partition = freshness.partition
        partition.was_used = True
        proof = freshness.proof(now_ns)
        if proof is None:
            return None
        entry = self.cache.find(partition, identifier, now_ns)
        versioned = None
        # A copy with an end of its own may lack commits of the partition, and events are not shared.
        if (
            entry is not None
            and entry.until_ns == FOREVER_NS
            and entry.weight <= limits.home_notice_bytes_max
        ):
            value = entry.value
            if isinstance(value, Versioned) and value.object.prefix in COPIED:
                versioned = value
        return Seen(versioned, proof.sequence, now_ns - proof.asked_ns)

    def follow(self, commits: Sequence[Commit]) -> None:
        """Show what was committed from now on, and nothing older."""
        now_ns = self._clock.monotonic_ns()
        for commit in commits:
            freshness = self.freshness(commit.scope)
            freshness.committed(commit.before, commit.after)
            is_latest = freshness.is_latest(commit.after)
            entries, reads = freshness.partition.entries, freshness.reads
            for versioned in commit.versions:
                stored, is_new = versioned.object, versioned.version == 1
                identifier = stored.id
                is_kept_once_read = is_new and type(stored) in CACHED_ONCE_READ
                if is_kept_once_read and identifier not in entries and identifier not in reads:
                    # Two of three objects of a payment: nobody has asked for it, and it is not kept.
                    continue
                prefix = stored.prefix
                if prefix == ENDPOINT:
                    freshness.revoke()
                if not is_new:
                    freshness.changed(identifier, now_ns)
                elif identifier in reads:
                    # There are no older copies of a new object, but a read may have found it missing.
                    freshness.outdate(identifier)
                is_kept = self.is_keeping and prefix in CACHED
                if not (is_kept and is_latest):
                    self.cache.drop(freshness.partition, identifier, versioned.version)
                elif not is_kept_once_read or identifier in entries:
                    # Somebody may have an older version, or is likely to ask for this one. As `put`, without
                    # two calls: each payment comes here.
                    weight = _VERSIONED_BYTES + weighing.weigh(stored)
                    partition, version = freshness.partition, versioned.version
                    self.cache.put(partition, identifier, version, versioned, weight, FOREVER_NS)

    def holds(self, scope: Scope, identifier: str) -> bool:
        """Tell whether the object is cached, or was until another instance changed it.

        Of an object that was asked for, a change is often heard twice: that it happened, and what it made.
        """
        freshness = self.scopes.get(scope)
        is_cached = freshness is not None and identifier in freshness.partition.entries
        return is_cached or (scope, identifier) in self._dropped

    def heard(self, scope: Scope, versions: Sequence[tuple[str, int]]) -> None:
        """Forget objects that another instance has changed; `versions` are the ones they have now."""
        freshness = self.scopes.get(scope)
        if freshness is None:
            return
        freshness.outdate_uncached()
        now_ns = self._clock.monotonic_ns()
        for identifier, version in versions:
            freshness.changed(identifier, now_ns)
            if self.cache.drop(freshness.partition, identifier, version):
                self._note_dropped(scope, identifier)
            if prefix_of(identifier) == ENDPOINT:
                freshness.revoke()

    def _note_dropped(self, scope: Scope, identifier: str) -> None:
        if len(self._dropped) >= limits.dropped_objects_max:
            del self._dropped[next(iter(self._dropped))]
        self._dropped[scope, identifier] = None

    def rendered(self, scope: Scope, versioned: Versioned, response: CachedResponse) -> None:
        """Keep what was rendered from this version of an object, for as long as it is cached."""
        entry = self.freshness(scope).partition.entries.get(versioned.object.id)
        if entry is None or entry.version != versioned.version:
            return
        # A later read may have found the same version of an event with another count.
        if not isinstance(versioned.object, StoredEvent) or entry.value is versioned:
            self.cache.render(entry, response)

    def put_read(
        self, freshness: Freshness, identifier: str, versioned: Versioned | None, asked_ns: int
    ) -> None:
        """Keep what the database answered to a question sent at `asked_ns`."""
        until_ns = FOREVER_NS
        if self.drop_event(freshness, versioned):
            until_ns = asked_ns + self._staleness_ns
        self.put(freshness, identifier, versioned, until_ns)

    def drop_event(self, freshness: Freshness, versioned: Versioned | None) -> bool:
        """Forget an event that another read has found: its version is the same whatever it counts.

        Return whether the count may change with no commit of the tenant.
        """
        if versioned is None or not isinstance(versioned.object, StoredEvent):
            return False
        self.cache.drop(freshness.partition, versioned.object.id, FOREVER_NS)
        return versioned.object.is_pending

    def put(
        self, freshness: Freshness, identifier: str, versioned: Versioned | None, until_ns: int = FOREVER_NS
    ) -> None:
        """Keep an object, or that there is none if nothing can be made under the identifier meanwhile."""
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
