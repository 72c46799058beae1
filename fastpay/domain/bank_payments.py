"""Payments from customers' cash balances, which bank transfers fill.

    requires_confirmation -> requires_action -> succeeded, once transfers have paid all of it
                          -> succeeded, if the balance has enough

What is applied to a payment leaves the customer's account of the ledger for `applied_cash`, and comes back if
the payment is canceled. A payment that has its whole amount takes it from there through `processor`, as if it
arrived now: so its capture, its fee, its refunds and what it passes on are those of any payment.
"""

from collections.abc import Mapping

import msgspec

from fastpay import limits
from fastpay.domain import bank_transfers, charging, customers, destinations, ledger, processing
from fastpay.domain.cards import BEHAVIOURS
from fastpay.domain.cash_objects import CASH, CashTransaction
from fastpay.domain.charging import Terms
from fastpay.domain.identifiers import digits
from fastpay.domain.objects import Cash, Charge, Customer, PaymentIntent, PaymentMethod
from fastpay.domain.options import AwaitedTransfer, CashOptions, ChargeExtras, PaymentExtras
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import InvalidRequest, UnexpectedState

# The fields of a payment that an attempt looks at, and the options. A change of one needs a new attempt.
ATTEMPTED = frozenset(
    ("amount", "capture_method", "currency", "customer", "payment_method_types", "setup_future_usage")
)
ATTEMPTED_OPTIONS = frozenset(("allowed_payment_method_types", "cash", "excluded_payment_method_types"))

_CUSTOMER = ""
# The accounts that each type of transaction moves money between, with the kind of the transfer.
_MOVES: Mapping[str, tuple[str, str, str]] = {
    "applied_to_payment": ("cash_applied", _CUSTOMER, "applied_cash"),
    "funded": ("cash_funded", "processor", _CUSTOMER),
    "refunded_from_payment": ("cash_refunded", "processor", _CUSTOMER),
    "return_canceled": ("cash_return_canceled", "processor", _CUSTOMER),
    "return_initiated": ("cash_returned", _CUSTOMER, "processor"),
    "unapplied_from_payment": ("cash_unapplied", "applied_cash", _CUSTOMER),
}


def account_needs(workspace: Workspace, customer: str | None, currency: str) -> list[str]:
    """Return the accounts that money of a customer moves between."""
    if customer is None:
        return []
    own = ledger.ids_of(workspace.scope, currency, customer, "applied_cash")
    return [*own, *ledger.account_ids(workspace.scope, currency)]


def needs(workspace: Workspace, customer: str | None, currency: str) -> list[str]:
    """Return what must be loaded to add to a customer's cash, which pays what waits for it.

    A loaded customer names what waits, and a loaded payment the account that it goes on to.
    """
    if customer is None:
        return []
    needed = [customer, *account_needs(workspace, customer, currency)]
    found = workspace.find(customer)
    if isinstance(found, Customer) and found.cash is not None:
        for name, method in found.cash.waiting.items():
            needed += (name, method)
            intent = workspace.find(name)
            if isinstance(intent, PaymentIntent):
                needed += destinations.needs(workspace, intent.extras, intent.currency)
    return needed


def awaited_by(intent: PaymentIntent) -> AwaitedTransfer | None:
    """Return the bank transfer that a payment waits for, None if it does not."""
    return None if intent.extras is None else intent.extras.awaited


