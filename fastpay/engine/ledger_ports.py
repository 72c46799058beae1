"""What the floor above asks of the ledger beside objects: balances, statements, and when a moment was."""

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger import Account
from fastpay.domain.ledger_objects import Phase


class Entry(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One side of a transfer, seen from an account; `after` is the account as it stood after it.

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
    """Which part of a statement is wanted: newest first, strictly between two transfers.

    Where `after` is given, it is the entries nearest after that one (still returned newest first).
    """

    limit: int
    before: str | None = None
    after: str | None = None


class Ledger(Protocol):
    """The accounts of tenants. Those of other tenants are simply not there."""

    async def balances(
        self, scope: Scope, identifiers: Sequence[str], sequence: int | None
    ) -> Sequence[Account]:
        """Return the accounts that exist, as they stood at this place of the sequence; None is now."""

    async def entries(self, scope: Scope, account: Account, page: EntryPage) -> Sequence[Entry]:
        """Return up to `page.limit` + 1 entries, newest first: the one too many says that there are more."""

    async def sequence_at(self, scope: Scope, moment_ms: int) -> int:
        """Return the last number of the sequence that was given out up to this moment."""
