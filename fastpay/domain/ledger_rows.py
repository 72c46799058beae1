"""The rows that a batch of transfers comes to, a column each."""

import msgspec

from fastpay.domain.ledger_objects import Phase


class LedgerRows(msgspec.Struct, kw_only=True):
    """Transfers as they are written, all at one number of the sequence: one list a column.

    Accounts and their currencies are given once; `debits` and `credits` have their numbers. `expires_at` and
    `metadata` have the few places that have some. Unlike all else in the domain it is filled step by step:
    thousands of small structs would cost more than what they hold.
    """

    accounts: list[str]
    currencies: list[str]
    places: list[int] = []
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
