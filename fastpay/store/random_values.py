"""Fresh values for rows: the time, identifiers, and texts that nobody can guess."""

import uuid
from datetime import UTC, datetime
from typing import Any

from fastpay.clock import Clock, DatabaseClock, SystemClock
from fastpay.store.statements import SQL

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# 32 characters of 62 are 190 bits; 10 more cost nothing and say that nobody need count.
RANDOM_CHARS = 42


async def database_clock(connection: Any) -> DatabaseClock:
    """Return a clock that shows the time of the database behind an asyncpg connection (which has no types).

    What an operator makes, rolls and revokes goes by that time, whatever the operator's machine says.
    """
    clock = DatabaseClock(SystemClock())
    asked_ns = clock.monotonic_ns()
    moment_us = await connection.fetchval(SQL["read_moment"])
    clock.observe(moment_us, asked_ns=asked_ns, answered_ns=clock.monotonic_ns())
    return clock


def moment(clock: Clock) -> datetime:
    """Return the time as the database takes it."""
    return datetime.fromtimestamp(clock.now_ms() / 1000, UTC)


def random_uuid(clock: Clock) -> uuid.UUID:
    """Return a fresh identifier."""
    return uuid.UUID(bytes=clock.random_bytes(16), version=4)


def random_text(clock: Clock) -> str:
    """Return random characters, each of the 62 as likely as any other."""
    text = ""
    while len(text) < RANDOM_CHARS:
        # 248 is the largest multiple of 62 in a byte: what lies above would favour some characters.
        text += "".join(ALPHABET[byte % 62] for byte in clock.random_bytes(RANDOM_CHARS) if byte < 248)
    return text[:RANDOM_CHARS]
