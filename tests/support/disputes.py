"""The rules of disputes in the books: see `books.py`."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
_MONEY_IS_AWAY = {"needs_response", "under_review", "won", "lost"}


def faults(
    tables: Mapping[str, Sequence[Row]],
    scope_of: Callable[[Row], Any],
    times: Mapping[tuple[Any, ...], int],
    by_source: Mapping[tuple[Any, ...], int],
) -> Iterator[str]:
    """Each dispute has moved what its status says, and a charge never more than was captured."""
    gone: Counter[tuple[Any, ...]] = Counter()
    known = set()
    for dispute in tables["dispute"]:
        scope, name, status, fee = (
            scope_of(dispute), dispute["dispute_id"], dispute["status"], dispute["fee"]
        )  # fmt: skip
        known.add((scope, name))
        for kind, moves, amount in (
            ("dispute", status in _MONEY_IS_AWAY, dispute["amount"]),
            ("dispute_fee", status in _MONEY_IS_AWAY and fee > 0, fee),
            ("dispute_won", status == "won", dispute["amount"]),
            ("dispute_fee_returned", status == "won" and fee > 0, fee),
            ("dispute_lost", status == "lost", dispute["amount"]),
        ):
            key = (scope, name, kind)
            if (times[key], by_source[key]) != ((1, amount) if moves else (0, 0)):
                yield f"dispute: {name} ({status}) has not moved what it says: {kind}"
        if status in _MONEY_IS_AWAY - {"won"}:
            gone[scope, dispute["charge_id"]] += dispute["amount"]
    for scope, name, kind in times:
        if kind.startswith("dispute") and (scope, name) not in known:
            yield f"dispute: a transfer is for {name}, which is no dispute"
    for charge in tables["charge"]:
        if (
            gone[scope_of(charge), charge["charge_id"]]
            > charge["amount_captured"] - charge["amount_refunded"]
        ):
            yield f"dispute: more of {charge['charge_id']} is disputed or refunded than was captured"
