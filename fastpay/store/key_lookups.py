"""Look-ups of API keys in the database: many in one statement, one statement at a time.

Anyone can send well-formed keys that do not exist, and each costs a look-up. So that such keys do not delay
others, a waiting key is in one of three classes:

| class   | the key                                              | is looked up                              |
|---------|------------------------------------------------------|-------------------------------------------|
| trusted | was good before, or has the tag of this installation | by the next statement; ahead of its time  |
|         |                                                      | after `key_renewal_gap_ms`, with others   |
| unknown | comes from an address with few failures              | by a statement every `key_lookups_gap_ms` |
| suspect | comes from an address with many failures             | the same, or 429: a random sample         |

Suspects are sampled at random, not in order of arrival. So a flood cannot lock out an older key without a tag
that shares its address: each attempt has the same chance as any of the flood.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from fastpay import limits
from fastpay.clock import Clock
from fastpay.errors import DatabaseUnavailable, RateLimited
from fastpay.server.addresses import TokenBuckets, group_of
from fastpay.store.failures import LOST
from fastpay.store.key_records import FoundKey
from fastpay.store.keys import find_keys, has_tag, hash_key, read_tag_key
from fastpay.store.pool import Lender, due

_LIMITED = "Too many requests with unknown API keys. Try again in a moment."
_GAP_NS = limits.key_lookups_gap_ms * 1_000_000


class Landing(NamedTuple):
    """The result of a look-up, and when its statement was sent, by the monotonic clock."""

    found: FoundKey | None
    asked_ns: int


class _Lookup(NamedTuple):
    """A waiting key. A failure counts against `group`, or against no one if that is None."""

    digest: bytes
    group: str | None
    future: "asyncio.Future[Landing]"

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class KeyLookups:
    """Looks keys up. It uses one connection of the pool at a time."""

    def __init__(self, pool: Lender, *, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._trusted: list[_Lookup] = []
        # Trusted ones that can wait for others.
        self._renewals: list[_Lookup] = []
        self._renewal: asyncio.TimerHandle | None = None
        self._unknown: list[_Lookup] = []
        self._suspects: list[_Lookup] = []
        # How many suspects came since the last statement; those that wait are a sample of them.
        self._suspects_seen = 0
        self._failures = TokenBuckets(
            burst=limits.key_failures_burst,
            per_second=limits.key_failures_per_second,
            groups_max=limits.key_failure_groups_max,
        )
        # Read with the first look-up.
        self._tag_key: bytes | None = None
        self._sending: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due_ns = 0

    async def warm_up(self) -> None:
        """Connect before the first key comes. Under a load that takes longer than a request may wait.

        A database that is away delays nothing: the first look-up connects then.
        """
        with contextlib.suppress(*LOST, asyncpg.PostgresError):
            async with self._pool.lend(until=due(limits.connect_timeout_ms)) as connection:
                self._tag_key = await read_tag_key(connection)
                await find_keys(connection, [])

    def find(
        self, key: str, *, was_good: bool, client: str | None, is_urgent: bool = True
    ) -> "asyncio.Future[Landing]":
        """Return a future with the result for a key. `client` is the address that sent it.

        Trusted keys that are not urgent wait for others: of many keys each is renewed at another moment.
        The future raises DatabaseUnavailable or RateLimited. Raises: RateLimited.
        """
        future: asyncio.Future[Landing] = asyncio.get_running_loop().create_future()
        digest = hash_key(key)
        if was_good or (self._tag_key is not None and has_tag(key, self._tag_key)):
            lookup = _Lookup(digest, None, future)
            if not is_urgent:
                self._wait_for_others(lookup)
                return future
            self._trusted.append(lookup)
        else:
            group = group_of(client)
            lookup = _Lookup(digest, group, future)
            if not self._failures.has_token(group, self._clock.monotonic_ns()):
                self._sample(lookup)
            elif len(self._unknown) < limits.key_lookups_waiting_max:
                self._unknown.append(lookup)
            else:
                raise RateLimited(_LIMITED)
        self._schedule()
        return future

    def hurry(self) -> None:
        """Look up now what waits for others."""
        if self._renewal is not None:
            self._renewal.cancel()
            self._renewal = None
        self._trusted += self._renewals
        self._renewals = []
        self._schedule()

    def _wait_for_others(self, lookup: _Lookup) -> None:
        self._renewals.append(lookup)
        if self._renewal is None:
            seconds = limits.key_renewal_gap_ms / 1000
            self._renewal = asyncio.get_running_loop().call_later(seconds, self.hurry)

    def _sample(self, lookup: _Lookup) -> None:
        """Add a suspect to the sample, or refuse it; a full sample drops another suspect for it.

        Source: Vitter, "Random Sampling with a Reservoir" (1985), algorithm R. Raises: RateLimited.
        """
        self._suspects_seen += 1
        if len(self._suspects) < limits.key_lookups_suspects_max:
            self._suspects.append(lookup)
            return
        slot = int.from_bytes(self._clock.random_bytes(8)) % self._suspects_seen
        if slot >= len(self._suspects):
            raise RateLimited(_LIMITED)
        self._suspects[slot].fail(RateLimited(_LIMITED))
        self._suspects[slot] = lookup

    def _schedule(self) -> None:
        """Send the next statement: now, or when keys that are not trusted may be looked up again."""
        if self._sending is not None or not (self._trusted or self._unknown or self._suspects):
            return
        wait_ns = self._due_ns - self._clock.monotonic_ns()
        if wait_ns <= 0:
            self._start(with_unknown=True)
        elif self._trusted:
            self._start(with_unknown=False)
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait_ns / 1e9, self._end_gap)

    def _end_gap(self) -> None:
        self._timer = None
        self._due_ns = 0
        self._schedule()

    def _start(self, *, with_unknown: bool) -> None:
        batch, self._trusted = _cut(self._trusted)
        if with_unknown:
            unknown, self._unknown = _cut(self._unknown)
            batch += unknown + self._suspects
            self._suspects, self._suspects_seen = [], 0
            self._due_ns = self._clock.monotonic_ns() + _GAP_NS
        self._sending = asyncio.create_task(self._send(batch), name="look keys up")

    async def _send(self, batch: Sequence[_Lookup]) -> None:
        asked_ns = self._clock.monotonic_ns()
        try:
            async with self._pool.lend(until=due(limits.key_timeout_ms)) as connection:
                if self._tag_key is None:
                    self._tag_key = await read_tag_key(connection)
                found = await find_keys(connection, [lookup.digest for lookup in batch])
        except asyncio.CancelledError:
            _fail(batch, DatabaseUnavailable("The server is stopping. Try again."))
            raise
        except (*LOST, asyncpg.PostgresError) as error:
            unavailable = self._pool.unavailable(error)
            unavailable.__cause__ = error
            _fail(batch, unavailable)
        except Exception as error:  # noqa: BLE001  whatever it is, the waiters get it
            _fail(batch, error)
        else:
            self._land(batch, found, asked_ns)
        finally:
            self._sending = None
            self._schedule()

    def _land(self, batch: Sequence[_Lookup], found: dict[bytes, FoundKey], asked_ns: int) -> None:
        now_ns = self._clock.monotonic_ns()
        for lookup in batch:
            key = found.get(lookup.digest)
            if key is None and lookup.group is not None:
                # Counted only now: many good keys at once from one address are no attack.
                self._failures.take(lookup.group, now_ns)
            if not lookup.future.done():
                lookup.future.set_result(Landing(key, asked_ns))


def _cut(waiting: list[_Lookup]) -> tuple[list[_Lookup], list[_Lookup]]:
    return waiting[: limits.key_lookups_batch_max], waiting[limits.key_lookups_batch_max :]


def _fail(batch: Sequence[_Lookup], error: Exception) -> None:
    for lookup in batch:
        lookup.fail(error)
