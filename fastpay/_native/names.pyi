"""The header names that are known: found without making an object, and shared by all requests."""

from collections.abc import Mapping

class Names:
    """A table from names, in any letter case, to their kinds."""

    def __init__(self, kinds: Mapping[bytes, int]) -> None:
        """`kinds` maps lower-case names of letters, digits and hyphens to numbers."""

    def look_up(self, name: bytes) -> tuple[bytes, int]:
        """Return (lower-case name, kind), the kind 0 for one that is not known; for the tests."""
