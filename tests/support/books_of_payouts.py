"""The rules of payouts and of pending money, told from the rows of the tables alone: see `books.py`."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Row = Mapping[str, Any]
# Rows by the name of their table.
Tables = Mapping[str, Sequence[Row]]


class Move(NamedTuple):
    """A transfer of a payment, or one of a client's own ledger (`kind` "ledger")."""

    scope: tuple[Any, bool]
    name: tuple[Any, ...]
    sequence: int
    kind: str
    source: Any
    phase: str
    amount: int
    currency: str
    accounts: tuple[Any, Any]
    hold: tuple[Any, ...] | None

    @property
    def posted(self) -> int:
        """What it has moved for good."""
        return self.amount if self.phase in {"posted", "post"} else 0


def scope_of(row: Row) -> tuple[Any, bool]:
    """Return the tenant and mode of a row."""
    return row["tenant_id"], row["livemode"]


def payouts(tables: Tables, moves: Iterable[Move]) -> Iterator[str]:
    """A payout moves its amount out once, and then once to the bank or back; a reversal the other way."""
    ways = {
        "pending": {"payout"},
        "in_transit": {"payout"},
        "paid": {"payout", "payout_paid"},
        "failed": {"payout", "payout_failure"},
        "canceled": {"payout", "payout_cancel"},
    }
    made: dict[tuple[Any, ...], list[Move]] = defaultdict(list)
    for move in moves:
        if move.kind.startswith("payout"):
            made[move.scope, move.source].append(move)
    for payout in tables["payout"]:
        own = made.pop((scope_of(payout), payout["payout_id"]), [])
        kinds = ways[payout["status"]]
        if payout["amount"] < 0:
            kinds = {"payout_return"} | ({"payout_reversal"} if payout["status"] == "paid" else set())
        if sorted(move.kind for move in own) != sorted(kinds):
            yield f"payout: {payout['payout_id']} ({payout['status']}) has other transfers than its own"
        if any((move.amount, move.currency) != (abs(payout["amount"]), payout["currency"]) for move in own):
            yield f"payout: {payout['payout_id']} has a transfer of another amount"
    for _, source in made:
        yield f"payout: a transfer is for {source}, which is no payout"
    yield from _held(tables)


def pending(tables: Tables, moves: Sequence[Move]) -> Iterator[str]:
    """The pending account has what the charges above the watermark left there, and nothing of the others."""
    accounts = {
        (scope_of(row), row["account_id"]): row for row in tables["account"] if row["code"] == "pending"
    }
    watermarks = {scope_of(row): _hex(row["released_through"]) for row in tables["balance"]}
    owners = {(scope_of(row), row["refund_id"]): row.get("charge_id") for row in tables["refund"]}
    for row in tables["account_transfer"]:
        owners[scope_of(row), row["account_transfer_id"]] = row.get("source_transaction_id")
    for row in tables["transfer_reversal"]:
        owners[scope_of(row), row["transfer_reversal_id"]] = owners[scope_of(row), row["transfer_id"]]
    for row in tables["application_fee"]:
        owners[scope_of(row), row["application_fee_id"]] = row["charge_id"]
    for row in tables["fee_refund"]:
        owners[scope_of(row), row["fee_refund_id"]] = owners[scope_of(row), row["application_fee_id"]]
    latest: dict[tuple[Any, ...], str] = {}
    left: Counter[tuple[Any, ...]] = Counter()
    for move in sorted(moves, key=lambda move: _hex(move.name[0])):
        owner = move.scope, owners.get((move.scope, move.source), move.source)
        if move.posted and move.kind == "capture":
            latest[owner] = _hex(move.name[0])
        for side, sign in zip(move.accounts, (-1, 1), strict=True):
            is_pending = (move.scope, side) in accounts and move.kind != "release"
            if is_pending and latest.get(owner, "") > watermarks.get(move.scope, ""):
                left[move.scope, side] += sign * move.posted
    for key, row in accounts.items():
        if row["credits_posted"] - row["debits_posted"] != left[key]:
            yield f"pending: account {key} has not what its charges left there, {left[key]}"


