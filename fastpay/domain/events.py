"""Events: which changes clients hear of, and what an event shows of its object.

Every change has a number in the tenant's sequence. Clients see those for which the dialect has a type. A
change of another type, such as a new payment method that is attached to nobody, only takes a number.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from fastpay.domain.objects import Charge, PaymentIntent, StoredObject
from fastpay.domain.setup_objects import SetupIntent

# Almost every payment writes these. There is no index by type that has them, so that no payment pays for it.
FREQUENT = frozenset(("charge.succeeded", "payment_intent.created", "payment_intent.succeeded"))
# What the dialect defines and what happens here, by type.
TYPES = FREQUENT | {
    "application_fee.created",
    "application_fee.refund.updated",
    "application_fee.refunded",
    "attempt.resolved",
    "attempt.review_opened",
    "balance.available",
    "cash_balance.funds_available",
    "charge.captured",
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.expired",
    "charge.failed",
    "charge.pending",
    "charge.refund.updated",
    "charge.refunded",
    "charge.updated",
    "customer.created",
    "customer.deleted",
    "customer.source.created",
    "customer.source.deleted",
    "customer.source.updated",
    "customer.updated",
    "customer_cash_balance_transaction.created",
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "payment_intent.partially_funded",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_method.attached",
    "payment_method.detached",
    "payment_method.updated",
    "payout.canceled",
    "payout.created",
    "payout.failed",
    "payout.paid",
    "payout.reconciliation_completed",
    "payout.updated",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "setup_intent.canceled",
    "setup_intent.created",
    "setup_intent.requires_action",
    "setup_intent.setup_failed",
    "setup_intent.succeeded",
    "transfer.created",
    "transfer.reversed",
    "transfer.updated",
    "webhook_endpoint.disabled",
    "webhook_endpoint.failing",
    "webhook_endpoint.ping",
    "webhook_endpoint.recovered",
}
# Written for the sequence alone: clients never see them.
UNSEEN = frozenset(
    (
        "attempt.created",
        "attempt.updated",
        "cash_balance.updated",
        "charge.transferred",
        "funding_instructions.created",
        "ledger.balance.updated",
        "ledger.connected_account.created",
        "ledger.account.created",
        "ledger.batch.created",
        "ledger.transfer.created",
        "ledger.transfer.expired",
        "ledger.transfer.posted",
        "ledger.transfer.voided",
        "object.imported",
        "payment_intent.updated",
        "payment_method.created",
        "settlement.closed",
        "settlement.created",
        "settlement.updated",
        "setup_intent.updated",
        "token.created",
        "confirmation_token.created",
        "webhook_endpoint.created",
        "webhook_endpoint.deleted",
        "webhook_endpoint.updated",
        "webhook_replay.created",
    )
)
# Events of these types say what the changed attributes were before.
UPDATES = frozenset(
    (
        "application_fee.refund.updated",
        "application_fee.refunded",
        "charge.captured",
        "charge.dispute.updated",
        "charge.refund.updated",
        "charge.refunded",
        "charge.updated",
        "customer.source.updated",
        "customer.updated",
        "payment_method.detached",
        "payment_method.updated",
        "payout.updated",
        "refund.updated",
        "transfer.reversed",
        "transfer.updated",
    )
)
# The object of such an event is the version before: of the one that was written nothing is left to show.
DELETIONS = frozenset(("customer.deleted", "customer.source.deleted"))
WITH_PREVIOUS = UPDATES | DELETIONS
# The object of such an event is a payment method, shown as a source of its customer.
SOURCES = frozenset(("customer.source.created", "customer.source.deleted", "customer.source.updated"))
# The object of such an event is a customer, shown as their cash balance.
CASH_BALANCES = frozenset(("cash_balance.funds_available",))
# What such events show depends on more than the object as it was written, or is another one.
SPECIAL = WITH_PREVIOUS | SOURCES | CASH_BALANCES
# A charge is disputed after these.
_BEFORE_DISPUTES = frozenset(("charge.captured", "charge.succeeded"))
# Their command may have done more with the object, and `as_of` undoes it.
BEFORE_MORE = _BEFORE_DISPUTES | {"payment_intent.created", "setup_intent.created"}
assert not TYPES & UNSEEN
assert WITH_PREVIOUS <= TYPES

# JSON: what the attributes of an object hold is not looked into.
_Attributes = Mapping[str, Any]


class RecordedEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An event as it is stored. `created` is in seconds; `sequence` is its number in the tenant's sequence.

    `request_id` and `idempotency_key` are those of the request that caused it. They are None if time did.
    """

    id: str
    type: str
    created: int
    sequence: int
    object_id: str
    version: int
    request_id: str | None = None
    idempotency_key: str | None = None
    pending_webhooks: int = 0


def matching(pattern: str) -> frozenset[str]:
    """Return the types that a pattern means: one type, a group such as `charge.*`, or `*` for all."""
    if pattern.endswith("*"):
        return frozenset(name for name in TYPES if name.startswith(pattern[:-1]))
    return TYPES & {pattern}


def as_of(event_type: str, stored: StoredObject, before: StoredObject | None = None) -> StoredObject:
    """Return the object as it was when this event happened, given the version that its command wrote.

    One command may create a payment and confirm it, or capture a charge that is disputed at once. It writes
    one version, and several events. The same is true of a setup. `before` is the version before, if the
    event says what it was.
    """
    if event_type in _BEFORE_DISPUTES and isinstance(stored, Charge) and stored.dispute is not None:
        return msgspec.structs.replace(stored, dispute=before.dispute if isinstance(before, Charge) else None)
    if event_type == "payment_intent.created" and isinstance(stored, PaymentIntent):
        return _before_confirmation(stored)
    if event_type == "setup_intent.created" and isinstance(stored, SetupIntent):
        return _before_setup(stored)
    return stored


def _before_confirmation(stored: PaymentIntent) -> PaymentIntent:
    if stored.latest_charge is None and stored.status not in {"processing", "requires_action"}:
        return stored
    extras = stored.extras
    if extras is not None and extras.awaited is not None:
        extras = msgspec.structs.replace(extras, awaited=None)
    return msgspec.structs.replace(
        stored,
        status="requires_payment_method",
        amount_capturable=0,
        amount_received=0,
        extras=extras,
        last_payment_error=None,
        latest_charge=None,
        payment_method=None,
    )


def _before_setup(stored: SetupIntent) -> SetupIntent:
    if stored.latest_attempt is None:
        return stored
    return msgspec.structs.replace(
        stored,
        status="requires_payment_method",
        last_setup_error=None,
        latest_attempt=None,
        mandate=None,
        payment_method=None,
        single_use_mandate=None,
    )


def previous_attributes(before: _Attributes, after: _Attributes) -> dict[str, Any]:
    """Return the attributes that differ, as they were before. Both are rendered objects.

    Of a nested object only the keys that differ are shown; a key that was not there is null. They are in the
    order of the objects: all instances have to send the same bytes.
    """
    changed: dict[str, Any] = {}
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            changed[name] = previous_attributes(old, new)
        else:
            changed[name] = old
    return changed
