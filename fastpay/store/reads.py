"""Reads without locks, over shared pools. Every statement names the tenant and the mode."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastpay import limits
from fastpay.domain.identifiers import Scope, digits, position_of
from fastpay.domain.ledger import NORMAL_SIDES, Account, Transfer
from fastpay.domain.plan import Versioned
from fastpay.domain.search import Query
from fastpay.engine.failures import TransientFailure
from fastpay.engine.ports import Filter, Page, Profile, Reading, TrialBalance, Verification
from fastpay.engine.read.replica_ports import Position
from fastpay.store import event_rows, ledger_rows, rows, tables
from fastpay.store.bulkheads import Bulkheads
from fastpay.store.copy_format import Incarnation
from fastpay.store.failures import translate
from fastpay.store.pool import ReaderPool, due
from fastpay.store.search import PostgresSearch
from fastpay.store.search_index import PostgresSearchIndex
from fastpay.store.statements import SQL

_Found = TypeVar("_Found")

_LEDGER_PREFIXES = ("ltr_", "lacc_")
_EVENT_PREFIX = "evt_"
# What has no snapshots, or not always.
_ELSEWHERE = (*_LEDGER_PREFIXES, _EVENT_PREFIX)

# The planner cannot estimate the rows of a grouped subquery. If it expects few, it chooses a nested loop over
# two whole tables, which is quadratic. With hash joins the cost is linear whatever it expects.
_PLAN_FOR_MANY = (
    "set local enable_seqscan = on; set local enable_hashjoin = on; set local enable_nestloop = off; "
    "set local plan_cache_mode = force_custom_plan"
)


class PostgresReads:
    """Satisfies `ReaderStore`. Statements that may read many rows use `scan_pool`."""

    def __init__(self, pool: ReaderPool, scan_pool: ReaderPool) -> None:
        self._pool = pool
        self._scan_pool = scan_pool
        self._bulkheads = Bulkheads(
            reader_connections=pool.connections_max, scan_connections=scan_pool.connections_max
        )
        # One background task advances the index. It uses the reader pool, so that searches keep the scan
        # pool.
        self.search_index = PostgresSearchIndex(pool.lend, pool.unavailable)
        own_index = PostgresSearchIndex(scan_pool.lend, scan_pool.unavailable)
        self._search = PostgresSearch(scan_pool.lend, own_index)

    async def read_moment(self) -> int:
        """Return the database's time in microseconds since 1970. Raises: DatabaseUnavailable, Overloaded."""
        (row,) = await self.fetch(SQL["read_moment"])
        return int(row["moment_us"])

    async def read_latest(self, wanted: Sequence[tuple[Scope, str]]) -> Reading:
        """Return the latest version of each object that exists, and the sequences of their tenants.

        Objects are at least as new as the sequences: both are from one snapshot, or the objects from a later
        one.
        """
        if not wanted:
            return Reading([], {})
        places = [place for place, (_, name) in enumerate(wanted) if name.startswith(_ELSEWHERE)]
        if not places:
            return await self._read_snapshots(wanted)
        happened = [place for place in places if wanted[place][1].startswith(_EVENT_PREFIX)]
        others = [place for place, (_, name) in enumerate(wanted) if not name.startswith(_EVENT_PREFIX)]
        found: list[Versioned | None] = [None] * len(wanted)
        sequences: dict[Scope, int] = {}
        if others:
            reading = await self._read_snapshots([wanted[place] for place in others])
            sequences.update(reading.sequences)
            for place, versioned in zip(others, reading.found, strict=True):
                found[place] = versioned
            await self._read_ledger(wanted, found)
        for start in range(0, len(happened), limits.page_size_max):
            await self._read_events(wanted, happened[start : start + limits.page_size_max], found, sequences)
        return Reading(found, sequences)

    async def _read_snapshots(self, wanted: Sequence[tuple[Scope, str]]) -> Reading:
        """Return what has snapshots. What is not found there may be in the ledger."""
        scopes_wanted, names = zip(*wanted, strict=True)
        tenants, modes = zip(*scopes_wanted, strict=True)
        scopes = list(dict.fromkeys(scopes_wanted))
        rows_found = await self.fetch(
            SQL["read_latest"],
            tenants,
            modes,
            [digits(name) for name in names],
            [scope.tenant_id for scope in scopes],
            [scope.livemode for scope in scopes],
        )
        found: list[Versioned | None] = [None] * len(wanted)
        sequences: dict[Scope, int] = {}
        # By the place of what was asked: to build scopes from the rows would cost more than everything else.
        for ordinal, version, sequence, kind, snapshot in rows_found:
            if kind is None:
                sequences[scopes[ordinal - 1]] = sequence
            else:
                found[ordinal - 1] = Versioned(rows.stored(kind, snapshot), version, sequence)
        return Reading(found, sequences)

    async def _read_ledger(self, wanted: Sequence[tuple[Scope, str]], found: list[Versioned | None]) -> None:
        """Fill in what has no snapshots, by tenant."""
        missing: dict[Scope, list[int]] = {}
        for place, (scope, name) in enumerate(wanted):
            if found[place] is None and name.startswith(_LEDGER_PREFIXES):
                missing.setdefault(scope, []).append(place)
        for scope, places in missing.items():
            names = [wanted[place][1] for place in places]
            fetched = await self._get_from_ledger(scope, names, [], ledger_rows.NOW)
            by_name = {versioned.object.id: versioned for versioned in fetched}
            for place, name in zip(places, names, strict=True):
                found[place] = by_name.get(name)

    async def _read_events(
        self,
        wanted: Sequence[tuple[Scope, str]],
        places: Sequence[int],
        found: list[Versioned | None],
        sequences: dict[Scope, int],
    ) -> None:
        """Fill in events, and the sequences of tenants that no other statement has read."""
        numbers = [(scope, position_of(name)[0]) for scope, name in (wanted[place] for place in places)]
        part = event_rows.wanted(numbers, counts_pending=True)
        read = event_rows.read(await self.fetch(SQL["load_events"], *part.arguments))
        by_name: dict[tuple[Scope, str], Versioned] = {}
        for ordinal, scope in enumerate(part.scopes, 1):
            for one in read.found.get(ordinal, ()):
                by_name[scope, one.event.id] = event_rows.versioned(one)
            if ordinal in read.sequences:
                sequences.setdefault(scope, read.sequences[ordinal])
        for place in places:
            found[place] = by_name.get(wanted[place])

    async def identify(self) -> Incarnation:
        """Return the identity of this database, which changes if it is restored to an earlier time."""
        (row,) = await self.fetch(SQL["read_incarnation"])
        named = (row["system_identifier"], row["database_oid"], row["timeline"])
        return Incarnation(row["seal_key"], ":".join(map(str, named)).encode())

    async def read_position(self) -> Position:
        """Return how far the log of this database is durable, or replayed if it is a standby."""
        (row,) = await self.fetch(SQL["probe_position"])
        return log_position(row)

    async def seal_key(self) -> bytes:
        """Return the secret of this installation."""
        (row,) = await self.fetch(SQL["read_seal_key"])
        secret: bytes = row["seal_key"]
        return secret

    async def read_sequences(self, scopes: Sequence[Scope]) -> Mapping[Scope, int]:
        """Return the last sequence numbers of these tenants."""
        found = await self.fetch(
            SQL["read_sequences"],
            [scope.tenant_id for scope in scopes],
            [scope.livemode for scope in scopes],
        )
        return {rows.scope_of(row): row["sequence"] for row in found}

    async def get_objects_at(
        self, scope: Scope, identifiers: Sequence[str], sequence: int
    ) -> list[Versioned]:
        """Return the objects as of this sequence number."""
        found = await self.fetch_for(
            scope,
            SQL["load_objects_at"],
            scope.tenant_id,
            scope.livemode,
            [digits(identifier) for identifier in identifiers],
            sequence,
        )
        stored = [rows.versioned(row) for row in found]
        return stored + await self._get_from_ledger(scope, identifiers, stored, sequence)

    async def get_transfers(self, scope: Scope, identifiers: Sequence[str]) -> list[tuple[Transfer, int]]:
        """Return transfers with their times, in milliseconds since 1970."""
        found = await self.fetch_for(
            scope,
            SQL["load_transfers"],
            scope.tenant_id,
            scope.livemode,
            [digits(identifier) for identifier in identifiers],
        )
        return [(rows.transfer(row), row["moment_ms"]) for row in found]

    async def list_objects(self, scope: Scope, wanted: Filter, page: Page) -> list[Versioned]:
        """Return up to `page.limit` + 1 objects, newest first."""
        table = tables.BY_PREFIX[wanted.kind]
        statement, values = table.choose_list(dict(wanted.values))
        bounds = *table.bounds(page.below), *table.bounds(page.above)
        found = await self.fetch_for(
            scope, SQL[statement], *scope, *bounds, page.ascending, page.limit + 1, *values
        )
        return [table.read(row) for row in found]

    async def list_each(
        self, scope: Scope, kind: str, field: str, bounds: Sequence[tuple[str, str]], limit: int
    ) -> list[list[Versioned]]:
        """Return a list for each of many objects: the objects that refer to it, newest first."""
        table = tables.BY_PREFIX[kind]
        owners, below = [digits(owner) for owner, _ in bounds], [bound for _, bound in bounds]
        statement = SQL[table.choose_each(field)]
        lists: list[list[Versioned]] = [[] for _ in bounds]
        for row in await self.fetch_for(scope, statement, *scope, owners, below, limit):
            lists[row["number"] - 1].append(table.read(row))
        return lists

    async def _get_from_ledger(
        self, scope: Scope, identifiers: Sequence[str], found: Sequence[Versioned], sequence: int
    ) -> list[Versioned]:
        """Return objects without snapshots: transfers of clients, and accounts that payments move."""
        fetched: list[Versioned] = []
        transfers = [identifier for identifier in identifiers if identifier.startswith("ltr_")]
        if transfers:
            wanted = ledger_rows.wanted([(scope, identifier) for identifier in transfers])
            rows_found = await self.fetch(SQL["load_ledger_transfers"], *wanted, sequence)
            fetched += [ledger_rows.transfer(row) for row in rows_found]
        missing = {identifier for identifier in identifiers if identifier.startswith("lacc_")}
        missing -= {versioned.object.id for versioned in found}
        if missing:
            count = len(missing)
            accounts = [digits(identifier) for identifier in missing]
            rows_found = await self.fetch(
                SQL["load_accounts"], [scope.tenant_id] * count, [scope.livemode] * count, accounts
            )
            fetched += [ledger_rows.own_account(row) for row in rows_found]
        return fetched

    async def search(self, scope: Scope, query: Query, page: Page) -> list[Versioned]:
        """Return up to `page.limit` + 1 objects that match a query, newest first.

        Raises: InvalidRequest for a query that is too expensive, Overloaded, DatabaseUnavailable.
        """

        async def run(until: float) -> list[Versioned]:
            # One deadline for the wait and all statements of the search.
            async with self._bulkheads.searching(scope), asyncio.timeout_at(until):
                return await self._search.search(scope, query, page)

        return await self._again_if_lost(run)

    async def list_accounts(self, scope: Scope) -> list[Account]:
        """Return the scope's accounts that payments move."""
        found = await self.fetch_for(scope, SQL["list_accounts"], *scope, list(NORMAL_SIDES))
        return [rows.account(row) for row in found]

    async def read_profile(self, scope: Scope) -> Profile:
        """Return the tenant's profile."""
        (row,) = await self.fetch_for(scope, SQL["read_profile"], *scope)
        return Profile(name=row["name"], created_ms=row["created_ms"], rules=rows.rules(row["rules"]))

    async def verify(self, scope: Scope) -> Verification:
        """Compare counters with transfers, and payments with both, in one snapshot.

        Raises: RateLimited, Overloaded, DatabaseUnavailable.
        """
        async with self._thorough(scope) as connection:
            balances = await connection.fetch(SQL["verify_balances"], *scope)
            accounts = await connection.fetch(SQL["verify_accounts"], *scope)
            payments = await connection.fetch(SQL["verify_payments"], *scope)
            ledger = await connection.fetch(SQL["verify_ledger"], *scope)
            versions = await connection.fetch(SQL["verify_versions"], *scope)
        # The sums of all accounts are decimals: they may exceed a bigint.
        unbalanced = [row for row in balances if not _is_balanced(row)]
        problems = [f"The accounts in {row['currency']} do not add up to zero." for row in unbalanced]
        problems += [
            f"The counters of {row['code']} in {row['currency']} differ from its transfers."
            for row in accounts
        ]
        problems += [
            f"{row['prefix']}_{row['object_id'].hex} has {row['field']} {row['stated']}, "
            f"the ledger has {row['found']}."
            for row in payments
        ]
        problems += [row["problem"] for row in ledger]
        problems += [
            f"{row['name']} is at version {row['version']}, which "
            + ("does not exist." if row["found"] is None else f"is not the latest one, {row['found']}.")
            for row in versions
        ]
        return Verification(balances=tuple(_trial_balance(row) for row in balances), problems=tuple(problems))

    async def fetch_thoroughly(self, scope: Scope, statement: str, *arguments: Any) -> list[rows.Row]:
        """Run a statement that may read whatever a tenant has, as `verify` does. Raises as that does."""
        async with self._thorough(scope) as connection:
            found: list[rows.Row] = await connection.fetch(statement, *arguments)
            return found

    @asynccontextmanager
    async def _thorough(self, scope: Scope) -> AsyncIterator[Any]:
        """Lend a connection for reads of all that a tenant has, in one snapshot."""
        # Any: asyncpg has no types.
        try:
            async with (
                self._bulkheads.verifying(scope),
                self._scan_pool.lend(until=due(limits.verify_timeout_ms), is_patient=True) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                # These statements read whole tables, which needs other plans than single rows.
                await connection.execute(
                    f"{_PLAN_FOR_MANY}; set local statement_timeout = {limits.verify_timeout_ms}"
                )
                yield connection
        except Exception as error:
            if isinstance(translate(error), TransientFailure):
                raise self._pool.unavailable(error) from error
            raise

    async def fetch(self, statement: str, *arguments: Any) -> list[rows.Row]:
        """Run a statement that is not limited to one tenant. Raises: Overloaded, DatabaseUnavailable."""

        async def run(until: float) -> list[rows.Row]:
            return await _fetch(self._pool, until, statement, *arguments)

        return await self._again_if_lost(run)

    async def fetch_for(
        self, scope: Scope, statement: str, *arguments: Any, scans: bool = False
    ) -> list[rows.Row]:
        """Run a statement of one tenant in its turn, on the scan pool if it `scans`.

        Raises: RateLimited, Overloaded, DatabaseUnavailable.
        """

        async def run(until: float) -> list[rows.Row]:
            if scans:
                async with self._bulkheads.searching(scope):
                    return await _fetch(self._scan_pool, until, statement, *arguments)
            async with self._bulkheads.listing(scope, until):
                return await _fetch(self._pool, until, statement, *arguments)

        return await self._again_if_lost(run)

    async def _again_if_lost(self, run: Callable[[float], Awaitable[list[_Found]]]) -> list[_Found]:
        """Run something with a deadline, and once more if the pooled connection was dead."""
        until = due()
        for attempt in (1, 2):
            try:
                return await run(until)
            except Exception as error:
                translated = translate(error)
                if not isinstance(translated, TransientFailure):
                    raise
                # A retry after a timeout or a conflict would take as long again.
                if attempt == 2 or isinstance(error, TimeoutError) or translated.kind == "contention":
                    raise self._pool.unavailable(error) from error
        raise AssertionError("unreachable")


def log_position(row: Any) -> Position:
    """Return the place in the log that a row of `probe_position` names."""
    return Position(row["is_standby"], f"{row['system_identifier']}:{row['timeline']}", row["place"])


async def _fetch(pool: ReaderPool, until: float, statement: str, *arguments: Any) -> list[rows.Row]:
    async with pool.lend(until=until) as connection:
        found: list[rows.Row] = await connection.fetch(statement, *arguments)
        return found


def _trial_balance(row: rows.Row) -> TrialBalance:
    counters = {name: int(row[name]) for name in TrialBalance.__struct_fields__ if name != "currency"}
    return TrialBalance(currency=row["currency"], **counters)


def _is_balanced(row: rows.Row) -> bool:
    posted = row["debits_posted"] == row["credits_posted"]
    return bool(posted and row["debits_pending"] == row["credits_pending"])
