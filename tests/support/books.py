"""The rules that hold in the books whatever happened, told from the rows of the tables alone.

They share no code with what wrote the rows. One set of rules serves databases (`check_database`) and books in
memory (`check_memory`), which are put into the form of the tables.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec.structs import asdict

from fastpay.domain.application_fees import ApplicationFee, FeeRefund
from fastpay.domain.cash_objects import CashTransaction, FundingInstructions
from fastpay.domain.confirmation_tokens import ConfirmationToken
from fastpay.domain.connected_accounts import ConnectedAccount
from fastpay.domain.dispute_objects import Dispute
from fastpay.domain.funds import Balance
from fastpay.domain.identifiers import Scope
from fastpay.domain.imports import ImportedObject
from fastpay.domain.ledger import Account, Transfer, account_id
from fastpay.domain.objects import Charge, Customer, PaymentIntent, PaymentMethod, Refund, StoredObject
from fastpay.domain.payouts import Payout
from fastpay.domain.plan import Event, Versioned
from fastpay.domain.processor_objects import Attempt
from fastpay.domain.settlements import Settlement
from fastpay.domain.setup_objects import Mandate, SetupAttempt, SetupIntent
from fastpay.domain.tokens import Token
from fastpay.domain.transfers import AccountTransfer, TransferReversal
from fastpay.domain.webhook_endpoints import WebhookEndpoint, WebhookReplay
from fastpay.store.connections import connected
from tests.support import disputes
from tests.support.books_of_attempts import attempts, changing_with_attempts, holds
from tests.support.books_of_cash import cash, refunds_of_charges
from tests.support.books_of_payouts import (
    Move,
    Row,
    Tables,
    application_fees,
    payouts,
    pending,
    transfers,
)
from tests.support.books_of_settlements import settlements

COUNTERS = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")
# Tables of heads by the number that object_version has for their kind.
HEADS = {
    1: "customer",
    2: "payment_method",
    3: "payment_intent",
    4: "charge",
    5: "refund",
    8: "setup_intent",
    9: "setup_attempt",
    11: "balance",
    12: "payout",
    13: "connected_account",
    14: "account_transfer",
    15: "transfer_reversal",
    18: "dispute",
    21: "application_fee",
    22: "fee_refund",
    23: "cash_transaction",
    25: "attempt",
    26: "settlement",
}
_KINDS: dict[type, int] = {
    Customer: 1,
    PaymentMethod: 2,
    PaymentIntent: 3,
    Charge: 4,
    Refund: 5,
    SetupIntent: 8,
    SetupAttempt: 9,
    Mandate: 10,
    Balance: 11,
    Payout: 12,
    ConnectedAccount: 13,
    AccountTransfer: 14,
    TransferReversal: 15,
    Token: 16,
    ConfirmationToken: 17,
    Dispute: 18,
    WebhookEndpoint: 19,
    WebhookReplay: 20,
    ApplicationFee: 21,
    FeeRefund: 22,
    CashTransaction: 23,
    FundingInstructions: 24,
    Attempt: 25,
    Settlement: 26,
    ImportedObject: 27,
}
# Payment methods, attempts to set up, mandates and used tokens come with a payment or a setup, whose events
# tell of them; a refund of an application fee with the fee. A fee shows a refund that was changed, and an
# object that it was imported.
_TOLD_BY_OTHERS = {2, 9, 10, 15, 16, 17, 21, 22, 27}
_LEDGER_PHASES = {1: "posted", 2: "hold", 3: "post", 4: "void", 5: "expire"}
_COLUMNS = {"object_version": "tenant_id, livemode, kind, object_id, version, sequence"}


def find_faults(tables: Tables) -> list[str]:
    """Return a line for each fault: the rule that is broken, and where."""
    moves = list(_moves(tables))
    return [
        *_sequences(tables),
        *_versions(tables),
        *_accounts(tables),
        *holds(moves),
        *_counters(tables, moves),
        *_places(tables, moves),
        *_payments(tables, moves),
        *payouts(tables, moves),
        *pending(tables, moves),
        *transfers(tables, moves),
        *application_fees(tables, moves),
        *cash(tables, moves),
        *attempts(tables, moves),
        *settlements(tables, moves),
    ]


async def find_database_faults(database_url: str, scope: Scope | None = None) -> list[str]:
    """Return a line for each fault in a database, or in the books of one tenant and mode in it."""
    tables = await read_tables(database_url)
    if scope is not None:
        tables = {
            name: [row for row in rows if (row["tenant_id"].hex, row["livemode"]) == scope]
            for name, rows in tables.items()
        }
    return find_faults(tables)


async def check_database(database_url: str, scope: Scope | None = None) -> None:
    """Find nothing wrong in a database, or in the books of one tenant and mode in it."""
    faults = await find_database_faults(database_url, scope)
    assert faults == [], "\n".join(faults)


async def read_tables(database_url: str) -> Tables:
    """Return all rows that the rules are about, of one snapshot."""
    names = ("book", "event", "object_version", "account", "transfer", "ledger_transfer", *HEADS.values())
    async with (
        connected(database_url) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        return {
            name: await connection.fetch(f"select {_COLUMNS.get(name, '*')} from {name}") for name in names
        }


def tables_in_memory(
    scope: Scope,
    *,
    accounts: Iterable[Account],
    transfers: Iterable[Transfer],
    events: Iterable[Event],
    versions: Iterable[Versioned],
    sequence: int,
) -> Tables:
    """Return the books of one tenant in memory as tables."""
    heads: dict[str, dict[str, Row]] = {name: {} for name in HEADS.values()}
    written = []
    for versioned in versions:
        number, name = _KINDS[type(versioned.object)], versioned.object.id
        own = {"kind": number, "version": versioned.version, "sequence": versioned.sequence}
        written.append({"object_id": _digits(name), **own})
        if number in HEADS:
            heads[HEADS[number]][name] = {**_head(versioned.object, HEADS[number]), **own}
    tables: dict[str, Iterable[Row]] = {
        "book": [{"sequence": sequence}],
        "account": [{**asdict(one), "account_id": one.id} for one in accounts],
        "transfer": [_transfer(one) for one in transfers],
        "event": [{**asdict(one), "event_id": one.id, "object_id": _digits(one.object_id)} for one in events],
        "object_version": written,
        **{name: rows.values() for name, rows in heads.items()},
    }
    own_scope = {"tenant_id": scope.tenant_id, "livemode": scope.livemode}
    for account in tables["account"]:
        assert account["account_id"] == account_id(scope, account["currency"], account["code"])
    return {name: [{**own_scope, **row} for row in rows] for name, rows in tables.items()}


def check_memory(scope: Scope, **books: Any) -> None:
    """Find nothing wrong in the books of one tenant in memory: see `tables_in_memory`."""
    faults = find_faults(tables_in_memory(scope, **books))
    assert faults == [], "\n".join(faults)


def _head(stored: StoredObject, table: str) -> Row:
    fields = asdict(stored)
    names = (*HEADS.values(), "source_transaction", "transfer")
    references = {f"{name}_id": _digits(fields[name]) for name in names if fields.get(name)}
    if table == "fee_refund":
        references["application_fee_id"] = _digits(fields["fee"])
    return {**fields, **references, f"{table}_id": _digits(stored.id)}


def _transfer(transfer: Transfer) -> Row:
    fields = asdict(transfer)
    hold = None if transfer.hold_id is None else _digits(transfer.hold_id)
    own = {"transfer_id": _digits(transfer.id), "hold_id": hold, "source_id": _digits(transfer.source_id)}
    return {**fields, **own, "sequence": None}


def _digits(identifier: str) -> str:
    return identifier[-32:]


def _scope(row: Row) -> tuple[Any, bool]:
    return row["tenant_id"], row["livemode"]


def _moves(tables: Tables) -> Iterator[Move]:
    for row in tables["transfer"]:
        yield Move(
            _scope(row),
            (row["transfer_id"],),
            row["sequence"],
            row["kind"],
            row["source_id"],
            row["phase"],
            row["amount"],
            row["currency"],
            (row["debit_account_id"], row["credit_account_id"]),
            None if row["hold_id"] is None else (row["hold_id"],),
        )
    for row in tables.get("ledger_transfer", ()):
        phase = _LEDGER_PHASES[row["phase"]]
        yield Move(
            _scope(row),
            (row["sequence"], row["position"]),
            row["sequence"],
            "ledger",
            None,
            phase,
            row["amount"],
            row["currency"],
            (row["debit_account_id"], row["credit_account_id"]),
            (row["hold_sequence"], row["hold_position"]) if phase in {"post", "void", "expire"} else None,
        )


def _sequences(tables: Tables) -> Iterator[str]:
    """Events are numbered from one to the book's sequence without a gap, and none shares its identifier."""
    numbers = defaultdict(list)
    for event in tables["event"]:
        numbers[_scope(event)].append(event["sequence"])
    books = {_scope(book): book["sequence"] for book in tables["book"]}
    for scope in books.keys() | numbers.keys():
        if sorted(numbers[scope]) != list(range(1, books.get(scope, 0) + 1)):
            yield f"sequence: the events of {scope} are not numbered from 1 to {books.get(scope)}"
    for identifier, count in Counter(event["event_id"] for event in tables["event"]).items():
        if count > 1:
            yield f"event: {count} share the identifier {identifier}"


