"""What the periodic work on funds needs from the database."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from fastpay.domain.identifiers import Scope


class DueFunds(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What there may be to do about the funds of a book: captures to release, an event, a payout.

    `released_through` is the watermark, `currencies` are those of the `available` accounts.
    """

    scope: Scope
    released_through: str
    currencies: tuple[str, ...]
    is_due: bool
    is_credited: bool
    is_payable: bool


class Unreleased(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Transfers above the watermark `after`, through `through`; the captures among them with their
    charges."""

    after: str
    through: str
    captures: tuple[str, ...]
    charges: tuple[str, ...]
    currencies: tuple[str, ...]


class FundsStore(Protocol):
    """Lists what is due by the database's clock."""

    async def list_due_funds(self, after: Scope, books_max: int) -> Sequence[DueFunds]:
        """Return the next books above a cursor, all of them. Raises: DatabaseUnavailable."""

    async def list_unreleased(self, scope: Scope, rows_max: int) -> Unreleased | None:
        """Return transfers of a book above its watermark that are old enough, None if there are none.

        Raises: DatabaseUnavailable.
        """
