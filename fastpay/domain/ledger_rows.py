"""The rows that a batch of transfers comes to, a column each."""

from bisect import bisect_left

import msgspec

from fastpay.domain.identifiers import identifier_at, position_of
from fastpay.domain.ledger_objects import LedgerTransfer, Phase


class LedgerRows(msgspec.Struct, kw_only=True):
    """Transfers as they are written, all at one moment and one number of the sequence: one list a column.

    Accounts and their currencies are given once; `debits` and `credits` have their numbers. `expires_at` and
    `metadata` have the few indexes that have some. Unlike all else in the domain it is filled step by step:
    thousands of small structs would cost more than what they hold.
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
        """Return the transfer of this identifier as it would be read back, None where it is none of these."""
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