def attempt(
    workspace: Workspace,
    draft: Draft,
    intent: PaymentIntent,
    *,
    method: PaymentMethod,
    is_new: bool,
    terms: Terms,
) -> None:
    """Pay with what the customer has, as far as it goes, and wait for a bank transfer of the rest.

    Raises: InvalidRequest if the payment cannot be one by bank transfer.
    """
    processing.check_processor(workspace)
    customer = _check(workspace, intent)
    if is_new:
        draft.put(method, None)
    intent = destinations.grouped(intent)
    kept, options = intent.extras or PaymentExtras(), _options(intent)
    earlier = kept.awaited
    remaining = intent.amount if earlier is None else earlier.amount_remaining
    cash = customer.cash or Cash()
    available = min(cash.available.get(intent.currency, 0), remaining) if cash.is_automatic else 0
    waits = available < remaining
    if waits:
        _check_may_wait(customer, intent, options, terms)
    transfer = options.type or bank_transfers.OF_CURRENCY[intent.currency]
    country = bank_transfers.country_of(transfer, options.country)
    awaited = AwaitedTransfer(
        amount_remaining=remaining,
        currency=intent.currency,
        financial_addresses=bank_transfers.addresses(
            customer.id, transfer, country, options.requested_address_types
        ),
        reference=bank_transfers.reference(intent.id),
        type=transfer,
    )
    types = intent.payment_method_types
    waiting = msgspec.structs.replace(
        intent,
        status="requires_action",
        challenge_url=None,
        extras=msgspec.structs.replace(kept, awaited=awaited, next_attempt=None),
        last_payment_error=None,
        payment_method=method.id,
        payment_method_types=types if CASH in types else (*types, CASH),
    )
    changed = customer
    if waits:
        draft.put(waiting, "payment_intent.requires_action")
        changed = _with_waiting(changed, {**_others(changed, intent.id), intent.id: method.id})
    if available:
        changed = apply(workspace, draft, changed, waiting, available, method)
    if changed != customer:
        draft.put(changed, "cash_balance.updated")


def apply(
    workspace: Workspace,
    draft: Draft,
    customer: Customer,
    intent: PaymentIntent,
    amount: int,
    method: PaymentMethod,
) -> Customer:
    """Apply an amount to a payment that waits, which succeeds if nothing is missing then.

    The caller writes the returned customer.
    """
    awaited = awaited_by(intent)
    assert awaited is not None
    assert amount <= awaited.amount_remaining
    customer, _ = move(
        draft, customer, intent.currency, -amount, "applied_to_payment", payment_intent=intent.id
    )
    left = awaited.amount_remaining - amount
    if left:
        less = msgspec.structs.replace(awaited, amount_remaining=left)
        draft.put(_with_awaited(intent, less), "payment_intent.partially_funded")
        return customer
    _succeed(workspace, draft, intent, method)
    return _with_waiting(customer, _others(customer, intent.id))


def reconcile(
    workspace: Workspace, draft: Draft, customer: Customer, currency: str, *, reference: str | None = None
) -> Customer:
    """Pay what waits for the customer's money: first what a transfer's reference names, then the oldest.

    Do nothing if the merchant applies it by hand. The caller writes the returned customer.
    """
    if customer.cash is None or not customer.cash.is_automatic:
        return customer
    found = [draft.changed(name) or workspace.find(name) for name in customer.cash.waiting]
    waiting = [
        (awaited.reference != reference, digits(intent.id), intent, awaited.amount_remaining)
        for intent in found
        if isinstance(intent, PaymentIntent)
        and (awaited := awaited_by(intent)) is not None
        and intent.currency == currency
    ]
    for _, _, intent, remaining in sorted(waiting, key=lambda one: one[:2]):
        amount = min(available_of(customer, currency), remaining)
        if amount == 0:
            break
        method = workspace.find(intent.payment_method or "")
        assert isinstance(method, PaymentMethod)
        customer = apply(workspace, draft, customer, intent, amount, method)
    return customer


def available_of(customer: Customer, currency: str) -> int:
    """Return what a customer can pay with."""
    return 0 if customer.cash is None else customer.cash.available.get(currency, 0)


