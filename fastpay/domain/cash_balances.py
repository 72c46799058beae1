"""Commands on customers' cash balances, which bank transfers fill."""

from collections.abc import Iterable

import msgspec

from fastpay.domain import bank_payments, bank_transfers, customers, destinations, money, processing
from fastpay.domain.cash_objects import FundingInstructions
from fastpay.domain.objects import Cash, Customer, PaymentIntent, PaymentMethod
from fastpay.domain.payment_intents import refuse_state
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import InsufficientFunds, InvalidRequest


class UpdateCashBalance(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Say how money that arrives is applied to payments: `reconciliation_mode`, None for the merchant's."""

    customer: str
    reconciliation_mode: str | None = None
    # Whether the request gives a mode: without one, nothing changes.
    is_given: bool = True

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        found = workspace.find(self.customer)
        needed = [self.customer]
        if isinstance(found, Customer) and found.cash is not None:
            for currency in found.cash.available:
                needed += bank_payments.needs(workspace, self.customer, currency)
        return needed

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the customer. Money that is there pays what waits for it, if the mode is automatic now."""
        customer = customers.require(workspace, self.customer)
        if self.is_given:
            cash = msgspec.structs.replace(
                customer.cash or Cash(), reconciliation_mode=self.reconciliation_mode
            )
            changed = msgspec.structs.replace(customer, cash=cash)
            for currency in sorted(cash.available):
                changed = bank_payments.reconcile(workspace, draft, changed, currency)
            draft.put(changed, "cash_balance.updated")
        return customer.id


class FundCashBalance(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Receive a bank transfer of a customer. Only test mode can: in live mode the bank sends them."""

    customer: str
    amount: int
    currency: str
    reference: str | None = None

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return bank_payments.needs(workspace, self.customer, self.currency)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Add the money to the balance, and pay what waits for it."""
        customer = customers.require(workspace, self.customer)
        processing.check_processor(workspace)
        transfer = bank_transfers.type_of(self.currency)
        changed, transaction = bank_payments.move(
            draft,
            customer,
            self.currency,
            self.amount,
            "funded",
            bank_transfer=transfer,
            reference=self.reference,
        )
        changed = bank_payments.reconcile(workspace, draft, changed, self.currency, reference=self.reference)
        draft.put(changed, bank_payments.funded_event(changed, self.currency))
        return transaction


class ApplyCashBalance(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Apply a customer's cash to a payment that waits for it: `amount`, or all that is missing."""

    id: str
    amount: int | None = None
    currency: str | None = None

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load. A loaded payment names its customer."""
        intent = workspace.find(self.id)
        if not isinstance(intent, PaymentIntent):
            return (self.id,)
        references = [name for name in (intent.customer, intent.payment_method) if name is not None]
        accounts = bank_payments.account_needs(workspace, intent.customer, intent.currency)
        passed_on = destinations.needs(workspace, intent.extras, intent.currency)
        return (self.id, *references, *accounts, *passed_on)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Apply the money. Raises: InvalidRequest, InsufficientFunds."""
        intent = workspace.require(PaymentIntent, self.id)
        awaited = bank_payments.awaited_by(intent)
        if awaited is None:
            refuse_state(draft, intent, "apply the customer's cash balance to")
            return intent.id
        if self.currency not in {None, intent.currency}:
            raise InvalidRequest(
                f"The currency of this PaymentIntent is {intent.currency}.", param="currency"
            )
        remaining = awaited.amount_remaining
        too_large = f"This PaymentIntent waits for {remaining}, so no more can be applied to it."
        amount = money.part_of(remaining, self.amount, too_large)
        customer = customers.require(workspace, intent.customer or "", param="customer")
        available = bank_payments.available_of(customer, intent.currency)
        if available < amount:
            raise InsufficientFunds(
                f"The customer's cash balance has {available} {intent.currency}, and {amount} are needed.",
                param="amount",
            )
        method = workspace.require(PaymentMethod, intent.payment_method or "")
        changed = bank_payments.apply(workspace, draft, customer, intent, amount, method)
        draft.put(changed, "cash_balance.updated")
        return intent.id


class CreateFundingInstructions(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Say where a customer transfers money to."""

    customer: str
    bank_transfer: str
    currency: str
    country: str | None = None
    requested_address_types: tuple[str, ...] | None = None

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return (self.customer,)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the instructions."""
        customer = customers.require(workspace, self.customer)
        country = bank_transfers.country_of(self.bank_transfer, self.country)
        made = FundingInstructions(
            id=draft.new_id(FundingInstructions.prefix),
            created=draft.moment_s,
            country=country,
            currency=self.currency,
            customer=customer.id,
            financial_addresses=bank_transfers.addresses(
                customer.id, self.bank_transfer, country, self.requested_address_types
            ),
            type=self.bank_transfer,
        )
        draft.put(made, "funding_instructions.created")
        return made.id
