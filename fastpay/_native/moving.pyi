"""The plain case of a transfer between two accounts, in one step: nearly all that payments make.

It moves nothing that a rule could refuse. The rules are in `domain/ledger.py`, which decides all other cases.
"""

from typing import Any, final

from fastpay._native.identifiers import IdentifierSequence

@final
class Mover:
    """Makes transfers, and the accounts after them: instances of these two types."""

    def __init__(self, account: type, transfer: type) -> None:
        """Raises: TypeError if a type has other fields than `Account` and `Transfer`."""

    def move(
        self,
        kind: str,
        debit_id: str,
        credit_id: str,
        currency: str,
        amount: int,
        source_id: str,
        moved: dict[str, Any],
        loaded: dict[str, Any],
        counter_max: int,
        identifiers: IdentifierSequence,
    ) -> Any:
        """Return a new posted transfer, with the next identifier, and put its accounts after it into `moved`.

        Accounts are those in `moved`, or else in `loaded`. Return None, and change nothing, unless both are
        there and differ, have no minimum balance, and stay within `counter_max` with what is reserved.
        """

    def reserve(
        self,
        values: tuple[str, str, str, str, str, int, str, str | None],
        posted: int,
        reserved: int,
        moved: dict[str, Any],
        loaded: dict[str, Any],
        counter_max: int,
        identifiers: IdentifierSequence,
    ) -> Any:
        """Do the same for a hold, or for a transfer that ends one. `values` are its fields after the first.

        `posted` is added to what both accounts have moved, and `reserved` to what is reserved in them: it is
        negative for the end of a hold.
        """
