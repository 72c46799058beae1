"""The states of routes, and the sides of idempotency keys."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.rollout.choice import RouteState, Side
from fastpay.store.pool import ReaderPool
from fastpay.store.rows import scope_of
from fastpay.store.statements import SQL

# A scope, and the digest of an idempotency key.
_Key = tuple[Scope, bytes]


class RouteChange(msgspec.Struct, frozen=True):
    """A change as an operator sees it."""

    route: str
    state: RouteState
    changed_at: datetime
    changed_by: str
    # Why a guardrail has rolled it back.
    reason: str | None = None


class PostgresRollout:
    """Satisfies `RolloutStore`."""

    def __init__(self, pool: ReaderPool) -> None:
        self._pool = pool

    async def read_routes(self) -> Mapping[str, RouteState]:
        """Return the states of the routes that were set. Raises: DatabaseUnavailable, Overloaded."""
        return {
            change.route: change.state for change in _changes(await self._pool.fetch(SQL["rollout_routes"]))
        }

    async def bind(self, wanted: Sequence[tuple[_Key, Side]]) -> Mapping[_Key, Side]:
        """Bind idempotency keys to sides, unless they are bound; return their sides once those are on disk.

        A key that another instance was binding in this moment is left out. Raises: DatabaseUnavailable,
        Overloaded.
        """
        found = await self._pool.fetch(
            SQL["rollout_bind"],
            [scope.tenant_id for (scope, _), _ in wanted],
            [scope.livemode for (scope, _), _ in wanted],
            [digest for (_, digest), _ in wanted],
            [side for _, side in wanted],
        )
        return {(scope_of(row), row["digest"]): row["side"] for row in found}

    async def purge(self, retention_hours: int) -> None:
        """Forget keys that are older than first answers. Raises: DatabaseUnavailable, Overloaded."""
        await self._pool.fetch(SQL["rollout_purge"], retention_hours, limits.rollout_purge_rows_max)


# Connections are `Any`, since asyncpg has no types.


async def list_routes(connection: Any) -> list[RouteChange]:
    """Return the last change of each route that was set."""
    return _changes(await connection.fetch(SQL["rollout_routes"]))


async def lock_routes(connection: Any) -> None:
    """Let no other transaction change a route before this one ends."""
    await connection.execute(SQL["rollout_lock"])


async def list_changes(connection: Any, rows_max: int) -> list[RouteChange]:
    """Return the newest changes, the newest first."""
    return _changes(await connection.fetch(SQL["rollout_history"], rows_max))


async def set_route(connection: Any, route: str, state: RouteState, *, changed_by: str) -> None:
    """Set the state of a route, or of all."""
    await connection.execute(SQL["rollout_set"], route, state.state, state.percent, changed_by)


async def has_moved(connection: Any) -> bool:
    """Tell whether fastpay was ever to make objects, so that it may have some."""
    moved: bool = await connection.fetchval(SQL["rollout_moved"])
    return moved


def _changes(rows: Any) -> list[RouteChange]:
    return [
        RouteChange(
            row["route"],
            RouteState(row["state"], row["percent"], row["change_id"]),
            row["changed_at"],
            row["changed_by"],
            row["reason"],
        )
        for row in rows
    ]
