"""API keys: found from memory for a moment, and no longer."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.errors import DatabaseUnavailable
from fastpay.store import keyring, keys
from fastpay.store.connections import connected
from fastpay.store.key_records import FoundKey, Kind
from fastpay.store.keyring import PostgresKeyRing
from fastpay.store.keys import NewKey
from fastpay.store.pool import ReaderPool
from fastpay.store.postgres import DatabaseSettings
from fastpay.store.sealing import Vault
from tests.support.engine import CLOCK, make_tenant

CACHE_MS = 1_000


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.moved_ms = 0
        self._start_ms = CLOCK.now_ms()

    def now_ms(self) -> int:
        """Return the wall clock."""
        return self._start_ms + self.moved_ms

    def monotonic_ns(self) -> int:
        """Return the clock for spans."""
        return self.moved_ms * 1_000_000

    def random_bytes(self, count: int) -> bytes:
        """Return true randomness: keys must differ."""
        return CLOCK.random_bytes(count)


class CountingPool:
    """Passes on what a key ring asks, counts it, and is away when told to be."""

    def __init__(self, pool: ReaderPool) -> None:
        self._pool = pool
        self.unavailable = pool.unavailable
        self.asked = 0
        self.away = False

    @asynccontextmanager
    async def lend(self, *, until: float | None = None) -> AsyncIterator[Any]:
        """Lend a connection, or fail as if the database were not there."""
        self.asked += 1
        if self.away:
            raise ConnectionRefusedError
        async with self._pool.lend(until=until) as connection:
            yield connection


class Ring:
    """A key ring over a database, with its clock and the connection of an operator."""

    def __init__(self, pool: ReaderPool, connection: Any, scope: Scope) -> None:
        self.clock = HandClock()
        self.pool = CountingPool(pool)
        self.keys = PostgresKeyRing(self.pool, clock=self.clock, cache_ms=CACHE_MS)
        self.connection = connection
        self.scope = scope

    async def make(self, kind: Kind = "secret", *, livemode: bool = False) -> NewKey:
        """Make a key of the tenant."""
        return await keys.create_key(
            self.connection, self.tenant_id, livemode=livemode, clock=self.clock, kind=kind
        )

    @property
    def tenant_id(self) -> Any:
        """The tenant as the database has it."""
        return uuid.UUID(self.scope.tenant_id)

    async def is_good(self, key: str) -> bool:
        """Return whether the key stands for anything."""
        return (self.keys.known(key) or await self.keys.authenticate(key)) is not None


@asynccontextmanager
async def ring(database_url: str) -> AsyncIterator[Ring]:
    """A key ring for the block."""
    scope = await make_tenant(database_url)
    pool = ReaderPool(DatabaseSettings(url=database_url))
    try:
        async with connected(database_url) as connection:
            yield Ring(pool, connection, scope)
    finally:
        await pool.close()


@pytest.mark.parametrize("livemode", [False, True])
async def test_a_key_stands_for_its_tenant_mode_and_kind(database_url: str, livemode: bool) -> None:
    async with ring(database_url) as own:
        for kind in ("secret", "publishable"):
            made = await own.make(kind, livemode=livemode)
            found = await own.keys.authenticate(made.key)
            assert found is not None
            assert (found.scope, found.kind) == (own.scope._replace(livemode=livemode), kind)
            assert len(found.fingerprint_key) == 32
            assert found.fingerprint_key.hex() not in repr(found)


async def test_a_wrong_key_stands_for_nothing(database_url: str) -> None:
    async with ring(database_url) as own:
        made = await own.make()
        for key in ("", "sk_test_", made.key[:-1], made.key + "x", made.key.upper(), "\0", "\ud800", "ключ"):
            assert not await own.is_good(key)


async def test_a_revoked_key_works_until_its_moment_is_over_and_no_longer(database_url: str) -> None:
    async with ring(database_url) as own:
        made = await own.make()
        assert await own.is_good(made.key)
        await keys.revoke_key(own.connection, own.tenant_id, made.key_id, livemode=False, clock=own.clock)
        own.clock.moved_ms = CACHE_MS - 1
        assert await own.is_good(made.key)
        own.clock.moved_ms = CACHE_MS
        assert not await own.is_good(made.key)


async def test_a_key_is_known_until_it_is_time_to_look_it_up_again(database_url: str) -> None:
    async with ring(database_url) as own:
        made = await own.make()
        assert own.keys.known(made.key) is None
        found = await own.keys.authenticate(made.key)
        assert own.keys.known(made.key) is found is not None
        own.clock.moved_ms = CACHE_MS // 2 - 1
        assert own.keys.known(made.key) is found
        for moved_ms in (CACHE_MS // 2 + 1, CACHE_MS):
            own.clock.moved_ms = moved_ms
            assert own.keys.known(made.key) is None


async def test_a_key_in_use_is_looked_up_again_before_anybody_has_to_wait_for_it(database_url: str) -> None:
    async with ring(database_url) as own:
        made = await own.make()
        assert await own.is_good(made.key)
        asked = own.pool.asked
        own.clock.moved_ms = CACHE_MS // 2 + 1
        assert await own.is_good(made.key)
        # The answer was there already; the question is on its way, once.
        assert await own.is_good(made.key)
        await asyncio.gather(*own.keys._asking.values())
        assert own.pool.asked == asked + 1
        own.clock.moved_ms = CACHE_MS + 2
        assert await own.is_good(made.key)
        await asyncio.gather(*own.keys._asking.values())
        assert own.pool.asked == asked + 2


async def test_many_keys_in_use_are_looked_up_again_together(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long the machine needs for them, the wait for others ends when all have come.
    monkeypatch.setattr(limits, "key_renewal_gap_ms", 3_600_000)
    async with ring(database_url) as own:
        made = [await own.make() for _ in range(20)]
        for one in made:
            assert await own.is_good(one.key)
        asked = own.pool.asked
        own.clock.moved_ms = CACHE_MS // 2 + 1
        for one in made:
            assert await own.is_good(one.key)
            await asyncio.sleep(0.001)
        assert own.pool.asked == asked
        own.keys._lookups.hurry()
        await asyncio.gather(*own.keys._asking.values())
        assert own.pool.asked == asked + 1
        own.clock.moved_ms = CACHE_MS + 2
        assert [await own.is_good(one.key) for one in made] == [True] * 20
        assert own.pool.asked == asked + 1


async def test_who_needs_a_key_does_not_wait_for_others(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "key_renewal_gap_ms", 3_600_000)
    async with ring(database_url) as own:
        made = await own.make()
        assert await own.is_good(made.key)
        own.clock.moved_ms = CACHE_MS - 1
        assert await own.is_good(made.key)
        assert own.keys._asking
        own.clock.moved_ms = CACHE_MS
        assert await own.is_good(made.key)
        assert not own.keys._asking


async def test_the_secrets_of_a_key_are_opened_again_only_if_it_has_changed(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[FoundKey]()

    def open_counted(found: FoundKey, vault: Vault | None) -> bytes:
        opened.append(found)
        return keys.open_fingerprint_key(found, vault)

    monkeypatch.setattr(keyring, "open_fingerprint_key", open_counted)
    async with ring(database_url) as own:
        made = await own.make()
        for number in range(3):
            own.clock.moved_ms = number * CACHE_MS
            assert await own.is_good(made.key)
        assert len(opened) == 1
        await own.connection.execute("update api_key set signature_required = true")
        own.clock.moved_ms += CACHE_MS
        found = await own.keys.authenticate(made.key)
        assert found is not None
        assert found.must_sign
        assert len(opened) == 2


async def test_a_key_that_cannot_be_looked_up_ahead_works_to_the_end_of_its_moment(database_url: str) -> None:
    async with ring(database_url) as own:
        made = await own.make()
        assert await own.is_good(made.key)
        own.clock.moved_ms = CACHE_MS // 2 + 1
        own.pool.away = True
        for _ in range(2):
            assert await own.is_good(made.key)
            await asyncio.gather(*own.keys._asking.values(), return_exceptions=True)
        own.clock.moved_ms = CACHE_MS
        with pytest.raises(DatabaseUnavailable):
            await own.is_good(made.key)
        own.pool.away = False
        assert await own.is_good(made.key)


async def test_a_new_key_that_was_tried_before_works_after_a_moment(database_url: str) -> None:
    async with ring(database_url) as own:
        made = await own.make()
        await own.connection.execute("update api_key set revoked_at = now()")
        assert not await own.is_good(made.key)
        await own.connection.execute("update api_key set revoked_at = null")
        assert not await own.is_good(made.key)
        own.clock.moved_ms = CACHE_MS
        assert await own.is_good(made.key)


async def test_a_rolled_key_ends_at_its_time_although_it_was_remembered(database_url: str) -> None:
    async with ring(database_url) as own:
        made = await own.make()
        await keys.roll_key(
            own.connection,
            own.tenant_id,
            made.key_id,
            livemode=False,
            clock=own.clock,
            overlap=timedelta(milliseconds=CACHE_MS // 2),
        )
        assert await own.is_good(made.key)
        own.clock.moved_ms = CACHE_MS // 2 - 1
        assert await own.is_good(made.key)
        own.clock.moved_ms = CACHE_MS // 2
        assert not await own.is_good(made.key)


async def test_the_database_is_asked_once_however_many_ask_at_once(database_url: str) -> None:
    async with ring(database_url) as own:
        made = await own.make()
        found = await asyncio.gather(*(own.is_good(made.key) for _ in range(50)))
        assert (found, own.pool.asked) == ([True] * 50, 1)
        assert await own.is_good(made.key)
        assert own.pool.asked == 1


async def test_one_who_goes_away_does_not_take_the_answer_from_the_others(database_url: str) -> None:
    async with ring(database_url) as own:
        made = await own.make()
        leaving, staying = (asyncio.create_task(own.is_good(made.key)) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        assert await staying
        assert leaving.cancelled()


async def test_a_database_that_is_away_says_nothing_about_a_key(database_url: str) -> None:
    async with ring(database_url) as own:
        made = await own.make()
        own.pool.away = True
        with pytest.raises(DatabaseUnavailable):
            await own.keys.authenticate(made.key)
        own.pool.away = False
        assert await own.is_good(made.key)


async def test_no_more_keys_are_remembered_than_allowed(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "known_keys_max", 3)
    monkeypatch.setattr(limits, "absent_keys_max", 3)
    async with ring(database_url) as own:
        made = [await own.make() for _ in range(5)]
        for number in range(10):
            assert not await own.is_good(f"wrong {number}")
            assert await own.is_good(made[number % 5].key)
            assert len(own.keys._absent) <= 3
            assert len(own.keys._known) <= 3
        assert own.keys._asking == {}


async def test_a_flood_of_wrong_keys_makes_nobody_forget_the_right_one(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "known_keys_max", 3)
    monkeypatch.setattr(limits, "absent_keys_max", 3)
    async with ring(database_url) as own:
        right = await own.make()
        assert await own.is_good(right.key)
        for number in range(10):
            assert not await own.is_good(f"wrong {number}")
        asked = own.pool.asked
        assert await own.is_good(right.key)
        assert own.pool.asked == asked
