"""The body of a batch of transfers straight to columns, where nothing in it is in doubt."""

from typing import TypeAlias

_Extras: TypeAlias = dict[int, dict[str, str]]
_Columns: TypeAlias = tuple[list[str], list[int], list[int], list[int], list[int], dict[int, int], _Extras]

def decode(body: bytes) -> tuple[_Columns, bool] | None:
    """Decode a body that is plainly right, as nearly every one is; None for all others.

    Returns a column for each part of the transfers (accounts, debits, credits, amounts, flags, expiries,
    metadata), and whether this is a dry run. Accounts are named once, and by their number in the columns of
    debits and credits; numbers are given as they come up, of each transfer the debit account's first. Flags
    are sums of 1 (linked) and 2 (hold). Expiries and metadata have the places that have some, the latter
    without keys that have no value.

    Plainly right is what the reader of all other JSON would take without a fault, written without escapes,
    with no parameters beside `transfers` and `dry_run`. Whatever is None is to be read by that one, which
    finds the words for what is wrong, or that nothing is. Takes time linear in the size of the body.
    """
