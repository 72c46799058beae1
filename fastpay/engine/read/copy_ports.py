"""What the reader asks before the database: a cache that instances share, and the homes of tenants."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Versioned

Key = tuple[Scope, str]


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


class Seen(NamedTuple):
    """An object as another instance shows it: with all commits of its tenant up to `sequence`.

    PostgreSQL has named no higher sequence to a question that was sent `age_ns` before. It is None if that
    instance does not have it, which does not say that it does not exist.
    """

    versioned: Versioned | None
    sequence: int
    age_ns: int


# Is called with what was found of each object that was asked for, None where nothing can be said.
Answers = Callable[[Sequence[Seen | None]], None]


class Neighbour(Protocol):
    """Another instance. Nothing here raises or waits."""

    def wants(self, identifier: str) -> bool:
        """Tell whether it pays to ask it for this object now."""

    def find(self, keys: Sequence[Key], answers: Answers) -> None:
        """Ask for objects. `answers` is called once, with nothing found if no answer comes in time."""


class Neighbours(Protocol):
    """The other instances."""

    def home(self, scope: Scope) -> Neighbour | None:
        """Return the home of a tenant, None if that is this instance."""
