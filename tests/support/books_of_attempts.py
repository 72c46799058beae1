"""The rules of holds and of attempts, told from the rows of the tables alone: see `books.py`."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tests.support.books_of_payouts import Move, Tables, scope_of


def holds(moves: Iterable[Move]) -> Iterator[str]:
    """A hold ends once at most, by no more than was held, and between the same accounts."""
    moves = list(moves)
    held = {(move.scope, move.name): move for move in moves}
    ended = set()
    for move in moves:
        if move.hold is None:
            continue
        hold = held.get((move.scope, move.hold))
        if (move.scope, move.hold) in ended:
            yield f"hold: {move.hold} ended more than once"
        ended.add((move.scope, move.hold))
        if hold is None or hold.phase != "hold":
            yield f"hold: {move.name} ends {move.hold}, which is no hold"
        elif move.amount > hold.amount:
            yield f"hold: {move.name} ends {move.hold} by more than was held"
        elif (move.accounts, move.currency) != (hold.accounts, hold.currency):
            yield f"hold: {move.name} ends {move.hold} between other accounts"


def changing_with_attempts(tables: Tables) -> dict[tuple[Any, Any], set[Any]]:
    """Return what may change with each attempt: its payment or setup, and all that belongs to the payment."""
    parts = defaultdict(set)
    for kind in ("charge", "refund", "attempt"):
        for row in tables[kind]:
            parts[scope_of(row), row.get("payment_intent_id")].add(row[f"{kind}_id"])
    return {
        (scope_of(row), row["attempt_id"]): {row.get("payment_intent_id"), row.get("setup_intent_id")}
        | parts[scope_of(row), row.get("payment_intent_id")]
        for row in tables["attempt"]
    }


def attempts(tables: Tables, moves: Sequence[Move]) -> Iterator[str]:
    """Each attempt holds all of its amount or nothing, and nothing else is in doubt.

    Of all authorizations of a payment one at most was approved, and one at most of its captures and voids.
    One at most of these is in doubt, and then the payment is processing. Refunds never exceed a capture.
    """
    held: Counter[tuple[Any, ...]] = Counter()
    owners: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    # Holds first: rows come in any order, since PostgreSQL reads a large table by several processes.
    for move in sorted(moves, key=lambda move: move.phase != "hold"):
        if move.kind == "in_doubt":
            if move.phase == "hold":
                owners[move.scope, move.name] = (move.scope, move.source)
                held[move.scope, move.source] += move.amount
            else:
                ended = owners.get((move.scope, move.hold))
                if move.phase != "void" or ended != (move.scope, move.source):
                    yield f"attempt: {move.name} is for {move.source} and ends the hold of {ended}"
                held[move.scope, move.source] -= move.amount
    doubtful: Counter[tuple[Any, ...]] = Counter()
    open_: Counter[tuple[Any, ...]] = Counter()
    done: Counter[tuple[Any, ...]] = Counter()
    refunds: Counter[tuple[Any, ...]] = Counter()
    for row in tables["attempt"]:
        key = scope_of(row), row["attempt_id"]
        if held.pop(key, 0) != row["held"] or row["held"] not in {0, row["amount"]}:
            yield f"attempt: {key[1]} ({row['status']}) does not say what it holds"
        if row["operation"] == "setup":
            if row["amount"] or row["held"]:
                yield f"attempt: {key[1]} is a setup, and moves money"
            continue
        if (row["status"] == "open") > (row["held"] > 0) or (
            row["held"] > 0
            and row["status"]
            not in {
                "open",
                "review",
            }
        ):
            yield f"attempt: {key[1]} ({row['status']}) is in doubt, or should be"
        payment = key[0], row["payment_intent_id"]
        doubtful[key[0], row["currency"]] += row["held"]
        if row["operation"] == "refund":
            refunds[payment] += row["amount"] if row["held"] or row["status"] == "approved" else 0
            continue
        open_[payment] += row["held"] > 0
        stage = "authorized" if row["operation"] == "authorize" else "ended"
        done[payment, stage] += row["held"] > 0 or row["status"] == "approved"
    for scope, source in (key for key, amount in held.items() if amount):
        yield f"attempt: something is held for {source} of {scope}, which is no attempt"
    for row in tables["account"]:
        if row["code"] == "in_doubt":
            key = scope_of(row), row["currency"]
            posted = row["credits_posted"] or row["debits_posted"] or row["debits_pending"]
            if posted or row["credits_pending"] != doubtful.pop(key, 0):
                yield f"attempt: in_doubt of {key} is not what attempts hold"
    for key, amount in doubtful.items():
        if amount:
            yield f"attempt: {key} has no account in_doubt"
    for row in tables["payment_intent"]:
        payment = scope_of(row), row["payment_intent_id"]
        if open_[payment] > 1 or max(done[payment, "authorized"], done[payment, "ended"]) > 1:
            yield f"attempt: {payment[1]} may be charged more than once"
        if refunds[payment] > row["amount_received"]:
            yield f"attempt: {payment[1]} may be refunded more than once"
        if open_[payment] and row["status"] not in {"processing", "requires_action"}:
            yield f"attempt: {payment[1]} ({row['status']}) is in doubt"
