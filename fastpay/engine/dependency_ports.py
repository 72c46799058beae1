"""What the store tells the engine about the servers that it talks to, and what the engine asks of it."""

from typing import Protocol


class Part(Protocol):
    """One of the ways in which a dependency can fail: a connection, or writing."""

    is_lost: bool

    def lost(self, reason: str) -> None:
        """Take note that it fails, and why."""

    def back(self) -> None:
        """Take note that it works."""


class NoPart:
    """Takes no note, where nobody wants to know."""

    is_lost = False

    def lost(self, reason: str) -> None:
        """Do nothing."""

    def back(self) -> None:
        """Do nothing."""


class DatabaseProbe(Protocol):
    """Asks the database whether it works, on a connection of its own, each time within a deadline."""

    async def look(self, *, afresh: bool) -> bool:
        """Return whether the database takes writes; `afresh` opens a new connection first.

        Raises: TransientFailure with the reason when it does not answer.
        """

    async def write(self) -> None:
        """Write something that takes room on the disk, and keep nothing of it. Raises: TransientFailure."""

    async def close(self) -> None:
        """Close the connection."""
