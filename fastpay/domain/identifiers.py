"""Identifiers: a prefix that names the kind and the 32 hexadecimal digits of a time-ordered UUID.

An identifier carries its moment in its first 48 bits (UUID version 7, RFC 9562 5.7), so that the order
of identifiers is the order of creation and a range of time is a range of identifiers.
"""

import hashlib
import re
from typing import NamedTuple

LOWEST = "0" * 32
HIGHEST = "f" * 32

_HEXADECIMAL = re.compile(r"[0-9a-f]{32}\Z")
_TAIL_BITS = 62
_TAIL_MASK = (1 << _TAIL_BITS) - 1


class Scope(NamedTuple):
    """Whose rows, and in which mode. Nothing is ever read or written without one."""

    tenant_id: str
    livemode: bool


class IdentifierSequence:
    """The identifiers of one command: strictly rising, all of the same moment.

    `head` is the upper half of a version 7 UUID (48 bits of milliseconds, the version, a 12-bit count
    within the millisecond); `tail` gives at least 62 random bits for the lower half.
    """

    __slots__ = ("_head", "_tail")

    def __init__(self, head: int, tail: bytes) -> None:
        assert len(tail) == 8
        # Written out once: the two halves as text cost a fraction of one number of 128 bits.
        self._head = f"_{head:016x}"
        # The top bits stay clear so that counting up never wraps within one command.
        self._tail = 0b10 << _TAIL_BITS | int.from_bytes(tail, "big") & (_TAIL_MASK >> 2)

    def next(self, prefix: str) -> str:
        """Return a fresh identifier: `prefix`, an underscore and 32 hexadecimal digits."""
        self._tail += 1
        return f"{prefix}{self._head}{self._tail:016x}"


def digits(identifier: str) -> str:
    """Return the 32 hexadecimal digits behind the prefix."""
    return identifier[-32:]


def is_well_formed(identifier: str, prefix: str) -> bool:
    """Tell whether `identifier` could name an object of this prefix."""
    return (
        len(identifier) == len(prefix) + 33
        and identifier.startswith(prefix)
        and identifier[len(prefix)] == "_"
        and _HEXADECIMAL.match(identifier, len(prefix) + 1) is not None
    )


def lower_bound(created_s: int) -> str:
    """Return the smallest digits that an object created in this second or later can have."""
    return f"{min(max(created_s, 0) * 1000, 0xFFFF_FFFF_FFFF):012x}" + "0" * 20


def derived(*parts: str) -> str:
    """Return 32 digits that follow from `parts` alone: the same parts, the same object."""
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()
