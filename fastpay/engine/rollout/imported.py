"""What objects that were imported are called here, by the identifiers of the older API."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.periodic import PeriodicWork
from fastpay.engine.rollout.choice import LEGACY, owner_of
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.rollout")


class ImportedStore(Protocol):
    """What is needed from the database. Each raises DatabaseUnavailable and Overloaded."""

    async def read_scopes(self) -> Collection[Scope]:
        """Return the tenants and modes into which something was imported."""

    async def find_ours(self, scope: Scope, theirs: Sequence[str]) -> Mapping[str, str]:
        """Return our identifiers of those of the older API that were imported."""


class Imported(PeriodicWork):
    """Finds imported objects by the identifiers of the older API.

    Only a tenant into which something was imported is asked for: all others never wait for this.
    """

    def __init__(
        self, store: ImportedStore, *, clock: Clock, is_away: Callable[[], bool] = lambda: False
    ) -> None:
        self._store = store
        self._scopes: Collection[Scope] = ()
        # What was imported stays so. What was not may be at any time, and is asked for again.
        self._known: dict[tuple[Scope, str], str] = {}
        super().__init__(
            ("imports", self.read, limits.rollout_poll_ms), clock=clock, log=_log, is_away=is_away
        )

    async def read(self) -> None:
        """Ask which tenants have imported. Raises: DatabaseUnavailable, Overloaded."""
        self._scopes = frozenset(await self._store.read_scopes())

    def __bool__(self) -> bool:
        """Whether anything was imported."""
        return len(self._scopes) > 0

    def has(self, scope: Scope) -> bool:
        """Whether anything was imported into a mode of a tenant."""
        return scope in self._scopes

    async def ours_of(self, scope: Scope, identifiers: Iterable[str]) -> Mapping[str, str]:
        """Return our identifiers of those that the older API made, as far as they were imported.

        Raises: DatabaseUnavailable, Overloaded.
        """
        theirs = {one for one in identifiers if owner_of(one) == LEGACY} if self.has(scope) else ()
        known = {one: self._known[scope, one] for one in theirs if (scope, one) in self._known}
        unknown = [one for one in theirs if one not in known]
        if not unknown:
            return known
        found = await self._store.find_ours(scope, unknown)
        if len(self._known) + len(found) > limits.imported_identifiers_kept:
            self._known.clear()
        self._known.update(((scope, theirs), ours) for theirs, ours in found.items())
        return {**known, **found}
