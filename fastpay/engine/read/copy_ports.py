"""What the reader asks of copies that are kept outside of this process and of the database."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Versioned


class Found(NamedTuple):
    """Copies, and for each tenant a place in its sequence: no copy is older than what stood there.

    Of a tenant without a place nothing is known, and there are no copies.
    """

    sequences: Mapping[Scope, int]
    copies: Mapping[tuple[Scope, str], Versioned]


class CopyStore(Protocol):
    """Copies of objects that may be lost, late and false, and say how far they are right.

    Nothing here raises. What could not be asked was not found, and what could not be kept is not there.
    """

    def wants(self, identifier: str) -> bool:
        """Tell whether there is any use in asking for this object now, or in having a copy of it kept."""

    async def find(self, wanted: Sequence[tuple[Scope, str]]) -> Found:
        """Return the copies that there are."""

    def prime(self, scope: Scope, before: int, after: int, versions: Sequence[Versioned]) -> None:
        """Keep what was committed between two places of the sequence: all that changed and may have a copy.

        Versions are in the order they came about. Does not wait.
        """

    def fill(self, scope: Scope, sequence: int, versions: Sequence[Versioned]) -> None:
        """Keep what the database showed when the sequence had come this far. Does not wait."""

    def counts(self) -> Mapping[str, int]:
        """Return what was counted since the start, by name."""
