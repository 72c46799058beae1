"""fastpay/store/keys.py against a real PostgreSQL."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from fastpay.clock import SystemClock
from fastpay.errors import InvalidRequest, NotFound
from fastpay.store import keys
from fastpay.store.connections import connected
from fastpay.store.key_records import Kind
from fastpay.store.random_values import ALPHABET
from fastpay.store.statements import SQL

CLOCK = SystemClock()


class StoppedClock(SystemClock):
    """A clock that stands where it is put."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now_ms(self) -> int:
        return int(self.moment.timestamp() * 1000)


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Any]:
    async with connected(database_url) as connection:
        yield connection


@pytest.fixture
async def tenant_id(connection: Any) -> uuid.UUID:
    return await keys.create_tenant(connection, "shop", clock=CLOCK)


async def test_a_tenant_has_a_book_in_each_mode(connection: Any, tenant_id: uuid.UUID) -> None:
    rows = await connection.fetch(
        "select livemode, sequence from book where tenant_id = $1 order by 1", tenant_id
    )
    assert [tuple(row) for row in rows] == [(False, 0), (True, 0)]


async def test_a_tenant_is_made_once(connection: Any, tenant_id: uuid.UUID) -> None:
    assert await keys.create_tenant(connection, "shop", clock=CLOCK) == tenant_id
    assert await connection.fetchval("select count(*) from tenant") == 1
    assert await connection.fetchval("select count(*) from book") == 2


@pytest.mark.parametrize("name", ["", "x" * 101, "a\x00b", "a\nb", "\ud800"])
async def test_a_bad_tenant_name_is_refused(connection: Any, name: str) -> None:
    with pytest.raises(InvalidRequest, match="1 to 100 printable"):
        await keys.create_tenant(connection, name, clock=CLOCK)


@pytest.mark.parametrize(
    ("kind", "livemode", "prefix"),
    [
        ("secret", False, "sk_test_"),
        ("secret", True, "sk_live_"),
        ("publishable", False, "pk_test_"),
        ("publishable", True, "pk_live_"),
    ],
)
async def test_a_key_says_what_it_is_and_is_found(
    connection: Any, tenant_id: uuid.UUID, kind: Kind, livemode: bool, prefix: str
) -> None:
    made = await keys.create_key(connection, tenant_id, livemode=livemode, clock=CLOCK, kind=kind)
    assert made.key.startswith(prefix)
    random = made.key.removeprefix(prefix)
    assert len(random) >= 32
    assert set(random) <= set(ALPHABET)
    found = await keys.find_key(connection, keys.hash_key(made.key))
    assert found is not None
    assert (found.tenant_id, found.livemode, found.kind) == (tenant_id, livemode, kind)
    assert len(keys.open_fingerprint_key(found, None)) == 32
    assert (found.expires_at, found.revoked_at) == (None, None)


async def test_the_key_itself_is_nowhere_in_the_database(connection: Any, tenant_id: uuid.UUID) -> None:
    made = await keys.create_key(connection, tenant_id, livemode=False, clock=CLOCK)
    [text] = await connection.fetchrow("select api_key::text from api_key")
    assert made.key not in text
    assert made.key[8:] not in text
    assert made.key[-4:] in text


async def test_a_key_that_never_was_is_not_found(connection: Any, tenant_id: uuid.UUID) -> None:
    assert await keys.find_key(connection, keys.hash_key("sk_test_x")) is None


async def test_a_rolled_key_ends_at_once_and_its_successor_is_of_its_kind(
    connection: Any, tenant_id: uuid.UUID
) -> None:
    old = await keys.create_key(connection, tenant_id, livemode=False, clock=CLOCK, kind="publishable")
    now = StoppedClock(datetime(2030, 1, 1, tzinfo=UTC))
    new = await keys.roll_key(connection, tenant_id, old.key_id, livemode=False, clock=now)
    assert new.key.startswith("pk_test_")
    found = await keys.find_key(connection, keys.hash_key(old.key))
    assert found is not None
    assert found.expires_at == now.moment


async def test_a_rolled_key_may_live_on_for_a_while_but_no_longer_than_before(
    connection: Any, tenant_id: uuid.UUID
) -> None:
    old = await keys.create_key(connection, tenant_id, livemode=True, clock=CLOCK)
    now = StoppedClock(datetime(2030, 1, 1, tzinfo=UTC))
    for hours in (2, 5):
        await keys.roll_key(
            connection, tenant_id, old.key_id, livemode=True, clock=now, overlap=timedelta(hours=hours)
        )
    found = await keys.find_key(connection, keys.hash_key(old.key))
    assert found is not None
    assert found.expires_at == now.moment + timedelta(hours=2)


