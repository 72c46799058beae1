"""The state of webhook deliveries in the database: leases, cursors, exceptions and attempts."""

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fastpay import limits
from fastpay.domain.identifiers import Scope, digits, moment_of
from fastpay.domain.webhook_endpoints import WebhookEndpoint
from fastpay.engine.relay.lease_ports import Lease, MadeAttempt, Parked, Record, Spread, Watched
from fastpay.engine.relay.ports import (
    Attempt,
    AttemptPage,
    Circuit,
    DeliveryOutcome,
    EndpointName,
    EndpointState,
    Progress,
)
from fastpay.store import event_rows, rows
from fastpay.store.pool import ReaderPool
from fastpay.store.reads import PostgresReads
from fastpay.store.statements import SQL


class PostgresLeases:
    """Satisfies `LeaseStore`."""

    def __init__(self, pool: ReaderPool) -> None:
        self._pool = pool

    async def beat(self, instance_id: str) -> Spread:
        """Renew the row of this instance, and return who holds what."""
        found = await self._pool.fetch(SQL["relay_beat"], instance_id, limits.relay_lease_ms)
        held = {row["instance_id"].hex: row["held"] for row in found}
        disabled = next(row["disabled"] for row in found if row["instance_id"].hex == instance_id)
        return Spread(found[0]["endpoints"], held, disabled)

    async def claim(self, instance_id: str, count: int) -> list[Lease]:
        """Take over up to so many endpoints that are enabled and that no live instance holds."""
        claimed = await self._pool.fetch(SQL["relay_claim"], instance_id, limits.relay_lease_ms, count)
        if not claimed:
            return []
        # Read once nobody else can store anything any more.
        fences = {_name(row): row["fence"] for row in claimed}
        positions = await self._pool.fetch(SQL["relay_positions"], *_columns(fences))
        parked: dict[EndpointName, list[Parked]] = {name: [] for name in fences}
        generations = {_name(row): row["generation"] for row in positions}
        columns = *_columns(generations), list(generations.values())
        for row in await self._pool.fetch(SQL["relay_exceptions"], *columns):
            parked[_name(row)].append(
                Parked(
                    row["sequence"],
                    row["previous_sequence"],
                    row["object_id"].hex,
                    row["attempts"],
                    row["due_ms"],
                )
            )
        return [
            Lease(
                name=_name(row),
                fence=fences[_name(row)],
                position=row["position"],
                previous=row["previous_sequence"],
                failures=row["failures"],
                failing_since_ms=row["failing_since_ms"],
                resume_ms=row["resume_ms"] or 0,
                replayed=row["replayed_id"].hex,
                replayed_through=row["replayed_through"],
                generation=row["generation"],
                changes=row["changes"],
                parked=tuple(parked[_name(row)]),
            )
            for row in positions
        ]

    async def list_held(self, instance_id: str) -> set[tuple[EndpointName, int]]:
        """Return the endpoints that this instance holds, with their fencing numbers."""
        found = await self._pool.fetch(SQL["relay_held"], instance_id)
        return {(_name(row), row["fence"]) for row in found}

    async def watch(self, instance_id: str) -> list[Watched]:
        """Return the endpoints of this instance that there is something to do for."""
        return [
            Watched(_name(row), row["sequence"], row["version"], row["has_replay"])
            for row in await self._pool.fetch(SQL["relay_watch"], instance_id)
        ]

    async def record(
        self, instance_id: str, records: Sequence[Record], attempts: Sequence[MadeAttempt]
    ) -> set[tuple[EndpointName, int]]:
        """Store states, and attempts to the same endpoints."""
        numbers = {record.name: number for number, record in enumerate(records, 1)}
        removed = [(numbers[one.name], sequence) for one in records for sequence in one.removed]
        kept = [(numbers[one.name], *parked) for one in records for parked in one.kept]
        made = [(numbers[name], *_attempt(attempt)) for name, attempt in attempts]
        found = await self._pool.fetch(
            SQL["relay_record"],
            instance_id,
            *_columns(record.name for record in records),
            *_transpose(12, (record[1:13] for record in records)),
            *_transpose(2, removed),
            *_transpose(6, kept),
            *_transpose(12, made),
        )
        held = {row["number"] for row in found}
        return {(one.name, one.fence) for number, one in enumerate(records, 1) if number in held}

    async def release(self, instance_id: str, names: Sequence[EndpointName]) -> None:
        """Let others take these endpoints over."""
        await self._pool.fetch(SQL["relay_release"], instance_id, *_columns(names))

    async def leave(self, instance_id: str) -> None:
        """Let others take everything over, and delete the row of this instance."""
        await self._pool.fetch(SQL["relay_leave"], instance_id)

    async def make_partitions(self) -> None:
        """Make partitions for the attempts of the next days."""
        await self._pool.fetch(SQL["relay_make_partitions"])

    async def drop_partitions(self, *, retention_days: int) -> None:
        """Drop the partitions that are too old, but for those that somebody reads now."""
        await self._pool.fetch(SQL["relay_drop_partitions"], retention_days)


