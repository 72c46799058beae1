"""The rows of a batch of transfers, as columns."""

from bisect import bisect_left

import msgspec

from fastpay.domain.identifiers import identifier_at, position_of
from fastpay.domain.ledger_objects import LedgerTransfer, Phase


class LedgerRows(msgspec.Struct, kw_only=True):
    """The transfers of one batch, all with the same time and sequence number: one list a column.

    `accounts` has each account once, `currencies` the currency of each; `debits` and `credits` are indexes
    into both. `indexes` are the items' indexes in the batch, and the keys of `expires_at` and `metadata`.
    Unlike other structs of the domain this one is mutable: thousands of small structs would cost more.
    """

    sequence: int
    moment_ms: int
    accounts: list[str]
    currencies: list[str]
    indexes: list[int] = []
    phases: list[Phase] = []
    debits: list[int] = []
    credits: list[int] = []
    amounts: list[int] = []
    debits_posted: list[int] = []
    debits_pending: list[int] = []
    credits_posted: list[int] = []
    credits_pending: list[int] = []
    expires_at: dict[int, int] = {}
    metadata: dict[int, dict[str, str]] = {}

    def find(self, identifier: str) -> LedgerTransfer | None:
        """Return the transfer with this identifier, as it would be read from the database, or None."""
        index = position_of(identifier)[1]
        row = bisect_left(self.indexes, index)
        if row == len(self.indexes) or self.indexes[row] != index:
            return None
        if identifier != identifier_at(LedgerTransfer.prefix, self.moment_ms, self.sequence, index):
            return None
        return LedgerTransfer(
            id=identifier,
            created=self.moment_ms // 1000,
            sequence=self.sequence,
            phase=self.phases[row],
            debit_account=self.accounts[self.debits[row]],
            credit_account=self.accounts[self.credits[row]],
            currency=self.currencies[self.debits[row]],
            amount=self.amounts[row],
            debits_posted=self.debits_posted[row],
            debits_pending=self.debits_pending[row],
            credits_posted=self.credits_posted[row],
            credits_pending=self.credits_pending[row],
            expires_at=self.expires_at.get(index),
            metadata=self.metadata.get(index, {}),
        )