async def test_an_ended_key_cannot_be_rolled(connection: Any, tenant_id: uuid.UUID) -> None:
    old = await keys.create_key(connection, tenant_id, livemode=False, clock=CLOCK)
    await keys.roll_key(connection, tenant_id, old.key_id, livemode=False, clock=CLOCK)
    with pytest.raises(NotFound):
        await keys.roll_key(connection, tenant_id, old.key_id, livemode=False, clock=CLOCK)
    assert await connection.fetchval("select count(*) from api_key") == 2


async def test_revoking_keeps_the_first_time(connection: Any, tenant_id: uuid.UUID) -> None:
    made = await keys.create_key(connection, tenant_id, livemode=False, clock=CLOCK)
    first = StoppedClock(datetime(2030, 1, 1, tzinfo=UTC))
    later = StoppedClock(datetime(2031, 1, 1, tzinfo=UTC))
    for clock in (first, later):
        await keys.revoke_key(connection, tenant_id, made.key_id, livemode=False, clock=clock)
    found = await keys.find_key(connection, keys.hash_key(made.key))
    assert found is not None
    assert found.revoked_at == first.moment


async def test_keys_of_another_tenant_or_mode_are_out_of_reach(connection: Any, tenant_id: uuid.UUID) -> None:
    made = await keys.create_key(connection, tenant_id, livemode=False, clock=CLOCK)
    other = await keys.create_tenant(connection, "other", clock=CLOCK)
    for owner, livemode in ((other, False), (tenant_id, True)):
        with pytest.raises(NotFound):
            await keys.revoke_key(connection, owner, made.key_id, livemode=livemode, clock=CLOCK)
        with pytest.raises(NotFound):
            await keys.roll_key(connection, owner, made.key_id, livemode=livemode, clock=CLOCK)
        assert await keys.list_keys(connection, owner, livemode=livemode, clock=CLOCK) == []


async def test_the_list_shows_the_state_of_each_key(connection: Any, tenant_id: uuid.UUID) -> None:
    start = datetime(2030, 1, 1, tzinfo=UTC)
    made = [
        await keys.create_key(
            connection, tenant_id, livemode=False, clock=StoppedClock(start + timedelta(minutes=minute))
        )
        for minute in range(3)
    ]
    at = StoppedClock(start + timedelta(hours=1))
    await keys.revoke_key(connection, tenant_id, made[0].key_id, livemode=False, clock=at)
    await keys.roll_key(
        connection, tenant_id, made[1].key_id, livemode=False, clock=at, overlap=timedelta(hours=1)
    )
    listed = await keys.list_keys(connection, tenant_id, livemode=False, clock=CLOCK)
    assert [key.last4 for key in listed[:3]] == [new.key[-4:] for new in made]
    assert [key.state(at.moment) for key in listed] == ["revoked", "expiring", "good", "good"]
    assert listed[1].state(at.moment + timedelta(hours=1)) == "expired"


async def test_a_key_is_found_by_its_digest_and_nothing_else(connection: Any, tenant_id: uuid.UUID) -> None:
    # On any statistics: the only index that can serve leads with the digest.
    await connection.execute("set enable_seqscan = off")
    plan = await connection.fetch(
        "explain " + SQL["key_find"].replace("$1", "array[decode(repeat('00', 32), 'hex')]")
    )
    assert any("api_key_hash_unique" in row[0] for row in plan)


@pytest.mark.parametrize(
    ("constraint", "statement"),
    [
        ("tenant_name_length", "update tenant set name = ''"),
        ("tenant_fingerprint_key_length", "update tenant set fingerprint_key = ''"),
        ("book_fee_basis_points_range", "update book set fee_basis_points = 10001"),
        ("book_fee_fixed_range", "update book set fee_fixed = -1"),
        ("book_funds_delay_days_range", "update book set funds_delay_days = 366"),
        ("book_payout_interval_known", "update book set payout_interval = 'hourly'"),
        ("book_amount_minimums_shape", """update book set amount_minimums = '{"usd": 0}'"""),
        ("book_amount_minimums_shape", """update book set amount_minimums = '{"usd": 1.0}'"""),
        ("book_amount_minimums_shape", """update book set amount_minimums = '{"euros": 1}'"""),
        ("book_amount_minimums_shape", "update book set amount_minimums = '[]'"),
        ("book_dispute_fee_range", "update book set dispute_fee = -1"),
        ("book_sequence_range", "update book set sequence = -1"),
        ("api_key_kind_known", "update api_key set kind = 'root'"),
        ("api_key_hash_length", "update api_key set key_hash = ''"),
        ("api_key_last4_length", "update api_key set last4 = 'abc'"),
        ("api_key_book_fkey", "update api_key set tenant_id = gen_random_uuid()"),
    ],
)
async def test_the_database_itself_refuses(
    connection: Any, tenant_id: uuid.UUID, constraint: str, statement: str
) -> None:
    await keys.create_key(connection, tenant_id, livemode=False, clock=CLOCK)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as caught:
        await connection.execute(statement)
    assert caught.value.constraint_name == constraint
