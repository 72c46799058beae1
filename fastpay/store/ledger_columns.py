"""The columns of `write_ledger_transfers`, which writes transfers between clients' accounts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from fastpay import limits
from fastpay.domain.identifiers import Scope, digits, moment_of, position_of
from fastpay.domain.ledger_batches import Steps
from fastpay.domain.ledger_objects import LedgerTransfer
from fastpay.domain.ledger_rows import LedgerRows
from fastpay.engine.ports import Changes
from fastpay.store.ledger_rows import PHASES

# The number of columns of commands, and of transfers.
_COMMAND_COLUMNS = 4
_TRANSFER_COLUMNS = 15


def columns(changes: Changes, rows_max: int | None = None) -> Steps[list[list[list[Any]]]]:
    """Return the arguments of each run of `write_ledger_transfers`, or no run if there are no transfers.

    A run has at most `rows_max` transfers of batches.
    """
    # Version 2 is a hold that has ended. It has no row of its own.
    transfers = [
        (scope, versioned.object)
        for scope, versioned in changes.versions
        if isinstance(versioned.object, LedgerTransfer) and versioned.version == 1
    ]
    if not transfers and not changes.rows:
        return []
    written = [_Columns()]
    for scope, transfer in transfers:
        written[0].add_transfer(scope, transfer)
    for scope, rows in changes.rows:
        count = len(rows.indexes)
        size = rows_max or max(count, 1)
        for start in range(0, count, size):
            if rows_max is not None and written[-1].transfers[0]:
                written.append(_Columns())
            yield from written[-1].add_rows(scope, rows, start, min(start + size, count))
    return [one.arguments() for one in written if one.transfers[0]]


class _Columns:
    """The columns of one statement. Transfers refer to commands, accounts and currencies by index."""

    def __init__(self) -> None:
        self.commands: list[list[Any]] = [[] for _ in range(_COMMAND_COLUMNS)]
        self.accounts: list[str] = []
        self.currencies: dict[str, int] = {}
        self.transfers: list[list[Any]] = [[] for _ in range(_TRANSFER_COLUMNS)]

    def add_transfer(self, scope: Scope, transfer: LedgerTransfer) -> None:
        """Add the only transfer of a command."""
        command = self._command(scope, transfer.sequence, moment_of(transfer.id))
        first = len(self.accounts)
        self.accounts += (digits(transfer.debit_account), digits(transfer.credit_account))
        values = (
            command,
            position_of(transfer.id)[1],
            PHASES[transfer.phase],
            first,
            first + 1,
            self._currency(transfer.currency),
            transfer.amount,
            transfer.debits_posted,
            transfer.debits_pending,
            transfer.credits_posted,
            transfer.credits_pending,
            transfer.expires_at,
            *((None, None) if transfer.hold is None else position_of(transfer.hold)),
            _json(transfer.metadata),
        )
        for column, value in zip(self.transfers, values, strict=True):
            column.append(value)

    def arguments(self) -> list[list[Any]]:
        """Return the column for each parameter."""
        return [*self.commands, self.accounts, list(self.currencies), *self.transfers]

    def add_rows(self, scope: Scope, rows: LedgerRows, start: int, end: int) -> Steps[None]:
        """Add the rows from `start` to `end` of a batch, and yield between long columns."""
        command = self._command(scope, rows.sequence, rows.moment_ms)
        debits, indexes = rows.debits[start:end], rows.indexes[start:end]
        credited = rows.credits[start:end]
        used: Sequence[int] = range(len(rows.accounts))
        if len(indexes) < len(rows.indexes):
            used = sorted({*debits, *credited})
            numbers = {account: number for number, account in enumerate(used)}
            debits = [numbers[account] for account in debits]
            credited = [numbers[account] for account in credited]
        first = len(self.accounts)
        self.accounts += [digits(rows.accounts[account]) for account in used]
        none = [None] * len(indexes)
        currencies = [self._currency(rows.currencies[account]) for account in used]
        # Functions, so that each column is built after a yield and not all at once.
        columns: tuple[Callable[[], Sequence[Any]], ...] = (
            lambda: [command] * len(indexes),
            lambda: indexes,
            lambda: [PHASES[phase] for phase in rows.phases[start:end]],
            lambda: [first + account for account in debits],
            lambda: [first + account for account in credited],
            lambda: [currencies[account] for account in debits],
            lambda: rows.amounts[start:end],
            lambda: rows.debits_posted[start:end],
            lambda: rows.debits_pending[start:end],
            lambda: rows.credits_posted[start:end],
            lambda: rows.credits_pending[start:end],
            lambda: [rows.expires_at.get(index) for index in indexes] if rows.expires_at else none,
            lambda: none,
            lambda: none,
            lambda: [_json(rows.metadata.get(index)) for index in indexes] if rows.metadata else none,
        )
        for column, values in zip(self.transfers, columns, strict=True):
            column.extend(values())
            if len(indexes) > limits.transfers_at_once_max:
                yield
        if len(indexes) < len(rows.indexes):
            yield

    def _command(self, scope: Scope, sequence: int, moment_ms: int) -> int:
        for column, value in zip(self.commands, (*scope, sequence, moment_ms), strict=True):
            column.append(value)
        return len(self.commands[0]) - 1

    def _currency(self, currency: str) -> int:
        return self.currencies.setdefault(currency, len(self.currencies))


def _json(metadata: Mapping[str, str] | None) -> str | None:
    return msgspec.json.encode(metadata).decode() if metadata else None
