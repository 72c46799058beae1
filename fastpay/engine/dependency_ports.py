"""How the store reports the state of servers, and how the engine checks them."""

from typing import Protocol


class Part(Protocol):
    """One of the ways in which a dependency can fail: a connection, or writes."""

    is_lost: bool

    def lost(self, reason: str) -> None:
        """Report that it fails, and why."""

    def back(self) -> None:
        """Report that it works."""


class NoPart:
    """Ignores reports."""

    is_lost = False

    def lost(self, reason: str) -> None:
        """Do nothing."""

    def back(self) -> None:
        """Do nothing."""


class Parts(Protocol):
    """A dependency whose parts come and go."""

    def part(self) -> Part:
        """Return a new part, which works until it is reported lost."""

    def discard(self, part: Part) -> None:
        """Forget a part, however it does."""


class NoParts:
    """A dependency that nobody watches."""

    def part(self) -> Part:
        """Return a part that ignores reports."""
        return NoPart()

    def discard(self, part: Part) -> None:
        """Do nothing."""


class DatabaseProbe(Protocol):
    """Checks the database on a connection of its own, within a deadline."""

    async def look(self, *, afresh: bool) -> bool:
        """Return whether the database accepts writes. `afresh` opens a new connection first.

        Raises: TransientFailure with the reason when it does not answer.
        """

    async def write(self) -> None:
        """Write something that takes space on the disk, and roll it back. Raises: TransientFailure."""

    async def close(self) -> None:
        """Close the connection."""
