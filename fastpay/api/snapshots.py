"""Snapshots: the objects of one answer, all as they stood at one sequence.

What a commit answered is shown as of the answer's sequence, everything expanded included, so that a replay
gives the same bytes however the objects have changed since.
"""

import asyncio
from collections.abc import Mapping, Sequence

from fastpay import limits
from fastpay.api.context import Call
from fastpay.api.resource import Resources, Sublist
from fastpay.domain.identifiers import Scope, digits
from fastpay.domain.objects import StoredObject
from fastpay.domain.plan import Versioned
from fastpay.engine.ledger_ports import Ledger
from fastpay.engine.ports import Filter, Page, Reader


class Snapshots:
    """The objects of one answer as they stood at `sequence`, or the latest where that is None.

    `known` are versions at hand that need no reading. Satisfies `Snapshot` and `Resolver`.
    """

    def __init__(
        self, call: Call, known: Mapping[str, Versioned] | None = None, *, sequence: int | None = None
    ) -> None:
        services = call.services
        self.scope: Scope = call.scope
        self.sequence = sequence
        self.reader: Reader = services.reader
        self.ledger: Ledger = services.ledger
        self.resources: Resources = services.resources
        self._known = dict(known or {})
        self._computation = services.computations.begin(call.scope)

    async def load(self, identifiers: Sequence[str]) -> dict[str, Versioned]:
        """Return the stored objects that exist."""
        unknown = [identifier for identifier in identifiers if identifier not in self._known]
        if unknown:
            if self.sequence is None:
                self._known.update(await self.reader.get_many(self.scope, unknown))
            else:
                self._known.update(await self.reader.get_many_at(self.scope, unknown, self.sequence))
        return {wanted: self._known[wanted] for wanted in identifiers if wanted in self._known}

    def render(self, stored: StoredObject) -> dict[str, object]:
        """Return an object in the mode of this answer."""
        return self.resources.render(stored, self.scope.livemode)

    async def resolve(self, identifiers: Sequence[str]) -> dict[str, dict[str, object]]:
        """Return the objects that exist, stored ones and views, rendered."""
        stored: list[str] = []
        views: dict[str, list[str]] = {}
        for identifier in identifiers:
            resource = self.resources.named(identifier)
            if resource is None or resource.load is None:
                stored.append(identifier)
            else:
                views.setdefault(resource.kind.prefix, []).append(identifier)
        loaded = await self.load(stored)
        found = {identifier: self.render(versioned.object) for identifier, versioned in loaded.items()}
        for wanted in views.values():
            resource = self.resources.named(wanted[0])
            assert resource is not None
            assert resource.load is not None
            found.update(await resource.load(self, wanted))
        return found

    async def list_each(
        self, sublist: Sublist, identifiers: Sequence[str]
    ) -> dict[str, list[dict[str, object]]]:
        """Return the list of each of these objects, newest first; one item more than a page if there are."""
        lists = await asyncio.gather(*(self._list(sublist, identifier) for identifier in identifiers))
        return dict(zip(identifiers, lists, strict=True))

    async def step(self) -> None:
        """Let other tasks run."""
        await self._computation.step()

    async def _list(self, sublist: Sublist, owner: str) -> list[dict[str, object]]:
        wanted = Filter(kind=sublist.kind.prefix, values=((sublist.field, owner),))
        page = Page(limit=limits.page_size_default)
        found: list[dict[str, object]] = []
        while True:
            rows = await self.reader.list(self.scope, wanted, page)
            found += [self.render(versioned.object) for versioned in await self._as_they_were(rows)]
            if len(found) > limits.page_size_default or len(rows) <= page.limit:
                return found
            # Many came after the sequence: those that existed at it are further back.
            page = Page(limit=limits.page_size_max, below=digits(rows[-1].object.id))

    async def _as_they_were(self, rows: Sequence[Versioned]) -> list[Versioned]:
        """Return those that existed at the sequence, in the same order."""
        if self.sequence is None:
            return list(rows)
        versions = {row.object.id: row for row in rows if row.sequence <= self.sequence}
        changed = [row.object.id for row in rows if row.sequence > self.sequence]
        if changed:
            versions |= await self.load(changed)
        return [versions[row.object.id] for row in rows if row.object.id in versions]


async def begin_page(call: Call, paths: Sequence[str]) -> Snapshots:
    """Return what the objects of a page are expanded from.

    If there are paths, wait for a turn first: a flood must wait before its pages are read, since nothing
    bounds the memory that the pages take from then on.
    """
    snapshots = Snapshots(call)
    if paths:
        await snapshots.step()
    return snapshots
