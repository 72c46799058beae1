"""The identifiers of a command, counted as one number of 128 bits."""

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
