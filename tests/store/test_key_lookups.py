"""Look-ups of keys that nobody has: few statements, and no refusal of those who have one."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.errors import RateLimited
from fastpay.store import keys
from fastpay.store.connections import connected
from fastpay.store.keyring import PostgresKeyRing
from fastpay.store.pool import ReaderPool
from fastpay.store.postgres import DatabaseSettings
from fastpay.store.random_values import random_text
from tests.store.test_keyring import CountingPool
from tests.support.engine import CLOCK, make_tenant
from tests.support.servers import PATIENCE_SECONDS

ATTACKER = "192.0.2.1"
OTHER = "198.51.100.1"


class FrozenClock(SystemClock):
    """A clock on which no time passes, so that no address regains what it spent."""

    def __init__(self) -> None:
        self.moved_ns = 0

    def monotonic_ns(self) -> int:
        """Return the clock for spans."""
        return self.moved_ns


class Ring:
    """A key ring over one connection to a real database, counted, and a tenant."""

    def __init__(self, pool: ReaderPool, connection: Any, tenant_id: uuid.UUID) -> None:
        self.clock = FrozenClock()
        self.pool = CountingPool(pool)
        self.keys = PostgresKeyRing(self.pool, clock=self.clock, cache_ms=1_000)
        self._pool = pool
        self._connection = connection
        self._tenant_id = tenant_id

    @property
    def opened(self) -> int:
        """How many connections the pool has."""
        return self._pool.state()["open"]

    async def make(self) -> str:
        """Make a key."""
        made = await keys.create_key(self._connection, self._tenant_id, livemode=False, clock=CLOCK)
        return made.key

    async def make_untagged(self) -> str:
        """Make a key as they were before there were tags."""
        made = await keys.create_key(self._connection, self._tenant_id, livemode=False, clock=CLOCK)
        key = unknown()
        statement = "update api_key set key_hash = $1 where key_id = $2"
        await self._connection.execute(statement, keys.hash_key(key), made.key_id)
        return key

    async def ask(self, asked: Sequence[str], client: str) -> Counter[str]:
        """Ask for all of these keys at once, and return what became of them."""
        answers = await asyncio.gather(
            *(self.keys.authenticate(key, client=client) for key in asked), return_exceptions=True
        )
        return Counter(type(answer).__name__ if answer is not None else "unknown" for answer in answers)

    async def exhaust(self, client: str) -> None:
        """Fail so often from an address that it is suspect."""
        await self.ask([unknown() for _ in range(limits.key_failures_burst)], client)


@pytest.fixture
async def ring(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ring]:
    """A key ring of the test's own, for which nobody waits too long."""
    monkeypatch.setattr(limits, "key_timeout_ms", PATIENCE_SECONDS * 1_000)
    async with _open(database_url) as opened:
        yield opened


@asynccontextmanager
async def _open(database_url: str) -> AsyncIterator[Ring]:
    scope = await make_tenant(database_url)
    pool = ReaderPool(DatabaseSettings(url=database_url), connections_max=limits.key_connections_max)
    try:
        async with connected(database_url) as connection:
            yield Ring(pool, connection, uuid.UUID(scope.tenant_id))
    finally:
        await pool.close()


def unknown() -> str:
    """Return a well-formed key that nobody has."""
    return "sk_test_" + random_text(CLOCK)


async def test_the_first_key_finds_a_connection_and_a_database_that_is_away_delays_no_start(
    ring: Ring,
) -> None:
    ring.pool.away = True
    await ring.keys.warm_up()
    assert ring.opened == 0
    ring.pool.away = False
    await ring.keys.warm_up()
    assert ring.opened == 1
    assert await ring.keys.authenticate(await ring.make()) is not None
    assert ring.opened == 1


async def test_thousands_of_unknown_keys_cost_a_few_statements(ring: Ring) -> None:
    count = 2 * limits.key_lookups_waiting_max
    found = await ring.ask([unknown() for _ in range(count)], ATTACKER)
    # The first one did not have to wait.
    assert found["unknown"] == limits.key_lookups_waiting_max + 1
    assert found["RateLimited"] == count - found["unknown"]
    assert ring.pool.asked == limits.key_lookups_waiting_max // limits.key_lookups_batch_max + 1