def _versions(tables: Tables) -> Iterator[str]:
    """Versions of an object count from one, in the order of the sequence; each has an event and the head."""
    versions = {(_scope(row), row["object_id"], row["version"]): row for row in tables["object_version"]}
    events = {(_scope(event), event["object_id"], event["version"]) for event in tables["event"]}
    moments = {(_scope(event), event["sequence"]) for event in tables["event"]}
    moved = {(_scope(event), event["sequence"], event["object_id"]) for event in tables["event"]}
    whose = changing_with_attempts(tables)
    latest: dict[tuple[Any, ...], Row] = {}
    for (scope, name, version), row in sorted(versions.items(), key=lambda item: item[0][2]):
        before = latest.get((scope, name))
        if version != (1 if before is None else before["version"] + 1):
            yield f"version: {name} has no version {version - 1}"
        elif before is not None and row["sequence"] <= before["sequence"]:
            yield f"version: {name} was written at {row['sequence']} and before at {before['sequence']}"
        elif (scope, row["sequence"]) not in moments:
            yield f"version: {name} was written at {row['sequence']}, where nothing happened"
        latest[scope, name] = row
        is_told = row["kind"] in _TOLD_BY_OTHERS and (scope, row["sequence"]) in moments
        is_told |= any((scope, row["sequence"], owner) in moved for owner in whose.get((scope, name), ()))
        if (scope, name, version) not in events and not is_told:
            yield f"version: no event tells of version {version} of {name}"
    for event in tables["event"]:
        written = versions.get((_scope(event), event["object_id"], event["version"]))
        is_old = written is not None and written["sequence"] < event["sequence"]
        if is_old or (written is None and not event["type"].startswith("ledger.transfer.")):
            yield f"event: {event['type']} at {event['sequence']} is about a version not written by then"
    stands = {
        (number, _scope(row), row[f"{name}_id"]): row["version"]
        for number, name in HEADS.items()
        for row in tables[name]
    }
    wanted = {
        (row["kind"], scope, name): row["version"]
        for (scope, name), row in latest.items()
        if row["kind"] in HEADS
    }
    for key in stands.keys() | wanted.keys():
        if stands.get(key) != wanted.get(key):
            yield f"head: {key} stands at {stands.get(key)} and was written to {wanted.get(key)}"


