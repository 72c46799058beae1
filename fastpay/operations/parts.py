"""What the parts of a process have in common."""

from typing import Protocol


class Part(Protocol):
    """A part with a task of its own."""

    def start(self) -> None:
        """Start."""

    async def close(self) -> None:
        """Close in order."""
