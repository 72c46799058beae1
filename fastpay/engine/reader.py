"""The read path. Answers what stands; a cache and the collapsing of like reads have their place here."""

from collections.abc import Sequence

from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.plan import Versioned
from fastpay.domain.search import Query
from fastpay.engine.ports import Filter, Page, ReaderStore, Verification


class Reader:
    """Reads objects by identifier and by list, always within one scope."""

    def __init__(self, store: ReaderStore) -> None:
        self._store = store

    async def ping(self) -> None:
        """Tell whether the database answers. Raises: DatabaseUnavailable."""
        await self._store.ping()

    async def get(self, scope: Scope, identifier: str) -> Versioned | None:
        """Return the object as it stands now, None where there is none."""
        return (await self.get_many(scope, [identifier])).get(identifier)

    async def get_many(self, scope: Scope, identifiers: Sequence[str]) -> dict[str, Versioned]:
        """Return those of the objects that exist, by identifier."""
        return _matching(identifiers, await self._store.get_objects(scope, identifiers))

    async def get_many_at(
        self, scope: Scope, identifiers: Sequence[str], sequence: int
    ) -> dict[str, Versioned]:
        """Return the objects as they stood at this place in the tenant's sequence."""
        return _matching(identifiers, await self._store.get_objects_at(scope, identifiers, sequence))

    async def transfers(self, scope: Scope, identifiers: Sequence[str]) -> list[tuple[Transfer, int]]:
        """Return transfers with their moments in milliseconds since 1970."""
        return await self._store.get_transfers(scope, identifiers)

    async def list(self, scope: Scope, wanted: Filter, page: Page) -> Sequence[Versioned]:
        """Return up to `page.limit` + 1 objects, newest first: the one too many says that there are more."""
        return await self._store.list_objects(scope, wanted, page)

    async def search(self, scope: Scope, query: Query, page: Page) -> Sequence[Versioned]:
        """Return up to `page.limit` + 1 objects that a query finds, newest first."""
        return await self._store.search(scope, query, page)

    async def accounts(self, scope: Scope) -> Sequence[Account]:
        """Return the scope's accounts that payments move."""
        return await self._store.list_accounts(scope)

    async def verify(self, scope: Scope) -> Verification:
        """Hold the books of the scope against themselves: counters, transfers and payments."""
        return await self._store.verify(scope)


def _matching(identifiers: Sequence[str], found: Sequence[Versioned]) -> dict[str, Versioned]:
    """Keep what was asked for by its whole identifier: the digits alone would let another kind pass."""
    asked = set(identifiers)
    return {versioned.object.id: versioned for versioned in found if versioned.object.id in asked}
