"""The search index, which is advanced after the payments: batch by batch along a tenant's sequence."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import asyncpg

from fastpay import limits
from fastpay.domain.identifiers import Scope, digits, prefix_of
from fastpay.domain.kinds import number_of
from fastpay.domain.objects import StoredObject
from fastpay.domain.plan import Versioned
from fastpay.domain.search import FIELDS, is_searchable
from fastpay.domain.search_terms import Terms
from fastpay.engine.indexing_ports import Backlog
from fastpay.errors import DatabaseUnavailable
from fastpay.store import rows
from fastpay.store.failures import LOST
from fastpay.store.postgres import Connection
from fastpay.store.statements import SQL

Lend = Callable[[], AbstractAsyncContextManager[Connection]]

# What the index loses in a crash is indexed again from its last durable position.
_UNHURRIED = "set local synchronous_commit = off"


class PostgresSearchIndex:
    """Satisfies `SearchIndex`.

    `lend` lends a connection to a block. `unavailable` translates a driver's error.
    """

    def __init__(self, lend: Lend, unavailable: Callable[[Exception], DatabaseUnavailable]) -> None:
        self._lend = lend
        self._unavailable = unavailable

    async def list_backlogs(self, scopes_max: int) -> list[Backlog]:
        """Return the scopes whose index is behind. Raises: DatabaseUnavailable."""
        try:
            async with self._lend() as connection:
                found = await connection.fetch(SQL["list_search_backlogs"], scopes_max)
        except (*LOST, asyncpg.PostgresError) as error:
            raise self._unavailable(error) from error
        return [Backlog(rows.scope_of(row), row["sequence"], row["behind"]) for row in found]

    async def advance(self, scope: Scope) -> int:
        """Advance the index by one batch, and return its number of events. Raises: DatabaseUnavailable."""
        try:
            async with self._lend() as connection, connection.transaction():
                await connection.execute(_UNHURRIED)
                return await _advance(connection, scope)
        except (*LOST, asyncpg.PostgresError) as error:
            raise self._unavailable(error) from error


async def load_latest(connection: Connection, scope: Scope, object_ids: Sequence[Any]) -> list[Versioned]:
    """Return the latest versions of objects, in any order."""
    count = len(object_ids)
    found = await connection.fetch(
        SQL["load_objects"], [scope.tenant_id] * count, [scope.livemode] * count, object_ids
    )
    return [rows.versioned(row) for row in found]


def concerned(events: Iterable[rows.Row]) -> list[Any]:
    """Return the objects of events, each once."""
    return list(dict.fromkeys(row["object_id"] for row in events))


async def _advance(connection: Connection, scope: Scope) -> int:
    await connection.execute(SQL["search_open"], *scope)
    # Read under the lock, so that another's progress is seen.
    come_to = await connection.fetchval(SQL["search_lock"], *scope)
    events = await connection.fetch(SQL["search_tail"], *scope, limits.search_batch_events)
    # Not every sequence number has an event, so a full batch ends at its last event.
    if len(events) == limits.search_batch_events:
        come_to = events[-1]["sequence"]
    versions = await load_latest(connection, scope, concerned(events)) if events else []
    changed = [versioned.object for versioned in versions]
    gone = [stored for stored in changed if prefix_of(stored.id) in FIELDS and not is_searchable(stored)]
    if gone:
        kinds = [number_of(stored) for stored in gone]
        await connection.execute(
            SQL["delete_search_entries"], *scope, kinds, [digits(stored.id) for stored in gone]
        )
    found = [stored for stored in changed if is_searchable(stored)]
    if found:
        await connection.execute(SQL["write_search_entries"], *scope, *_columns(scope, found))
    await connection.execute(SQL["write_search_progress"], *scope, come_to)
    return len(events)


def _columns(scope: Scope, found: Iterable[StoredObject]) -> list[list[object]]:
    makers = {kind: Terms(scope, kind) for kind in FIELDS}
    kinds: list[object] = []
    identifiers: list[object] = []
    amounts: list[object] = []
    befores: list[object] = []
    lasts: list[object] = []
    terms: list[object] = []
    for stored in found:
        entry = makers[prefix_of(stored.id)].entry(stored)
        kinds.append(number_of(stored))
        identifiers.append(digits(stored.id))
        amounts.append(entry.amount)
        befores.append(len(terms))
        terms += entry.terms
        lasts.append(len(terms))
    return [kinds, identifiers, amounts, befores, lasts, terms]
