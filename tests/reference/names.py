"""Looking header names up the plain way."""

from collections.abc import Mapping


class Names:
    """What the compiled table must be like."""

    def __init__(self, kinds: Mapping[bytes, int]) -> None:
        self._kinds = kinds

    def look_up(self, name: bytes) -> tuple[bytes, int]:
        """Return (lower-case name, kind), the kind 0 for one that is not known."""
        lower = name.lower()
        return lower, self._kinds.get(lower, 0)
