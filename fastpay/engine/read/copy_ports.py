"""What the reader asks of a cache that instances share."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Versioned


class Copy(NamedTuple):
    """An object as PostgreSQL showed it when the tenant's sequence was `sequence`."""

    versioned: Versioned
    sequence: int


class CopyStore(Protocol):
    """A shared cache that may lose, delay and repeat what it holds, but cannot change it.

    Nothing here raises: a copy that cannot be had was not found, and one that cannot be kept is dropped.
    """

    def wants(self, identifier: str) -> bool:
        """Tell whether it pays to look for this object now, and to keep a copy of it."""

    async def find(self, wanted: Sequence[tuple[Scope, str]]) -> Mapping[tuple[Scope, str], Copy]:
        """Return the copies that there are."""

    def judge(self, *, looked_for: int, shown: int) -> None:
        """Note how many objects were looked for, and how many of their copies could be shown."""

    def keep(self, scope: Scope, sequence: int, versions: Sequence[Versioned]) -> None:
        """Keep what one snapshot of PostgreSQL showed, with the tenant's sequence in it. Does not wait."""

    def counts(self) -> Mapping[str, int]:
        """Return what was counted since the start, by name."""
