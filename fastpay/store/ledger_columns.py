"""The columns of transfers between clients' accounts, for the one statement that writes them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fastpay.domain.identifiers import Scope, digits, moment_of, place_of
from fastpay.domain.ledger_objects import LedgerTransfer
from fastpay.domain.ledger_rows import LedgerRows
from fastpay.engine.ports import Changes
from fastpay.store.ledger_rows import PHASES

# How many columns there are of commands, and of transfers.
_COMMAND_COLUMNS = 4
_TRANSFER_COLUMNS = 15


def columns(changes: Changes) -> list[list[Any]]:
    """Return the arguments of `write_ledger_transfers`; none where there is nothing to write."""
    written = _Columns()
    for scope, versioned in changes.versions:
        # An ended hold is version 2, and no row of its own.
        if isinstance(versioned.object, LedgerTransfer) and versioned.version == 1:
            written.add_transfer(scope, versioned.object)
    for scope, rows in changes.rows:
        written.add_rows(scope, rows)
    if not written.transfers[0]:
        return []
    return [*written.commands, written.accounts, list(written.currencies), *written.transfers]


class _Columns:
    """What is written by one statement: each command, account and currency once, and by number after that."""

    def __init__(self) -> None:
        self.commands: list[list[Any]] = [[] for _ in range(_COMMAND_COLUMNS)]
        self.accounts: list[str] = []
        self.currencies: dict[str, int] = {}
        self.transfers: list[list[Any]] = [[] for _ in range(_TRANSFER_COLUMNS)]

    def add_transfer(self, scope: Scope, transfer: LedgerTransfer) -> None:
        """Add a transfer that is its command's only one."""
        command = self._command(scope, transfer.sequence, moment_of(transfer.id))
        first = len(self.accounts)
        self.accounts += (digits(transfer.debit_account), digits(transfer.credit_account))
        values = (
            command,
            place_of(transfer.id)[1],
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
            *((None, None) if transfer.hold is None else place_of(transfer.hold)),
            _json(transfer.metadata),
        )
        for column, value in zip(self.transfers, values, strict=True):
            column.append(value)

    def add_rows(self, scope: Scope, rows: LedgerRows) -> None:
        """Add the transfers of a batch."""
        command = self._command(scope, rows.sequence, rows.moment_ms)
        first = len(self.accounts)
        self.accounts += map(digits, rows.accounts)
        count = len(rows.places)
        none = [None] * count
        numbers = [self._currency(currency) for currency in rows.currencies]
        columns: tuple[Sequence[Any], ...] = (
            [command] * count,
            rows.places,
            [PHASES[phase] for phase in rows.phases],
            [first + account for account in rows.debits],
            [first + account for account in rows.credits],
            [numbers[account] for account in rows.debits],
            rows.amounts,
            rows.debits_posted,
            rows.debits_pending,
            rows.credits_posted,
            rows.credits_pending,
            [rows.expires_at.get(place) for place in rows.places] if rows.expires_at else none,
            none,
            none,
            [_json(rows.metadata.get(place)) for place in rows.places] if rows.metadata else none,
        )
        for column, values in zip(self.transfers, columns, strict=True):
            column.extend(values)

    def _command(self, scope: Scope, sequence: int, moment_ms: int) -> int:
        for column, value in zip(self.commands, (*scope, sequence, moment_ms), strict=True):
            column.append(value)
        return len(self.commands[0]) - 1

    def _currency(self, currency: str) -> int:
        return self.currencies.setdefault(currency, len(self.currencies))


def _json(metadata: Mapping[str, str] | None) -> str | None:
    return msgspec.json.encode(metadata).decode() if metadata else None
