"""What guardrails know of split routes, and rollbacks."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from fastpay.domain.identifiers import Scope, digits
from fastpay.domain.objects import Charge, StoredObject
from fastpay.engine.rollout.evidence import Evidence, Sides
from fastpay.engine.rollout.finding_ports import RouteKey
from fastpay.engine.rollout.guard_ports import Kept, Moved
from fastpay.store.pool import ReaderPool
from fastpay.store.rows import scope_of, versioned
from fastpay.store.statements import SQL


class PostgresGuard:
    """Satisfies `GuardStore` and `BookStore`. Each raises DatabaseUnavailable and Overloaded."""

    def __init__(self, pool: ReaderPool) -> None:
        self._pool = pool

    async def read_evidence(self, changes: Sequence[int]) -> Sequence[Kept]:
        """Return what is known of routes since these changes."""
        return _kept(await self._pool.fetch(SQL["rollout_guards"], list(changes)))

    async def keep_evidence(self, kept: Sequence[Kept]) -> Sequence[tuple[RouteKey, str]]:
        """Replace what is known, each only if it is of one block less; return what was replaced."""
        rows = [
            (*one.key, one.metric, one.evidence.blocks, *one.evidence.seen, repr(one.evidence.log))
            for one in kept
        ]
        columns = [list(column) for column in zip(*rows, strict=True)]
        found = await self._pool.fetch(SQL["rollout_keep_guards"], *columns)
        return [(RouteKey(row["change_id"], row["route"]), row["metric"]) for row in found]

    async def find_charged_twice(self, seconds: int) -> int:
        """Return how many idempotency keys of the last seconds were carried out by both sides."""
        found: int = (await self._pool.fetch(SQL["rollout_charged_twice"], seconds))[0]["count"]
        return found

    async def read_booked(self, moved: Sequence[Moved]) -> Mapping[tuple[str, str], Mapping[str, int]]:
        """Satisfy `BookStore`: return what was moved, by source and type, and by currency."""
        captures = [one for one in moved if one.is_capture]
        fresh = [one for one in moved if not one.is_capture]
        return {
            **(await self._read_fresh(fresh) if fresh else {}),
            **(await self._read_captured(captures) if captures else {}),
        }

    async def _read_fresh(self, moved: Sequence[Moved]) -> Mapping[tuple[str, str], Mapping[str, int]]:
        """Read the transfers since the oldest of these: there are few."""
        lowest = _lowest_of(moved)
        columns = list(zip(*((*scope, low) for scope, low in lowest.items()), strict=True))
        sources = [digits(one.source) for one in moved]
        booked: dict[tuple[str, str], dict[str, int]] = {}
        for row in await self._pool.fetch(SQL["rollout_booked"], *map(list, columns), sources):
            prefix, kind = ("ch", "charge") if row["kind"] == "capture" else ("re", "refund")
            source = f"{prefix}_{row['source_id'].hex}"
            booked.setdefault((source, kind), {})[row["currency"]] = row["amount"]
        return booked

    async def _read_captured(self, moved: Sequence[Moved]) -> Mapping[tuple[str, str], Mapping[str, int]]:
        """Read the transfers that charges name as their captures, however old the charges are."""
        charges = zip(*((*one.scope, digits(one.source)) for one in moved), strict=True)
        named = [
            (*scope_of(row), digits(transaction))
            for row in await self._pool.fetch(SQL["load_objects"], *map(list, charges))
            for transaction in _captures_of(versioned(row).object)
        ]
        booked: dict[tuple[str, str], dict[str, int]] = {}
        if named:
            columns = zip(*named, strict=True)
            for row in await self._pool.fetch(SQL["rollout_captured"], *map(list, columns)):
                source = f"ch_{row['source_id'].hex}"
                booked.setdefault((source, "charge"), {})[row["currency"]] = row["amount"]
        return booked

    async def roll_back(self, key: RouteKey, reason: str) -> bool:
        """Let the legacy API answer a route, if it still is as that change set it. Tell whether it was."""
        return bool(await self._pool.fetch(SQL["rollout_roll_back"], key.route, key.change, reason))


async def list_evidence(connection: Any, changes: Sequence[int]) -> list[Kept]:
    """Return what is known of routes. Connections are `Any`, since asyncpg has no types."""
    return _kept(await connection.fetch(SQL["rollout_guards"], list(changes)))


def _kept(rows: Sequence[Any]) -> list[Kept]:
    return [
        Kept(
            RouteKey(row["change_id"], row["route"]),
            row["metric"],
            Evidence(
                Sides(row["legacy"], row["legacy_bad"], row["fastpay"], row["fastpay_bad"]),
                row["blocks"],
                row["evidence"],
            ),
        )
        for row in rows
    ]


def _captures_of(charge: StoredObject) -> Collection[str]:
    """Return the balance transactions of a charge's captures: of several, it has a list."""
    assert isinstance(charge, Charge)
    several = () if charge.extras is None else charge.extras.captures
    named = {one.balance_transaction for one in several}
    return named if charge.balance_transaction is None else named | {charge.balance_transaction}


def _lowest_of(moved: Sequence[Moved]) -> Mapping[Scope, str]:
    """Return by book the digits below which no transfer can be: none is older than what it is for."""
    lowest: dict[Scope, str] = {}
    for one in moved:
        own = digits(one.source)[:12] + "0" * 20
        lowest[one.scope] = min(own, lowest.get(one.scope, own))
    return lowest
