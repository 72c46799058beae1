"""The known header names: found without creating an object, and shared by all requests."""

from collections.abc import Mapping

class Names:
    """A case-insensitive table from names to kinds."""

    def __init__(self, kinds: Mapping[bytes, int]) -> None:
        """`kinds` maps lower-case names of letters, digits and hyphens to numbers."""

    def look_up(self, name: bytes) -> tuple[bytes, int]:
        """Return (lower-case name, kind), with kind 0 for an unknown name; for tests."""
