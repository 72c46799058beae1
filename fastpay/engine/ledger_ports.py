"""What the floor above asks of the ledger beside objects: balances, and when a moment was."""

from collections.abc import Sequence
from typing import Protocol

from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger import Account


class Ledger(Protocol):
    """The accounts of tenants. Those of other tenants are simply not there."""

    async def balances(
        self, scope: Scope, identifiers: Sequence[str], sequence: int | None
    ) -> Sequence[Account]:
        """Return the accounts that exist, as they stood at this place of the sequence; None is now."""

    async def sequence_at(self, scope: Scope, moment_ms: int) -> int:
        """Return the last number of the sequence that was given out up to this moment."""
