"""On a real database too, a batch of N is like N batches of one, whatever one of its commands does."""

import asyncio
import contextlib
import itertools
import random
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest

from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Changes, Outcome, Submission
from fastpay.engine.write.writer import Writer
from fastpay.store.batches import PostgresBatches
from fastpay.store.connections import connected
from fastpay.store.postgres import DatabaseSettings
from tests.support.books import check_database
from tests.support.commands import Unwritable
from tests.support.database_clock import give_clock, move_clock
from tests.support.memory import MOMENT_MS, OTHER_TENANT, RULES, TENANT, MemoryStore, submission
from tests.support.random_commands import make_round
from tests.support.seeds import SEED
from tests.support.servers import fresh_database

ROUNDS = 40
# What commands write. Times of creation are those of the submissions, the same everywhere.
TABLES = (
    "account", "account_transfer", "application_fee", "balance", "book", "cash_transaction", "charge",
    "connected_account", "customer", "dispute", "event", "fee_refund", "idempotency", "object_version",
    "payment_intent", "payment_method", "payout", "refund", "transfer", "transfer_reversal",
)  # fmt: skip
# The database refuses to store it.
POISON = Unwritable(email="\0")


@pytest.fixture
def other_database_url(postgres_url: str) -> Iterator[str]:
    """Another database like the first."""
    with fresh_database(postgres_url, template="fastpay") as url:
        yield url


async def test_a_batch_of_many_is_like_many_batches_of_one_with_a_poisonous_command_at_every_place(
    database_url: str, other_database_url: str
) -> None:
    sys.stdout.write(f"FASTPAY_TEST_SEED={SEED}\n")
    chance = random.Random(SEED)
    numbers = itertools.count(1)
    memory = MemoryStore()
    memory.refuses = is_poisonous
    for url in (database_url, other_database_url):
        await make_tenants(url, TENANT, OTHER_TENANT)
        # Submissions carry moments that are the same on each run: the databases show about that time.
        await give_clock(url)
        await move_clock(url, seconds=(MOMENT_MS - SystemClock().now_ms()) / 1_000 + 30)
    poisoned = set()
    async with (
        writing(memory, 1) as oracle,
        writing(PostgresBatches(DatabaseSettings(url=database_url)), 1) as single,
        writing(PostgresBatches(DatabaseSettings(url=other_database_url)), 4) as batched,
    ):
        for number in range(ROUNDS):
            submissions = make_round(memory.state, chance, numbers)
            # At each of the first positions in turn, and at a random one.
            for position in {number % 5, chance.randrange(13)}:
                if position <= len(submissions):
                    poisoned.add(position)
                    key = chance.choice((None, f"poison {number}"))
                    submissions.insert(position, submission(POISON, key=key, number=next(numbers)))
            expected = await submit(oracle, submissions)
            assert await submit(single, submissions) == expected
            assert await submit(batched, submissions) == expected
    assert poisoned >= set(range(5))
    assert memory.state.books[TENANT].sequence > 20
    for table in TABLES:
        assert await dump(database_url, table) == await dump(other_database_url, table), table
    for url in (database_url, other_database_url):
        await check_database(url)


def is_poisonous(changes: Changes) -> bool:
    """Tell what PostgreSQL would refuse."""
    return any(getattr(written.object, "email", None) == POISON.email for _, written in changes.versions)


@contextlib.asynccontextmanager
async def writing(store: Any, batch_commands_max: int) -> AsyncIterator[Writer]:
    """Run a writer for the block, on a store that may be one in memory."""
    writer = Writer(store, clock=SystemClock(), batch_commands_max=batch_commands_max)
    writer.start()
    try:
        yield writer
    finally:
        await writer.close()
        if isinstance(store, PostgresBatches):
            await store.close()


async def submit(writer: Writer, submissions: Sequence[Submission]) -> list[Outcome | tuple[str, str]]:
    """Submit all at once, in order; return the outcomes, and the words of what was raised."""
    results = await asyncio.gather(*map(writer.submit, submissions), return_exceptions=True)
    return [
        (type(result).__name__, str(result)) if isinstance(result, BaseException) else result
        for result in results
    ]


async def make_tenants(database_url: str, *scopes: Scope) -> None:
    """Make tenants of these identifiers and with the rules that they have in memory, in every database."""
    async with connected(database_url) as connection:
        for scope in scopes:
            await connection.execute(
                "insert into tenant (tenant_id, name, fingerprint_key) values ($1, $2, $3)",
                scope.tenant_id,
                scope.tenant_id,
                b"k" * 32,
            )
            await connection.execute(
                "insert into book (tenant_id, livemode, fee_basis_points, fee_fixed) values ($1, $2, $3, $4)",
                *scope,
                RULES.fee_basis_points,
                RULES.fee_fixed,
            )


async def dump(database_url: str, table: str) -> list[Any]:
    """Return all rows of a table in an order of their own."""
    async with connected(database_url) as connection:
        rows = await connection.fetch(f"select row_to_json({table})::text as line from {table}")
    return sorted(row["line"] for row in rows)