def _held(tables: Tables) -> Iterator[str]:
    """What is on its way, has arrived or is disputed is what payouts and disputes say."""
    amounts: Counter[tuple[Any, ...]] = Counter()
    for row in tables["payout"]:
        key, amount = (scope_of(row), row["currency"]), row["amount"]
        if row["status"] in {"pending", "in_transit"}:
            amounts[*key, "in_transit"] += abs(amount)
        if amount < 0 or row["status"] == "paid":
            amounts[*key, "bank"] += amount
    for row in tables["dispute"]:
        if row["status"] in {"needs_response", "under_review"}:
            amounts[scope_of(row), row["currency"], "disputes"] += row["amount"]
    for row in tables["account"]:
        balance = row["credits_posted"] - row["debits_posted"]
        wanted = amounts[scope_of(row), row["currency"], row["code"]]
        if row["code"] in {"in_transit", "bank", "disputes"} and balance != wanted:
            yield f"held: {row['code']} has {balance} {row['currency']}, and objects say {wanted}"


def _hex(identifier: Any) -> str:
    return str(identifier).replace("-", "")[-32:]


def transfers(tables: Tables, moves: Iterable[Move]) -> Iterator[str]:
    """Transfers to connected accounts and their reversals moved their amounts once."""
    made: Counter[tuple[Any, ...]] = Counter()
    for move in moves:
        if move.kind in {"transfer", "transfer_reversal"}:
            made[move.scope, move.source, move.kind] += move.posted
    reversed_: Counter[tuple[Any, ...]] = Counter()
    for row in tables["transfer_reversal"]:
        reversed_[scope_of(row), row["transfer_id"]] += row["amount"]
        if made.pop((scope_of(row), row["transfer_reversal_id"], "transfer_reversal"), 0) != row["amount"]:
            yield f"reversal: {row['transfer_reversal_id']} has not moved its amount"
    for row in tables["account_transfer"]:
        own = scope_of(row), row["account_transfer_id"]
        if made.pop((*own, "transfer"), 0) != row["amount"] or reversed_[own] != row["amount_reversed"]:
            yield f"transfer: {own[1]} has not moved its amount, or is reversed by another one"
    for key in made:
        yield f"transfer: one is for {key[1]}, which is no transfer to an account"


def application_fees(tables: Tables, moves: Iterable[Move]) -> Iterator[str]:
    """Application fees and their refunds moved their amounts once, and no account gave more than it got."""
    made: Counter[tuple[Any, ...]] = Counter()
    for move in moves:
        if move.kind in {"application_fee", "application_fee_refund"}:
            made[move.scope, move.source, move.kind] += move.posted
    refunded: Counter[tuple[Any, ...]] = Counter()
    for row in tables["fee_refund"]:
        refunded[scope_of(row), row["application_fee_id"]] += row["amount"]
        if made.pop((scope_of(row), row["fee_refund_id"], "application_fee_refund"), 0) != row["amount"]:
            yield f"fee refund: {row['fee_refund_id']} has not moved its amount"
    passed_on: Counter[tuple[Any, ...]] = Counter()
    for row in tables["account_transfer"]:
        passed_on[scope_of(row), row.get("source_transaction_id")] += row["amount"]
    for row in tables["application_fee"]:
        own = scope_of(row), row["application_fee_id"]
        passed_on[scope_of(row), row["charge_id"]] -= row["amount"]
        if made.pop((*own, "application_fee"), 0) != row["amount"] or refunded[own] != row["amount_refunded"]:
            yield f"application fee: {own[1]} has not moved its amount, or is refunded by another one"
        if passed_on[scope_of(row), row["charge_id"]] < 0:
            yield f"application fee: {own[1]} is more than was passed on"
    for key in made:
        yield f"application fee: a transfer is for {key[1]}, which is none"