def _accounts(tables: Tables) -> Iterator[str]:
    """Each currency adds up to zero; no counter is below zero, and no account below its bound."""
    sums: Counter[tuple[Any, ...]] = Counter()
    for account in tables["account"]:
        debits, credits_, debits_pending, credits_pending = (account[name] for name in COUNTERS)
        sums[*_scope(account), account["currency"], "posted"] += credits_ - debits
        sums[*_scope(account), account["currency"], "pending"] += credits_pending - debits_pending
        available = credits_ - debits - debits_pending
        if account["normal_side"] == "D":
            available = debits - credits_ - credits_pending
        least = account["min_balance"]
        if min(account[name] for name in COUNTERS) < 0 or (least is not None and available < least):
            yield f"bound: account {account['account_id']} is below its bound, or a counter is below zero"
    for key, total in sums.items():
        if total != 0:
            yield f"double entry: {key} adds up to {total}"


def _counters(tables: Tables, moves: Sequence[Move]) -> Iterator[str]:
    """Counters are what transfers add up to, and a transfer is between accounts of its own currency."""
    held = {(move.scope, move.name): move.amount for move in moves if move.phase == "hold"}
    totals: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    accounts = {(_scope(account), account["account_id"]): account for account in tables["account"]}
    for move in moves:
        pending = move.amount if move.phase == "hold" else 0
        if move.hold is not None:
            pending = -held.get((move.scope, move.hold), 0)
        for side, identifier in zip(("debits", "credits"), move.accounts, strict=True):
            totals[move.scope, identifier][f"{side}_posted"] += move.posted
            totals[move.scope, identifier][f"{side}_pending"] += pending
            account = accounts.get((move.scope, identifier))
            if account is None or account["currency"] != move.currency:
                yield f"currency: {move.name} moves {move.currency} at {identifier}"
    for key, account in accounts.items():
        moved = {name: totals[key][name] for name in COUNTERS}
        if moved != {name: account[name] for name in COUNTERS}:
            yield f"counters: account {account['account_id']} is not what its transfers add up to, {moved}"