def stop_waiting(workspace: Workspace, draft: Draft, intent: PaymentIntent) -> PaymentIntent:
    """Return a payment that no longer waits for a bank transfer, and write its customer.

    Raises: UnexpectedState if money was applied to it.
    """
    awaited = awaited_by(intent)
    assert awaited is not None
    if awaited.amount_remaining < intent.amount:
        raise UnexpectedState(
            "The customer's cash is applied to a part of this PaymentIntent, so its amount, currency, "
            "customer, payment method and their options cannot change. Cancel it to return the money to the "
            "cash balance.",
            param="payment_method",
        )
    customer = workspace.require(Customer, intent.customer or "")
    draft.put(_with_waiting(customer, _others(customer, intent.id)), "cash_balance.updated")
    return msgspec.structs.replace(_with_awaited(intent, None), status="requires_confirmation")


def give_back(workspace: Workspace, draft: Draft, intent: PaymentIntent) -> PaymentIntent:
    """Return a canceled payment without what it waits for. What was applied goes back to the customer."""
    awaited = awaited_by(intent)
    assert awaited is not None
    customer = workspace.require(Customer, intent.customer or "")
    customer = _with_waiting(customer, _others(customer, intent.id))
    applied = intent.amount - awaited.amount_remaining
    if applied:
        customer, _ = move(
            draft, customer, intent.currency, applied, "unapplied_from_payment", payment_intent=intent.id
        )
        customer = reconcile(workspace, draft, customer, intent.currency)
    draft.put(customer, "cash_balance.updated")
    return _with_awaited(intent, None)


def refund_needs(workspace: Workspace, charge: Charge) -> list[str]:
    """Return what must be loaded to refund a charge to a cash balance, nothing for other charges."""
    return needs(workspace, charge.customer, charge.currency) if is_paid_by_cash(charge) else []


def is_paid_by_cash(charge: Charge) -> bool:
    """Tell whether a charge was paid from a cash balance."""
    return charge.extras is not None and charge.extras.method == CASH


def refund(workspace: Workspace, draft: Draft, charge: Charge, amount: int, refund_id: str) -> None:
    """Add what a refund returned to the customer's cash balance. It pays what waits for it."""
    customer = workspace.require(Customer, charge.customer or "")
    customer, _ = move(
        draft,
        customer,
        charge.currency,
        amount,
        "refunded_from_payment",
        payment_intent=charge.payment_intent,
        refund=refund_id,
    )
    customer = reconcile(workspace, draft, customer, charge.currency)
    draft.put(customer, funded_event(customer, charge.currency))


def funded_event(customer: Customer, currency: str) -> str:
    """Return the type of the event for money that arrived: clients hear of what is left for them to use."""
    return "cash_balance.funds_available" if available_of(customer, currency) else "cash_balance.updated"


def move(
    draft: Draft, customer: Customer, currency: str, net_amount: int, kind: str, **fields: str | None
) -> tuple[Customer, str]:
    """Change what a customer has, and return them with the transaction. The caller writes the customer."""
    cash = customer.cash or Cash()
    ending = cash.available.get(currency, 0) + net_amount
    transaction = CashTransaction(
        id=draft.new_id(CashTransaction.prefix),
        created=draft.moment_s,
        currency=currency,
        customer=customer.id,
        ending_balance=ending,
        net_amount=net_amount,
        type=kind,
        **fields,
    )
    transfer, debit, credit = _MOVES[kind]
    draft.transfer(
        transfer,
        debit=debit or customer.id,
        credit=credit or customer.id,
        currency=currency,
        amount=abs(net_amount),
        source_id=transaction.id,
    )
    draft.put(transaction, "customer_cash_balance_transaction.created")
    available = {**cash.available, currency: ending}
    changed = msgspec.structs.replace(cash, available=available)
    return msgspec.structs.replace(customer, cash=changed), transaction.id


