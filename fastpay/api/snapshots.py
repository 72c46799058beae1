"""Snapshots: the objects of one answer, all as they stood at one sequence.

What a commit answered is shown as of the answer's sequence, everything expanded included, so that a replay
gives the same bytes however the objects have changed since.
"""

from collections.abc import Mapping, Sequence

from fastpay import limits
from fastpay.api.context import Call
from fastpay.api.resource import Resource, Resources, Sublist
from fastpay.domain.identifiers import HIGHEST, Scope, digits
from fastpay.domain.objects import StoredObject
from fastpay.domain.plan import Versioned
from fastpay.engine.ledger_ports import Ledger
from fastpay.engine.ports import Reader


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
        self._rendered = 0
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
        found: dict[str, list[dict[str, object]]] = {identifier: [] for identifier in identifiers}
        # By object, the digits that the rest of its list lies below.
        remaining = dict.fromkeys(identifiers, HIGHEST)
        limit = limits.page_size_default + 1
        while remaining:
            size = limits.sublist_rows_max // limit
            every = list(remaining.items())
            for start in range(0, len(every), size):
                await self._list_some(sublist, every[start : start + size], limit, found, remaining)
            # What is left has so many newer items: those that existed at the sequence are further back.
            limit = limits.page_size_max + 1
        return found

    async def step(self) -> None:
        """Let other tasks run."""
        await self._computation.step()

    async def _list_some(
        self,
        sublist: Sublist,
        bounds: Sequence[tuple[str, str]],
        limit: int,
        found: dict[str, list[dict[str, object]]],
        remaining: dict[str, str],
    ) -> None:
        """Add up to `limit` items of each list to `found`. What is complete then is not `remaining`."""
        kind, field = sublist.kind.prefix, sublist.field
        resource = self.resources.of_kind(*sublist.kinds)
        lists = await self.reader.list_each(self.scope, kind, field, bounds, limit)
        versions = await self._as_they_were([row for rows in lists for row in rows])
        for (owner, _), rows in zip(bounds, lists, strict=True):
            for row in rows:
                is_wanted = sublist.only_type in {None, getattr(row.object, "type", None)}
                if is_wanted and row.object.id in versions:
                    stored = versions[row.object.id].object
                    found[owner].append(await self._render_in_turn(resource, stored))
            if len(found[owner]) > limits.page_size_default or len(rows) < limit:
                del remaining[owner]
            else:
                remaining[owner] = digits(rows[-1].object.id)

    async def _as_they_were(self, rows: Sequence[Versioned]) -> dict[str, Versioned]:
        """Return those that existed at the sequence, by identifier."""
        if self.sequence is None:
            return {row.object.id: row for row in rows}
        versions = {row.object.id: row for row in rows if row.sequence <= self.sequence}
        changed = [row.object.id for row in rows if row.sequence > self.sequence]
        if changed:
            versions |= await self.load(changed)
        return versions

    async def _render_in_turn(self, resource: Resource, stored: StoredObject) -> dict[str, object]:
        """Render an object, and let other tasks run after so many."""
        self._rendered += 1
        if self._rendered % limits.expanded_at_once_max == 0:
            await self.step()
        return resource.render(stored, self.scope.livemode)


async def begin_page(call: Call, paths: Sequence[str]) -> Snapshots:
    """Return what the objects of a page are expanded from.

    If there are paths, wait for a turn first: a flood must wait before its pages are read, since nothing
    bounds the memory that the pages take from then on.
    """
    snapshots = Snapshots(call)
    if paths:
        await snapshots.step()
    return snapshots
