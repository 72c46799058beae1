"""Two at a time take away what only one of them may: somebody administers, and somebody can sign in."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from fastpay.store.connections import connected
from fastpay.store.postgres import Connection
from fastpay.store.statements import SQL

ADA, BOB, FIRST, SECOND = (uuid.UUID(int=number) for number in range(1, 5))
SESSION = bytes(32)


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    """A connection to a database with two administrators, the first of whom has two passkeys."""
    async with connected(database_url) as connection:
        await connection.execute(
            "insert into operator (operator_id, name, role, password_hash, sealed_secret, sealed_under) "
            f"values ('{ADA}', 'ada', 'admin', 'x', 'x', 'x'), ('{BOB}', 'bob', 'admin', 'x', 'x', 'x')"
        )
        for passkey in (FIRST, SECOND):
            await connection.execute(
                "insert into operator_passkey "
                "(passkey_id, operator_id, name, credential_id, public_key, rp_id, sign_count) "
                "values ($1, $2, 'key', $3, 'x', 'localhost', 0)",
                *(passkey, ADA, passkey.bytes),
            )
        yield connection


async def race(
    connection: Connection, database_url: str, *calls: tuple[str, tuple[object, ...]]
) -> list[str]:
    """Run statements that wait, one after the other, for rows that are locked. Return the outcomes."""
    async with connected(database_url) as one, connected(database_url) as two:
        async with connection.transaction():
            await connection.execute("select from operator for update")
            await connection.execute("select from operator_passkey for update")
            tasks: list[asyncio.Task[str]] = []
            for other, (name, values) in zip((one, two), calls, strict=True):
                tasks.append(asyncio.create_task(other.fetchval(SQL[name], *values)))
                waiting = "select count(*) from pg_locks where not granted"
                while await connection.fetchval(waiting) < len(tasks):
                    assert not any(task.done() for task in tasks)
                    await asyncio.sleep(0.01)
        return sorted(await asyncio.gather(*tasks))


async def test_two_administrators_who_demote_or_suspend_each_other_leave_one(
    connection: Connection, database_url: str
) -> None:
    demote = [("operator_set_role", (name, "view", "x")) for name in ("ada", "bob")]
    assert await race(connection, database_url, *demote) == ["done", "last_admin"]
    await connection.execute("update operator set role = 'admin'")
    suspend = [("operator_suspend", (name, "x")) for name in ("ada", "bob")]
    assert await race(connection, database_url, *suspend) == ["done", "last_admin"]
    await connection.execute("update operator set disabled = false")
    assert await race(connection, database_url, demote[0], suspend[1]) == ["done", "last_admin"]


async def test_two_who_remove_the_last_ways_in_leave_one(connection: Connection, database_url: str) -> None:
    first, second = (("operator_passkey_remove", (ADA, one, SESSION)) for one in (FIRST, SECOND))
    without = "update operator set password_hash = null, sealed_secret = null, sealed_under = null"
    await connection.execute(without)
    assert await race(connection, database_url, first, second) == ["done", "last_way"]
    left = await connection.fetchval("select passkey_id from operator_passkey")
    password = ("operator_password_remove", (ADA, SESSION))
    last = ("operator_passkey_remove", (ADA, left, SESSION))
    for calls in ((password, last), (last, password)):
        await connection.execute(
            "update operator set password_hash = 'x', sealed_secret = 'x', sealed_under = 'x'"
        )
        assert await race(connection, database_url, *calls) == ["done", "last_way"]