def _succeed(workspace: Workspace, draft: Draft, intent: PaymentIntent, method: PaymentMethod) -> None:
    kept = intent.extras or PaymentExtras()
    extras = ChargeExtras(
        method=CASH,
        level3=kept.level3,
        radar_options=kept.radar_options,
        application_fee_amount=kept.application_fee_amount,
        destination=kept.destination,
        on_behalf_of=kept.on_behalf_of,
        transfer_amount=kept.transfer_amount,
    )
    charge = charging.new_charge(draft, intent, method, BEHAVIOURS[method.card.behaviour], extras)
    draft.transfer(
        "cash_paid",
        debit="applied_cash",
        credit="processor",
        currency=charge.currency,
        amount=charge.amount,
        source_id=charge.id,
    )
    draft.put(charging.capture(workspace, draft, charge, amount=charge.amount), "charge.succeeded")
    paid = msgspec.structs.replace(
        _with_awaited(intent, None),
        status="succeeded",
        amount_received=intent.amount,
        latest_charge=charge.id,
    )
    draft.put(paid, "payment_intent.succeeded")


def _check(workspace: Workspace, intent: PaymentIntent) -> Customer:
    """Return the customer who pays. Raises: InvalidRequest if it cannot be a payment by bank transfer."""
    if intent.customer is None:
        raise InvalidRequest(
            f"A payment by {CASH} takes a customer's cash. Give the customer in the customer parameter.",
            code="parameter_missing",
            param="customer",
        )
    transfer = _options(intent).type
    wanted = None if transfer is None else bank_transfers.CURRENCIES[transfer]
    if intent.currency not in bank_transfers.OF_CURRENCY or wanted not in {None, intent.currency}:
        allowed = wanted or ", ".join(sorted(bank_transfers.OF_CURRENCY))
        raise InvalidRequest(
            f"The currency {intent.currency} is invalid for {transfer or CASH}, which takes {allowed} only.",
            code="payment_intent_incompatible_payment_method",
            param="currency",
        )
    if intent.capture_method == "manual":
        raise InvalidRequest(
            f"A payment by {CASH} cannot be captured later. Use capture_method=automatic.",
            code="payment_intent_incompatible_payment_method",
            param="capture_method",
        )
    if intent.setup_future_usage is not None:
        raise InvalidRequest(
            f"A payment method of type {CASH} is not saved. Leave setup_future_usage out.",
            code="payment_intent_incompatible_payment_method",
            param="setup_future_usage",
        )
    return customers.require(workspace, intent.customer, param="customer")


def _check_may_wait(customer: Customer, intent: PaymentIntent, options: CashOptions, terms: Terms) -> None:
    if options.funding_type is None:
        raise InvalidRequest(
            "The customer's cash balance is smaller than the amount. To wait for a bank transfer, give "
            "payment_method_options[customer_balance][funding_type]=bank_transfer.",
            code="payment_intent_incompatible_payment_method",
            param="payment_method_options[customer_balance][funding_type]",
        )
    if terms.error_on_requires_action:
        raise InvalidRequest(
            "The customer's cash balance is smaller than the amount, so this payment would wait for a bank "
            "transfer, but `error_on_requires_action` was set.",
            code="payment_intent_payment_attempt_failed",
        )
    if len(_others(customer, intent.id)) >= limits.cash_waiting_max:
        raise InvalidRequest(
            f"At most {limits.cash_waiting_max} payments of a customer can wait for a bank transfer. Cancel "
            "one.",
            param="customer",
        )


def _options(intent: PaymentIntent) -> CashOptions:
    return (intent.extras and intent.extras.cash) or CashOptions()


def _others(customer: Customer, intent: str) -> dict[str, str]:
    """Return the payments that wait, without this one, each with its payment method."""
    waiting = {} if customer.cash is None else customer.cash.waiting
    return {one: method for one, method in waiting.items() if one != intent}


def _with_waiting(customer: Customer, waiting: dict[str, str]) -> Customer:
    cash = msgspec.structs.replace(customer.cash or Cash(), waiting=waiting)
    return msgspec.structs.replace(customer, cash=cash)


def _with_awaited(intent: PaymentIntent, awaited: AwaitedTransfer | None) -> PaymentIntent:
    assert intent.extras is not None
    return msgspec.structs.replace(intent, extras=msgspec.structs.replace(intent.extras, awaited=awaited))