def _places(tables: Tables, moves: Iterable[Move]) -> Iterator[str]:
    """A transfer is at a place in the sequence where something happened. In memory it has none."""
    types = {(_scope(event), event["sequence"]): event["type"] for event in tables["event"]}
    for move in moves:
        if move.sequence is not None:
            happened = types.get((move.scope, move.sequence))
            if happened is None or (move.kind == "ledger" and not happened.startswith("ledger.")):
                yield f"place: {move.name} is at {move.sequence}, where nothing of its kind happened"


def _payments(tables: Tables, moves: Iterable[Move]) -> Iterator[str]:
    """Payments, charges and refunds say what the ledger says, and never more than they may."""
    by_source: Counter[tuple[Any, ...]] = Counter()
    times: Counter[tuple[Any, ...]] = Counter()
    for move in moves:
        by_source[move.scope, move.source, move.kind] += move.posted
        times[move.scope, move.source, move.kind] += 1
    refunded: Counter[tuple[Any, ...]] = Counter()
    succeeded = set()
    for refund in refunds_of_charges(tables):
        key = (_scope(refund), refund["refund_id"], "refund")
        succeeded.add(key)
        came_back = refund["status"] in {"failed", "canceled"}
        if not came_back:
            refunded[_scope(refund), refund["charge_id"]] += refund["amount"]
        if times[key] != 1 or by_source[key] != refund["amount"]:
            yield f"refund: {refund['refund_id']} has not one transfer of its amount"
        back = (*key[:2], "refund_failure")
        if (times[back], by_source[back]) != ((1, refund["amount"]) if came_back else (0, 0)):
            yield f"refund: {refund['refund_id']} came back by other than one transfer of its amount"
    for key in times.keys() - succeeded:
        if key[2] == "refund":
            yield f"refund: a transfer is for {key[1]}, which is no refund"
    yield from disputes.faults(tables, _scope, times, by_source)
    captured: Counter[tuple[Any, ...]] = Counter()
    good: Counter[tuple[Any, ...]] = Counter()
    for charge in tables["charge"]:
        scope, name, amount = _scope(charge), charge["charge_id"], charge["amount_captured"]
        captured[scope, charge["payment_intent_id"]] += amount
        good[scope, charge["payment_intent_id"]] += charge["status"] == "succeeded"
        told = amount, charge["fee"], charge["amount_refunded"]
        moved = (by_source[scope, name, kind] for kind in ("capture", "fee"))
        if told != (*moved, refunded[scope, name]):
            yield f"charge: {name} does not say what its transfers and refunds say"
        # A capture may take a fifth more than was authorized, where the payment asked for that.
        if not charge["amount_refunded"] <= amount <= charge["amount"] * 6 // 5:
            yield f"charge: {name} has more refunded than captured, or captured than can be"
        if charge["captured"] != (amount > 0):
            yield f"charge: {name} is captured without an amount, or the reverse"
    for intent in tables["payment_intent"]:
        own = (_scope(intent), intent["payment_intent_id"])
        status, received, left = intent["status"], intent["amount_received"], intent["amount_capturable"]
        if (
            received != captured[own]
            or good[own] > 1
            or (status in {"succeeded", "requires_capture"} and good[own] != 1)
            or (received > 0 and status not in {"succeeded", "requires_capture"})
            or (received == 0 and status == "succeeded")
            or received + left > intent["amount"] * (5 if left else 6) // 5
            or (left > 0) != (status == "requires_capture")
        ):
            yield f"payment: {intent['payment_intent_id']} ({status}) does not say what its charges say"
