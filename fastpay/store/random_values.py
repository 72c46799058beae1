"""Random values for rows: identifiers, and texts that nobody can guess."""

import uuid

from fastpay.clock import Clock

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# 250 bits: 42 characters of 62. 32 characters would already be 190 bits.
RANDOM_CHARS = 42


def random_uuid(clock: Clock) -> uuid.UUID:
    """Return a new random UUID."""
    return uuid.UUID(bytes=clock.random_bytes(16), version=4)


def random_text(clock: Clock) -> str:
    """Return `RANDOM_CHARS` characters of `ALPHABET`, each with the same probability."""
    text = ""
    while len(text) < RANDOM_CHARS:
        # 248 is the largest multiple of 62 in a byte. Greater bytes would favour some characters.
        text += "".join(ALPHABET[byte % 62] for byte in clock.random_bytes(RANDOM_CHARS) if byte < 248)
    return text[:RANDOM_CHARS]