async def test_an_address_that_fails_often_is_refused_without_asking(ring: Ring) -> None:
    await ring.exhaust(ATTACKER)
    asked = ring.pool.asked
    found = await ring.ask([unknown() for _ in range(4_000)], ATTACKER)
    share = limits.key_lookups_suspects_max
    assert found == {"unknown": share, "RateLimited": 4_000 - share}
    assert ring.pool.asked == asked + 1


async def test_failures_of_one_address_are_not_another_ones(ring: Ring) -> None:
    await ring.exhaust("2001:db8:1:1::1")
    keys_asked = [unknown() for _ in range(50)]
    assert await ring.ask(keys_asked, "2001:db8:1:2::1") == {"unknown": 50}
    assert (await ring.ask([unknown() for _ in range(50)], "2001:db8:1:1::2"))["RateLimited"] > 0


async def test_an_address_that_failed_may_ask_again_after_a_while(ring: Ring) -> None:
    await ring.exhaust(ATTACKER)
    ring.clock.moved_ns = 1_000_000_000
    found = await ring.ask([unknown() for _ in range(50)], ATTACKER)
    assert found == {"unknown": 50}


async def test_a_key_with_a_tag_is_looked_up_whatever_its_address_has_done(ring: Ring) -> None:
    await ring.exhaust(ATTACKER)
    made = await ring.make()
    flood = ring.ask([unknown() for _ in range(1_000)], ATTACKER)
    _, found = await asyncio.gather(flood, ring.ask([made], ATTACKER))
    assert found == {"Credentials": 1}


async def test_a_key_that_was_good_is_looked_up_whatever_its_address_has_done(ring: Ring) -> None:
    old = await ring.make_untagged()
    assert await ring.ask([old], ATTACKER) == {"Credentials": 1}
    await ring.exhaust(ATTACKER)
    # What is known of it is no longer believed.
    ring.clock.moved_ns = 5_000_000_000
    await ring.exhaust(ATTACKER)
    flood = ring.ask([unknown() for _ in range(1_000)], ATTACKER)
    _, found = await asyncio.gather(flood, ring.ask([old], ATTACKER))
    assert found == {"Credentials": 1}


async def test_many_good_keys_at_once_from_one_address_are_no_attack(ring: Ring) -> None:
    made = [await ring.make_untagged() for _ in range(3 * limits.key_failures_burst)]
    assert await ring.ask(made, OTHER) == {"Credentials": len(made)}


async def test_an_old_key_at_a_suspect_address_has_the_chance_of_any_of_the_flood(ring: Ring) -> None:
    old = await ring.make_untagged()
    await ring.exhaust(ATTACKER)
    tries = 0
    while True:
        tries += 1
        # As many behind it as before it.
        around = [unknown() for _ in range(2 * limits.key_lookups_suspects_max)]
        half = limits.key_lookups_suspects_max
        answers = await asyncio.gather(
            *(ring.keys.authenticate(key, client=ATTACKER) for key in (*around[:half], old, *around[half:])),
            return_exceptions=True,
        )
        if not isinstance(answers[half], RateLimited):
            break
    assert answers[half] is not None
    # It fails once in a billion times.
    assert tries < 60


async def test_a_key_that_nobody_has_is_remembered_and_costs_no_failure(ring: Ring) -> None:
    wrong = unknown()
    for _ in range(3 * limits.key_failures_burst):
        assert await ring.ask([wrong], OTHER) == {"unknown": 1}
    assert ring.pool.asked == 1


async def test_a_tag_holds_for_the_whole_key_and_this_installation_only(ring: Ring) -> None:
    made = await ring.make()
    tag_key, other = b"a" * 32, b"b" * 32
    tagged = made[: -keys.TAG_CHARS] + keys.tag_of(made[: -keys.TAG_CHARS], tag_key)
    assert keys.has_tag(tagged, tag_key)
    assert not keys.has_tag(tagged, other)
    assert not keys.has_tag(tagged.replace("sk_test", "sk_live"), tag_key)
    assert not any(keys.has_tag(unknown(), tag_key) for _ in range(1_000))
