"""What clients of the bank did and were told, and what the database says in the end."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

Payments = Literal["pay", "hold", "capture", "cancel", "refund", "read", "balance"]
Webhooks = Literal["subscribe", "change", "disable", "enable", "rotate", "unsubscribe", "look"]
# A customer pays by bank transfer, and a part of some payments goes on to a connected account.
Sales = Literal["enroll", "connect", "sell", "order", "fund"]
Kind = Payments | Webhooks | Sales
# ok: it was done. refused: it was not, and never will be under this key. unknown: nobody said.
Result = Literal["ok", "refused", "unknown"]

# What each command makes happen, in the order of the events.
EVENTS: dict[str, tuple[str, ...]] = {
    "pay": ("payment_intent.created", "charge.succeeded", "payment_intent.succeeded"),
    "hold": ("payment_intent.created", "charge.succeeded", "payment_intent.amount_capturable_updated"),
    "capture": ("charge.captured", "payment_intent.succeeded"),
    "cancel": ("charge.refunded", "payment_intent.canceled"),
    "refund": ("refund.created", "charge.refunded"),
    "enroll": ("customer.created",),
    "connect": ("ledger.connected_account.created",),
    "sell": ("payment_intent.created", "transfer.created", "charge.succeeded", "payment_intent.succeeded"),
    "order": ("payment_intent.created", "payment_intent.requires_action", "cash_balance.updated"),
    # The bank transfer that pays the order.
    "fund": (
        "customer_cash_balance_transaction.created",
        "customer_cash_balance_transaction.created",
        "transfer.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "cash_balance.updated",
    ),
    "subscribe": ("webhook_endpoint.created",),
    "change": ("webhook_endpoint.updated",),
    "disable": ("webhook_endpoint.updated",),
    "enable": ("webhook_endpoint.updated",),
    "rotate": ("webhook_endpoint.updated",),
    "unsubscribe": ("webhook_endpoint.deleted",),
}
# What the relay reports of endpoints, for which nobody has asked.
REPORTS = frozenset(f"webhook_endpoint.{finding}" for finding in ("failing", "recovered", "disabled"))


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One request: who asked what of whom, when, and what came back.

    Times are nanoseconds of the machine's monotonic clock, the same for all processes. `request_id` names
    the request whose effect was acknowledged: that of the first one where the answer was a replay.
    `answer` tells two responses to one key apart. Of a response that leaves the outcome unknown it has the
    status and the code, and "retry" where the response says that the request may be sent again.
    `progress` is how far a payment was said to have come (see `progress_of`), `balance` what a balance was
    said to be. `hook` names the path of a webhook endpoint (see `hook_of`). It is said to begin behind
    `start`, and `through` is the number up to which everything is said to be delivered. In front of an older
    API `side` says who has answered, and `customer` whose payment it is.
    """

    client: int
    instance: int
    kind: Kind
    invoked_ns: int
    ended_ns: int
    result: Result
    key: str = ""
    payment: str = ""
    amount: int = 0
    request_id: str = ""
    answer: str = ""
    progress: int | None = None
    balance: int | None = None
    hook: str = ""
    endpoint: str = ""
    is_strict: bool = False
    start: int | None = None
    through: int | None = None
    side: str = ""
    customer: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One event as the database has it in the end.

    `key` is what the client wrote into the metadata of the payment or refund that the request made or
    captured; for a cancellation, which takes no metadata, see `cancel_key`, for a bank transfer `fund_key`.
    `amount` is what that object says was paid, held, captured, passed on or given back. Other events have
    neither.
    """

    sequence: int
    request_id: str
    type: str
    key: str = ""
    amount: int = 0


def cancel_key(order: str) -> str:
    """Return the idempotency key under which the hold of an order is canceled."""
    return f"{order} canceled"


def hook_of(order: str) -> str:
    """Return the first part of the path of the webhook endpoint that was made under this key."""
    return order.replace(" ", "_")


def fund_key(order: str) -> str:
    """Return the idempotency key under which the bank transfer for an order comes."""
    return f"{order} funded"


def progress_of(status: str, refunded: int) -> int:
    """Return how far a payment has come, which never goes back: held; taken or canceled; given back."""
    return 0 if status == "requires_capture" else 1 + refunded


def write(path: Path, operations: Iterable[Operation]) -> None:
    """Append to a history."""
    with open(path, "ab") as file:
        file.writelines(msgspec.json.encode(operation) + b"\n" for operation in operations)


def read(path: Path) -> list[Operation]:
    """Return a history in the order in which it was written."""
    decoder = msgspec.json.Decoder(Operation)
    return [decoder.decode(line) for line in path.read_bytes().splitlines()]
