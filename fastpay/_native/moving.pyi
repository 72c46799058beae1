"""The plain case of a transfer between two accounts, in one step: nearly all that payments make.

It moves nothing that a rule could refuse. The rules are in `domain/ledger.py`, which decides all other cases.
"""

from typing import Any

def prepare(draft: type[Moves], account: type, transfer: type, counter_max: int) -> None:
    """Let a type of draft make transfers, and accounts after them: instances of these two types.

    Raises: TypeError if the draft lacks a slot, or a type has other fields than `Account` and `Transfer`.
    """

class Moves:
    """What makes the transfers of a draft, which inherits it.

    A draft has slots: `charts` with the identifiers of accounts by code for each currency, `accounts` with
    those that it has moved, `loaded` with all others, `transfers`, and `identifiers` for new ones.
    """

    def transfer(
        self,
        kind: str,
        *,
        debit: str,
        credit: str,
        currency: str,
        amount: int,
        source_id: str,
        phase: str = "posted",
        hold: tuple[str, int] | None = None,
    ) -> str:
        """Move or reserve an amount between two accounts, and return the transfer's identifier.

        `debit` and `credit` are codes. `hold` is the identifier and the whole amount of the hold that a
        "post" or "void" ends. Raises: InsufficientFunds, InvalidRequest.

        The case is plain, and is done here, if both accounts are there and differ, have no minimum balance,
        and stay within `counter_max` with what is reserved. All else is left to `transfer_by_rules`.
        """

    def chart(self, currency: str) -> dict[str, str]:
        """Return the identifiers of accounts in a currency that `charts` does not have. To be overridden."""

    def transfer_by_rules(
        self,
        kind: str,
        phase: str,
        debit: str,
        credit: str,
        currency: str,
        amount: int,
        source_id: str,
        hold: tuple[str, int] | None,
    ) -> Any:
        """Do the same for every case. To be overridden."""
