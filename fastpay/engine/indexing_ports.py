"""What the part that advances the search index needs from the store."""

from typing import NamedTuple, Protocol

from fastpay.domain.identifiers import Scope


class Backlog(NamedTuple):
    """A scope whose search index ends `behind` events before the scope's `sequence`."""

    scope: Scope
    sequence: int
    behind: int


class SearchIndex(Protocol):
    """The search index, for the part that advances it."""

    async def list_backlogs(self, scopes_max: int) -> list[Backlog]:
        """Return scopes whose index is behind, furthest behind first.

        Raises: DatabaseUnavailable.
        """

    async def advance(self, scope: Scope) -> int:
        """Index one batch of events, and return how many. Raises: DatabaseUnavailable."""
