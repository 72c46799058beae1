"""Finds out whether a transaction was committed whose connection was lost before it said so.

Once the transaction is over, a row that only it writes is there, or never will be. A transaction in a block
is followed by its number. One that is a single statement may not even have begun when its connection ends:
the statement may be on its way, or wait in a backend that has not noticed. So that backend is ended.
"""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import asyncpg

from fastpay import limits
from fastpay.engine.failures import TransientFailure, UnknownOutcome
from fastpay.store.columns import Witness
from fastpay.store.failures import translate
from fastpay.store.postgres import Connection
from fastpay.store.statements import SQL

# Tells, on another connection, whether a transaction is over.
HasEnded = Callable[[Connection], Awaitable[bool]]


class Backend(NamedTuple):
    """A process of the server. The system gives its number to others later, but they started later."""

    pid: int
    started: dt.datetime


def by_number(transaction_id: str | None) -> HasEnded:
    """Follow a transaction by the number that it has.

    The number only tells whether the transaction still runs: after a crash PostgreSQL can assign it again.
    """

    async def has_ended(connection: Connection) -> bool:
        try:
            status = await connection.fetchval(SQL["transaction_status"], transaction_id)
        except asyncpg.InvalidParameterValueError:
            # The number is in the future: it was assigned before a crash, which ended the transaction.
            return True
        return bool(status != "in progress")

    return has_ended


def by_backend(backend: Backend) -> HasEnded:
    """End the backend that a statement was sent to, and wait until it is gone."""

    async def has_ended(connection: Connection) -> bool:
        return await connection.fetchval(SQL["end_backend"], *backend) is None

    return has_ended


async def backend_of(connection: Connection) -> Backend:
    """Return the backend that serves a connection. Raises: the driver's errors."""
    return Backend(*await connection.fetchrow(SQL["own_backend"]))


async def look_up(
    connect: Callable[[], Awaitable[Connection]],
    close: Callable[[], Awaitable[None]],
    has_ended: HasEnded,
    witness: Witness,
) -> None:
    """Return if a transaction was committed, within `resolve_timeout_ms`. It is asked on a new connection.

    Raises: TransientFailure if it was not; UnknownOutcome if the database does not answer in time.
    """
    try:
        async with asyncio.timeout(limits.resolve_timeout_ms / 1000):
            written = await _look_for(connect, close, has_ended, witness)
    except TimeoutError as error:
        await close()
        raise UnknownOutcome from error
    if not written:
        raise TransientFailure("08007")


async def _look_for(
    connect: Callable[[], Awaitable[Connection]],
    close: Callable[[], Awaitable[None]],
    has_ended: HasEnded,
    witness: Witness,
) -> bool:
    """Wait until the transaction has ended, and tell whether its row is there. Raises: UnknownOutcome."""
    for attempt in range(limits.commit_attempts_max):
        try:
            connection = await connect()
            # Two statements, so that the snapshot of the second is taken after the transaction ended.
            if await has_ended(connection):
                return bool(await connection.fetchval(SQL[witness[0]], *witness[1:]))
        except Exception as error:
            await close()
            if not isinstance(translate(error), TransientFailure):
                raise UnknownOutcome from error
        backoff_ms = min(limits.commit_backoff_ms * 2 ** (attempt + 2), limits.commit_backoff_max_ms)
        await asyncio.sleep(backoff_ms / 1000)
    raise UnknownOutcome
