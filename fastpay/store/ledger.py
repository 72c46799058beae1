"""Reads the ledger without locks: balances and entries, now and as of any sequence number."""

from collections.abc import Sequence

from fastpay.domain.identifiers import HIGHEST, LOWEST, Scope, digits, position_of
from fastpay.domain.ledger import Account, Transfer, is_own
from fastpay.engine.ledger_ports import Entry, EntryPage, PaidOut
from fastpay.engine.ports import Page
from fastpay.store import ledger_rows, rows
from fastpay.store.reads import PostgresReads
from fastpay.store.statements import SQL


class PostgresLedger:
    """Satisfies `Ledger`."""

    def __init__(self, reads: PostgresReads) -> None:
        self._reads = reads

    async def balances(self, scope: Scope, identifiers: Sequence[str], sequence: int | None) -> list[Account]:
        """Return the accounts that exist, as of a sequence number, or as of now if it is None."""
        wanted = [digits(identifier) for identifier in identifiers]
        if sequence is None:
            count = len(wanted)
            found = await self._reads.fetch_for(
                scope, SQL["load_accounts"], [scope.tenant_id] * count, [scope.livemode] * count, wanted
            )
            return [rows.account(row) for row in found]
        found = await self._reads.fetch_for(scope, SQL["load_accounts_at"], *scope, wanted, sequence)
        accounts = [rows.account(row) for row in found]
        # Accounts of payments have no running totals, so later transfers are subtracted.
        own = [digits(account.id) for account in accounts if is_own(account.code)]
        if own:
            found = await self._reads.fetch_for(
                scope, SQL["load_own_accounts_at"], *scope, own, sequence, scans=True
            )
            earlier = {account.id: account for account in map(rows.account, found)}
            accounts = [earlier.get(account.id, account) for account in accounts]
        return accounts

    async def entries(self, scope: Scope, account: Account, page: EntryPage) -> list[Entry]:
        """Return up to `page.limit` + 1 entries, newest first. The extra one means that there are more."""
        by_payments = is_own(account.code)
        arguments: list[object] = [*scope, digits(account.id)]
        if by_payments:
            arguments += (digits(bound) if bound else None for bound in (page.before, page.after))
        else:
            arguments += (*position_of(page.before or HIGHEST), *position_of(page.after or LOWEST))
            arguments.append(page.after is not None)
        statement = SQL["list_own_entries" if by_payments else "list_entries"]
        found = await self._reads.fetch_for(scope, statement, *arguments, page.limit + 1, scans=by_payments)
        return [ledger_rows.entry(row, account) for row in found]

    async def balance_transfers(
        self, scope: Scope, page: Page, kinds: Sequence[str], currency: str | None
    ) -> list[tuple[Transfer, int]]:
        """Return up to `page.limit` + 1 posted transfers of these kinds with their moments, newest first."""
        bounds = (page.below, page.above, page.ascending, page.limit + 1)
        statement = SQL["list_balance_transfers"]
        found = await self._reads.fetch_for(scope, statement, *scope, *bounds, kinds, currency, scans=True)
        return [(rows.transfer(row), row["moment_ms"]) for row in found]

    async def payout_transfers(
        self, scope: Scope, paid_out: PaidOut, page: Page, kinds: Sequence[str]
    ) -> list[tuple[Transfer, int, int]]:
        """Return posted transfers that a payout may have paid out, with moment and sequence, newest first."""
        found = await self._reads.fetch_for(
            scope,
            SQL["list_payout_transfers"],
            *scope,
            *(page.below, page.above, page.ascending, page.limit + 1),
            *(kinds, paid_out.currency),
            *(paid_out.released_after, paid_out.released_through),
            *(paid_out.sequence_after, paid_out.sequence_through),
            *(digits(paid_out.pending), digits(paid_out.payout)),
            scans=True,
        )
        return [(rows.transfer(row), row["moment_ms"], row["sequence"]) for row in found]

    async def sequence_at(self, scope: Scope, moment_ms: int) -> int:
        """Return the last sequence number at a time."""
        found = await self._reads.fetch_for(scope, SQL["find_sequence"], *scope, moment_ms)
        return int(found[0]["sequence"])
