"""Searches: candidates from an asynchronous index and from the events after it, each checked.

The index is updated after the payments (`search_index.py`), so that payments cost nothing more. A search
still sees everything that was committed before it began. In one snapshot it reads

1. the sequence number up to which the index goes, and the events after that: the tail;
2. the latest version of each object in the tail, which is checked directly;
3. candidates from the index, without the objects in the tail.

If the tail is too long, the search first advances the index itself.

The index does not know how many objects have a term. So the newest entries are examined first, which is
enough if many match. If few match, the terms lead to them. A query that no term leads to (a negation, for
example) examines entries one by one, up to `limits.search_examined_max`, and is refused beyond that.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg

from fastpay import limits
from fastpay.domain.identifiers import Scope, digits, lower_bound, prefix_of
from fastpay.domain.kinds import STORED
from fastpay.domain.plan import Versioned
from fastpay.domain.search import Query, matches
from fastpay.domain.search_terms import Conjunct, Terms
from fastpay.engine.ports import Page
from fastpay.errors import InvalidRequest, Overloaded
from fastpay.store.postgres import Connection
from fastpay.store.search_index import Lend, PostgresSearchIndex, concerned, load_latest
from fastpay.store.statements import SQL

# A GIN index needs bitmap scans, which are off for all other statements.
_SETTINGS = (
    f"set local enable_bitmapscan = on; set local statement_timeout = {limits.search_statement_timeout_ms}"
)
_BEHIND = "Recent payments are still being indexed for searches. Try again in a moment."
_EXPENSIVE = (
    "This query has to examine too many objects. Search for something that fewer objects have, or narrow it "
    "down with created."
)


class _Tail(NamedTuple):
    """What changed after the end of the index: the objects, and their latest versions."""

    changed: frozenset[str]
    versions: list[Versioned]


class _Search(NamedTuple):
    """One search in its snapshot."""

    connection: Connection
    scope: Scope
    query: Query
    wanted: int
    tail: _Tail


class PostgresSearch:
    """Runs searches, and advances the index if it is too far behind. `lend` lends a connection to a block."""

    def __init__(self, lend: Lend, index: PostgresSearchIndex) -> None:
        self._lend = lend
        self._index = index

    async def search(self, scope: Scope, query: Query, page: Page) -> list[Versioned]:
        """Return up to `page.limit` + 1 objects that match a query, newest first.

        Raises: InvalidRequest if that is too expensive, Overloaded while the index is too far behind.
        """
        for _ in range(limits.search_batches_max):
            async with self._snapshot() as connection:
                tail = await _load_tail(connection, scope)
                if tail is not None:
                    return await _find(_Search(connection, scope, query, page.limit + 1, tail), page)
            await self._index.advance(scope)
        raise Overloaded(_BEHIND)

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[Connection]:
        try:
            async with (
                self._lend() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                await connection.execute(_SETTINGS)
                yield connection
        except asyncpg.QueryCanceledError as error:
            raise _too_expensive() from error


async def _load_tail(connection: Connection, scope: Scope) -> _Tail | None:
    """Return what changed after the end of the index, or None if that is too much."""
    events = await connection.fetch(SQL["search_tail"], *scope, limits.search_tail_max + 1)
    if len(events) > limits.search_tail_max:
        return None
    changed = concerned(events)
    versions = await load_latest(connection, scope, changed) if changed else []
    return _Tail(frozenset(identifier.hex for identifier in changed), versions)


async def _find(search: _Search, page: Page) -> list[Versioned]:
    query = search.query
    found = {
        digits(versioned.object.id): versioned
        for versioned in search.tail.versions
        if prefix_of(versioned.object.id) == query.kind
        and page.above < digits(versioned.object.id) < page.below
        and matches(query, versioned.object)
    }
    for conjunct in Terms(search.scope, query.kind).conjuncts(query):
        found.update(await _find_by_index(search, conjunct, page))
    newest = sorted(found, reverse=True)[: search.wanted]
    return [found[identifier] for identifier in newest]


async def _find_by_index(search: _Search, conjunct: Conjunct, page: Page) -> dict[str, Versioned]:
    """Return the newest objects of the index that match the query, by their digits."""
    above = max(page.above, lower_bound(conjunct.created_min))
    below = min(page.below, lower_bound(conjunct.created_max + 1))
    found: dict[str, Versioned] = {}
    examined, vain = 0, 0
    step, at_most = limits.search_recent_entries, search.wanted
    while above < below and len(found) < search.wanted:
        if examined == 0 or not _leads_somewhere(conjunct):
            looked_at = await _look_at_recent(search, conjunct, above, below, step, at_most)
        else:
            looked_at = await _look_up(search, conjunct, above, below, at_most)
        verified = await _verified(search, looked_at.candidates)
        found.update(verified)
        below = looked_at.below
        examined += looked_at.examined
        vain += len(looked_at.candidates) - len(verified)
        is_much = examined > limits.search_examined_max or vain > limits.search_candidates_max
        if is_much and len(found) < search.wanted and above < below:
            raise _too_expensive()
        # Fetch more than are wanted: some candidates changed since, and terms give false positives.
        step, at_most = limits.search_step_entries, max(search.wanted, limits.search_candidates_step)
    return found


class _LookedAt(NamedTuple):
    """Entries that may match, how many were examined, and where to continue ("" if there are no more)."""

    candidates: list[Any]
    examined: int
    below: str


def _leads_somewhere(conjunct: Conjunct) -> bool:
    return bool(conjunct.every) or conjunct.is_bounded_by_amount


async def _look_at_recent(
    search: _Search, conjunct: Conjunct, above: str, below: str, step: int, at_most: int
) -> _LookedAt:
    arguments = _arguments(search, conjunct, above, below)
    found = await search.connection.fetch(SQL["search_recent"], *arguments, at_most, step)
    if not found:
        return _LookedAt([], 0, "")
    candidates = [row["object_id"] for row in found if row["may_match"]]
    if len(candidates) == at_most:
        return _LookedAt(candidates, len(candidates), candidates[-1].hex)
    last = found[-1]
    return _LookedAt(candidates, last["examined"], last["object_id"].hex if last["examined"] == step else "")


async def _look_up(search: _Search, conjunct: Conjunct, above: str, below: str, at_most: int) -> _LookedAt:
    statement = "search_by_terms" if conjunct.every else "search_by_amount"
    arguments = _arguments(search, conjunct, above, below)
    found = await search.connection.fetch(SQL[statement], *arguments, at_most)
    candidates = [row["object_id"] for row in found]
    return _LookedAt(candidates, len(candidates), candidates[-1].hex if len(candidates) == at_most else "")


def _arguments(search: _Search, conjunct: Conjunct, above: str, below: str) -> list[Any]:
    return [
        *search.scope,
        STORED[search.query.kind].number,
        below,
        above,
        conjunct.every,
        conjunct.none,
        conjunct.amount_min,
        conjunct.amount_max,
    ]


async def _verified(search: _Search, candidates: Iterable[Any]) -> dict[str, Versioned]:
    """Return the candidates that match the query and are not in the tail."""
    current = [identifier for identifier in candidates if identifier.hex not in search.tail.changed]
    if not current:
        return {}
    return {
        digits(versioned.object.id): versioned
        for versioned in await load_latest(search.connection, search.scope, current)
        if matches(search.query, versioned.object)
    }


def _too_expensive() -> InvalidRequest:
    return InvalidRequest(_EXPENSIVE, code="search_query_too_expensive", param="query")
