"""Identifiers: new ones, written digit by digit (a payment makes eight), and the parts of others."""

from typing import final

@final
class IdentifierSequence:
    """The identifiers of one command: strictly increasing, all with the same time.

    `head` is the upper half of a version 7 UUID: 48 bits of milliseconds, the version and a 12-bit count
    within the millisecond. `tail` has 60 random bits for the lower half, in 8 bytes.
    """

    def __init__(self, head: int, tail: bytes) -> None:
        """Raises: ValueError for another length of `tail`, OverflowError if `head` has more than 64 bits."""

    @property
    def moment_ms(self) -> int:
        """The time in all these identifiers, in milliseconds since 1970."""

    def next(self, prefix: str) -> str:
        """Return the next identifier: `prefix`, an underscore and 32 hexadecimal digits.

        Raises: ValueError for a prefix that is not ASCII.
        """

def prefix_of(identifier: str) -> str:
    """Return the part of an identifier that names its kind: all before the first underscore."""

def digits(identifier: str) -> str:
    """Return the 32 hexadecimal digits behind the prefix."""

def is_well_formed(identifier: str, prefix: str) -> bool:
    """Tell whether `identifier` could name an object of this prefix."""