class PostgresDeliveries:
    """Satisfies `Deliveries`. `now_ms` is the database's time."""

    def __init__(self, reads: PostgresReads) -> None:
        self._reads = reads

    async def states(self, scope: Scope, endpoint_ids: Sequence[str]) -> dict[str, EndpointState]:
        """Return the states of endpoints. One that no instance has read for yet is missing."""
        wanted = [digits(identifier) for identifier in endpoint_ids]
        found = await self._reads.fetch_for(scope, SQL["relay_states"], *scope, wanted)
        return {
            f"{WebhookEndpoint.prefix}_{row['webhook_endpoint_id'].hex}": EndpointState(
                delivered_through=row["delivered_through"],
                lag=row["sequence"] - row["delivered_through"],
                circuit=_circuit(row),
            )
            for row in found
        }

    async def progress(self, scope: Scope, *, below: int, above: int) -> list[Progress]:
        """Return all endpoints, disabled ones too. `parked` are strictly between two numbers."""
        found = await self._reads.fetch_for(scope, SQL["relay_pending"], *scope, below, above)
        return [event_rows.progress(*row) for row in found]

    async def attempts(self, scope: Scope, endpoint_id: str, page: AttemptPage) -> list[Attempt]:
        """Return up to `page.limit` + 1 attempts, newest first. The extra one says that there are more."""
        found = await self._reads.fetch_for(
            scope,
            SQL["relay_attempts"],
            *scope,
            digits(endpoint_id),
            page.below,
            page.above,
            page.ascending,
            page.limit + 1,
            page.is_delivered,
            None if page.event_id is None else digits(page.event_id),
            page.sequence,
        )
        return [_attempt_of(row) for row in found]


def _name(row: rows.Row) -> EndpointName:
    identifier: uuid.UUID = row["webhook_endpoint_id"]
    return EndpointName(rows.scope_of(row), f"{WebhookEndpoint.prefix}_{identifier.hex}")


def _columns(names: Iterable[EndpointName]) -> list[list[Any]]:
    return _transpose(3, ((*scope, digits(endpoint_id)) for scope, endpoint_id in names))


def _transpose(count: int, given: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Return an array for each column, also if there is no row."""
    columns: list[list[Any]] = [[] for _ in range(count)]
    appends: list[Callable[[Any], None]] = [column.append for column in columns]
    for row in given:
        for append, value in zip(appends, row, strict=True):
            append(value)
    return columns


def _attempt(attempt: Attempt) -> tuple[Any, ...]:
    outcome = attempt.outcome
    return (
        attempt.digits,
        digits(attempt.event_id),
        attempt.event_type,
        attempt.sequence,
        attempt.number,
        outcome.status,
        outcome.failure,
        outcome.latency_ms,
        # PostgreSQL has no NUL in texts.
        outcome.excerpt.replace("\0", "\ufffd")[: limits.webhook_excerpt_bytes_max // 3]
        if "\0" in outcome.excerpt
        else outcome.excerpt,
        outcome.retry_after_s,
        attempt.next_attempt_at,
    )


def _attempt_of(row: rows.Row) -> Attempt:
    identifier: str = row["attempt_id"].hex
    return Attempt(
        digits=identifier,
        created_ms=moment_of(identifier),
        event_id="evt_" + row["event_id"].hex,
        event_type=row["event_type"],
        sequence=row["sequence"],
        number=row["number"],
        outcome=DeliveryOutcome(
            status=row["status"],
            failure=row["failure"],
            latency_ms=row["latency_ms"],
            excerpt=row["excerpt"],
            retry_after_s=row["retry_after_s"],
        ),
        next_attempt_at=row["next_attempt_s"],
    )


def _circuit(row: rows.Row) -> Circuit:
    if row["failures"] < limits.relay_circuit_failures:
        return "closed"
    return "open" if row["is_paused"] else "half_open"
