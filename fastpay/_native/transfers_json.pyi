"""The body of a batch of transfers directly to columns, if it is plainly valid."""

from typing import TypeAlias

_Extras: TypeAlias = dict[int, dict[str, str]]
_Columns: TypeAlias = tuple[list[str], list[int], list[int], list[int], list[int], dict[int, int], _Extras]

def decode(body: bytes) -> tuple[_Columns, bool] | None:
    """Decode a plainly valid body; return None for all others.

    Returns a column for each part of the transfers (accounts, debits, credits, amounts, flags, expiries,
    metadata), and whether this is a dry run. Each account is listed once. The columns of debits and credits
    contain its number; numbers are given in order of appearance, for each transfer the debit account's
    first. Flags are sums of 1 (linked) and 2 (hold). Expiries and metadata map the index of a transfer to
    its value; metadata has no keys without a value.

    A plainly valid body is one that the general JSON reader accepts, written without escapes, with no
    parameters except `transfers` and `dry_run`. The general reader decides on every body that is None here,
    and finds the error message if there is one. Takes time linear in the size of the body.
    """
