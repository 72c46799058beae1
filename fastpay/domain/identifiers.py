"""Identifiers: a prefix that names the kind and the 32 hexadecimal digits of a time-ordered UUID.

The first 48 bits are the time in milliseconds (UUID version 7, RFC 9562 5.7). So the order of identifiers is
the order of creation, and a range of time is a range of identifiers.
"""

import hashlib
import struct
from typing import NamedTuple

from fastpay import limits
from fastpay._native import identifiers as parts

LOWEST = "0" * 32
HIGHEST = "f" * 32

_TAIL_BITS = 62
_TAIL_MASK = (1 << _TAIL_BITS) - 1
_VARIANT = 0b10 << _TAIL_BITS
_INDEX_BITS = 14
_VERSION = 7 << 12
_pack_halves = struct.Struct(">8sQ").pack

# Compiled, since each read of an object asks for them.
prefix_of = parts.prefix_of
digits = parts.digits
is_well_formed = parts.is_well_formed

# How many positions share one sequence number.
POSITIONS_PER_SEQUENCE = 1 << _INDEX_BITS
_INDEX_MASK = POSITIONS_PER_SEQUENCE - 1
assert limits.ledger_batch_transfers_max <= POSITIONS_PER_SEQUENCE


class Scope(NamedTuple):
    """A tenant and a mode. Every read and write is within one scope."""

    tenant_id: str
    livemode: bool


def lower_bound(created_s: int) -> str:
    """Return the smallest digits of an object that was created in this second or later."""
    return f"{min(max(created_s, 0) * 1000, 0xFFFF_FFFF_FFFF):012x}" + "0" * 20


def identifier_at(prefix: str, moment_ms: int, sequence: int, index: int) -> str:
    """Return the identifier of what was written at a position: a sequence number and an index from 0.

    A tenant and mode have each position once. So the identifier is unique without random bits, and the row
    can be found by what its identifier says (see `position_of`).
    """
    return f"{prefix}_{moment_ms << 16 | _VERSION:016x}{_VARIANT | sequence << _INDEX_BITS | index:016x}"


def placed(prefix: str, drawn: bytes, sequence: int) -> str:
    """Return the identifier of 16 bytes with a sequence number in place of random bits: its row can be found.

    The time and the last 14 random bits stay. `position_of` returns the sequence number.
    """
    # A page of events has a hundred: to format the numbers takes three times as long.
    tail = _VARIANT | sequence << _INDEX_BITS | (drawn[14] << 8 | drawn[15]) & _INDEX_MASK
    return f"{prefix}_{_pack_halves(drawn, tail).hex()}"


def moment_of(identifier: str) -> int:
    """Return the time in an identifier, in milliseconds since 1970."""
    return int(identifier[-32:-20], 16)


def position_of(identifier: str) -> tuple[int, int]:
    """Return the sequence number and the index of an identifier by `identifier_at`, or of any 32 digits."""
    tail = int(identifier[-16:], 16) & _TAIL_MASK
    return tail >> _INDEX_BITS, tail & _INDEX_MASK


def derived(*parts: str) -> str:
    """Return 32 digits that depend on `parts` alone: equal parts name the same object."""
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()
