"""Fresh values for rows: the time, identifiers, and texts that nobody can guess."""

import uuid
from datetime import UTC, datetime

from fastpay.clock import Clock

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# 32 characters of 62 are 190 bits; 10 more cost nothing and say that nobody need count.
RANDOM_CHARS = 42


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
