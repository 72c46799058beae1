"""What the API reads from the ledger beside objects: balances, entries, and the sequence at a time."""

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.ledger_objects import Phase
from fastpay.engine.ports import Page


class Entry(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One side of a transfer, seen from an account. `after` is the account after the transfer.

    `source_id` names the charge or refund that a transfer of payments was for.
    """

    transfer_id: str
    source_id: str | None = None
    created: int
    sequence: int
    side: Literal["debit", "credit"]
    phase: Phase
    amount: int
    after: Account


class EntryPage(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Which entries are wanted: newest first, strictly between two transfers.

    With `after`, these are the entries nearest after that one, still newest first.
    """

    limit: int
    before: str | None = None
    after: str | None = None


class PaidOut(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What an automatic payout pays out: captures by identifier, and everything else by sequence.

    `pending` is the account from which captures are released, the transfers are given by their digits.
    """

    payout: str
    currency: str
    pending: str
    released_after: str
    released_through: str
    sequence_after: int
    sequence_through: int


class Ledger(Protocol):
    """The accounts of tenants. Those of other tenants do not exist for the caller."""

    async def balances(
        self, scope: Scope, identifiers: Sequence[str], sequence: int | None
    ) -> Sequence[Account]:
        """Return the accounts that exist, as of this number in the sequence. None means now."""

    async def entries(self, scope: Scope, account: Account, page: EntryPage) -> Sequence[Entry]:
        """Return up to `page.limit` + 1 entries, newest first. The extra one tells that there are more."""

    async def balance_transfers(
        self, scope: Scope, page: Page, kinds: Sequence[str], currency: str | None
    ) -> Sequence[tuple[Transfer, int]]:
        """Return up to `page.limit` + 1 posted transfers of these kinds, newest first.

        Each comes with its time in milliseconds. None is any `currency`.
        """

    async def payout_transfers(
        self, scope: Scope, paid_out: PaidOut, page: Page, kinds: Sequence[str]
    ) -> Sequence[tuple[Transfer, int, int]]:
        """Return up to `page.limit` + 1 posted transfers that a payout may have paid out, newest first.

        Each comes with its time in milliseconds and its number in the sequence.
        """

    async def sequence_at(self, scope: Scope, moment_ms: int) -> int:
        """Return the last number in the sequence up to this time."""
