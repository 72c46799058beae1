"""The identifiers of a command, counted as one number of 128 bits, and the parts of others by expressions."""

import re

_VARIANT = 0b1000 << 60
_TAIL_MASK = (1 << 60) - 1


class IdentifierSequence:
    """Adds one for each identifier."""

    def __init__(self, head: int, tail: bytes) -> None:
        self._number = head << 64 | _VARIANT | int.from_bytes(tail, "big") & _TAIL_MASK

    @property
    def moment_ms(self) -> int:
        """The upper 48 bits."""
        return self._number >> 80

    def next(self, prefix: str) -> str:
        """Return the next one."""
        self._number += 1
        return f"{prefix}_{self._number:032x}"


def prefix_of(identifier: str) -> str:
    """Return what is before the first underscore."""
    return identifier.partition("_")[0]


def digits(identifier: str) -> str:
    """Return the last 32 signs."""
    return identifier[-32:]


def is_well_formed(identifier: str, prefix: str) -> bool:
    """Tell whether it is the prefix, an underscore and 32 digits."""
    return re.fullmatch(re.escape(prefix) + "_[0-9a-f]{32}", identifier) is not None
