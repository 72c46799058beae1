"""The rules of settlements, told from the rows of the tables alone: see `books.py`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tests.support.books_of_payouts import Move, Tables, scope_of

_CODES = ("settlement_bank", "processor_fees", "settlement_differences")


def settlements(tables: Tables, moves: Sequence[Move]) -> Iterator[str]:
    """Each settlement closes at zero difference and posts then, and not before, what it says."""
    posted: Counter[tuple[Any, ...]] = Counter()
    for move in moves:
        if move.kind in {"settlement", "settlement_fee"}:
            posted[move.scope, move.source, move.kind] += move.amount
    balances: Counter[tuple[Any, ...]] = Counter()
    for row in tables["settlement"]:
        key = scope_of(row), row["settlement_id"]
        is_closed = row["status"] == "closed"
        if is_closed and (row["differences"] or row["gross"] != row["ours"] + row["accepted"]):
            yield f"settlement: {key[1]} closed with a difference"
        if row["gross"] != row["fee"] + row["net"]:
            yield f"settlement: {key[1]} does not add up"
        net, fee = (row["net"], row["fee"]) if is_closed else (0, 0)
        for kind, amount in (("settlement", net), ("settlement_fee", fee)):
            if posted.pop((*key, kind), 0) != abs(amount):
                yield f"settlement: {key[1]} ({row['status']}) has not posted its {kind}"
        for code, amount in zip(_CODES, (net, fee, -row["accepted"]), strict=True):
            balances[key[0], row["currency"], code] += amount
    for scope, source, kind in (key for key, amount in posted.items() if amount):
        yield f"settlement: {kind} is posted for {source} of {scope}, which is no settlement"
    for row in tables["account"]:
        if row["code"] in _CODES and row["debits_posted"] - row["credits_posted"] != balances.pop(
            (scope_of(row), row["currency"], row["code"]), 0
        ):
            yield f"settlement: {row['code']} of {scope_of(row)} is not what settlements say"
    for key, amount in balances.items():
        if amount:
            yield f"settlement: {key} has no account"
