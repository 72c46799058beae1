"""Reads everything about one payment, for the operator's console."""

import uuid

import msgspec

from fastpay import limits
from fastpay.admin.console.ports import Delivery, Request
from fastpay.domain.identifiers import Scope, digits, lower_bound, moment_of, placed, position_of
from fastpay.domain.plan import Versioned
from fastpay.domain.webhook_endpoints import WebhookEndpoint
from fastpay.store import rows
from fastpay.store.reads import PostgresReads
from fastpay.store.statements import SQL

# More transfers than there can be.
_ALL = 1 << 62


class Located(msgspec.Struct, frozen=True):
    """An object, and whose it is."""

    scope: Scope
    versioned: Versioned


class Happened(msgspec.Struct, frozen=True):
    """An event. `moment_ms` is since 1970."""

    sequence: int
    event_id: uuid.UUID
    type: str
    object_id: uuid.UUID
    version: int
    request_id: str
    moment_ms: int


class PostgresHistories:
    """Statements over all tenants: only operators may see what they return."""

    def __init__(self, reads: PostgresReads) -> None:
        self._reads = reads

    async def locate(self, identifier: str) -> Located | None:
        """Return the object with this identifier, whoever's it is."""
        found = await self._reads.fetch(SQL["console_find"], digits(identifier))
        return Located(rows.scope_of(found[0]), rows.versioned(found[0])) if found else None

    async def locate_event(self, identifier: str) -> tuple[Scope, str] | None:
        """Return whose an event is, and the digits of its object."""
        sequence, _ = position_of(identifier)
        half = digits(identifier)[:16]
        found = await self._reads.fetch(SQL["console_find_event"], sequence, half + 16 * "0", half + 16 * "f")
        for row in found:
            if placed("evt", row["event_id"].bytes, sequence) == identifier:
                return rows.scope_of(row), row["object_id"].hex
        return None

    async def locate_transfer(self, identifier: str) -> str | None:
        """Return what a transfer of payments is for."""
        found = await self._reads.fetch(SQL["console_find_transfer"], digits(identifier))
        return rows.source_of(found[0]) if found else None

    async def locate_key(self, key_id: uuid.UUID) -> Scope | None:
        """Return whose an API key is."""
        found = await self._reads.fetch(SQL["console_find_key"], key_id)
        return rows.scope_of(found[0]) if found else None

    async def locate_request(self, request_id: str) -> Scope | None:
        """Return whose a request of the log is."""
        found = await self._reads.fetch(SQL["console_find_request"], request_id)
        return rows.scope_of(found[0]) if found else None

    async def object_versions(self, scope: Scope, identifier: str) -> list[Versioned]:
        """Return the versions of one object, oldest first."""
        values = (*scope, digits(identifier), limits.history_rows_max)
        return [rows.versioned(row) for row in await self._reads.fetch(SQL["console_object"], *values)]

    async def requests(self, scope: Scope, identifiers: list[str]) -> list[Request]:
        """Return what the request log has of changes of these objects, asked for or refused, oldest first."""
        values = (*scope, identifiers, limits.console_rows_max)
        return [
            Request(
                row["request_id"],
                row["moment_ms"],
                row["duration_us"] / 1000,
                row["method"],
                row["path"],
                row["status"],
                row["original_request_id"] or "",
                row["error_message"] or "",
            )
            for row in await self._reads.fetch(SQL["console_requests"], *values)
        ]

    async def deliveries(self, scope: Scope, event_ids: list[uuid.UUID]) -> list[Delivery]:
        """Return the first attempts to deliver these events, in the order of time."""
        values = (*scope, event_ids, limits.history_attempts_max, limits.console_rows_max)
        return [
            Delivery(
                event_id=f"evt_{row['event_id'].hex}",
                endpoint_id=f"{WebhookEndpoint.prefix}_{row['webhook_endpoint_id'].hex}",
                number=row["number"],
                outcome=str(row["status"] or row["failure"]),
                latency_ms=row["latency_ms"],
            )
            for row in await self._reads.fetch(SQL["console_deliveries"], *values)
        ]

    async def balances(
        self, scope: Scope, transfers: list[str], *, thorough: bool
    ) -> dict[tuple[str, bool], int]:
        """Return the balances after transfers of payments, of the debited account (True) and of the other.

        It is empty if much was moved since, unless the search is `thorough`: that adds up whatever there is.
        """
        if not transfers:
            return {}
        oldest = lower_bound((moment_of(min(transfers)) - limits.history_margin_ms) // 1000)
        arguments = (*scope, [digits(one) for one in transfers], oldest)
        statement = SQL["console_balances"]
        if thorough:
            found = await self._reads.fetch_thoroughly(scope, statement, *arguments, _ALL)
        else:
            found = await self._reads.fetch(statement, *arguments, limits.history_transfers_max)
        return {(f"tr_{row['transfer_id'].hex}", row["is_debit"]): row["balance"] for row in found}

    async def tenants(self) -> list[tuple[uuid.UUID, str]]:
        """Return the identifier and the name of each tenant, in the order of the names."""
        return [(row["tenant_id"], row["name"]) for row in await self._reads.fetch(SQL["tenant_list"], None)]

    async def versions(self, scope: Scope, payment_intent: str) -> list[Versioned]:
        """Return the versions of a payment intent and of what belongs to it, oldest first."""
        values = (*scope, digits(payment_intent), limits.history_rows_max)
        return [rows.versioned(row) for row in await self._reads.fetch(SQL["console_versions"], *values)]

    async def events(self, scope: Scope, sequences: list[int]) -> list[Happened]:
        """Return the events of the commands that ended at these numbers of the sequence, in order."""
        values = (*scope, sequences, limits.command_events_max)
        return [Happened(*row) for row in await self._reads.fetch(SQL["console_events"], *values)]
