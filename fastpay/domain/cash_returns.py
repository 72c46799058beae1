"""Returns of customers' cash: refunds of what bank transfers brought and no payment took.

    pending, requires_action -> succeeded, failed, canceled

The money leaves the customer's cash balance with the refund, and comes back if the refund fails or is
canceled. The tenant's own balance is not touched, so there is no balance transaction.
"""

from collections.abc import Iterable, Mapping

import msgspec

from fastpay.domain import bank_payments, bank_transfers, customers, processing
from fastpay.domain import metadata as metadata_rules
from fastpay.domain.objects import Refund
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import InsufficientFunds

# How long a customer can say which bank account the money goes to.
ACTION_VALID_S = 45 * 24 * 3600


class ReturnCash(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Send an amount of a customer's cash back to their bank account.

    The account is that of their transfer, and test mode sends the money `delay_s` later. A customer with
    `instructions_email` is asked for another account first.
    """

    customer: str
    amount: int
    currency: str
    reason: str | None = None
    metadata: Mapping[str, str] = {}
    instructions_email: str | None = None
    delay_s: int = 0

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return (self.customer, *bank_payments.account_needs(workspace, self.customer, self.currency))

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Take the money from the balance and write the refund. Raises: InvalidRequest, InsufficientFunds."""
        customer = customers.require(workspace, self.customer, param="customer")
        processing.check_processor(workspace)
        transfer = bank_transfers.type_of(self.currency)
        available = bank_payments.available_of(customer, self.currency)
        if available < self.amount:
            raise InsufficientFunds(
                f"The customer's cash balance has {available} {self.currency}, and {self.amount} are needed.",
                param="amount",
            )
        asks = self.instructions_email is not None
        refund = Refund(
            id=draft.new_id(Refund.prefix),
            created=draft.moment_s,
            amount=self.amount,
            currency=self.currency,
            charge=None,
            payment_intent=None,
            status="requires_action" if asks else "pending",
            customer=customer.id,
            metadata=metadata_rules.merge({}, self.metadata),
            reason=self.reason,
            changes_at=None if asks else draft.moment_s + self.delay_s,
            expires_at=draft.moment_s + ACTION_VALID_S if asks else None,
            instructions_email=self.instructions_email,
            destination=transfer,
        )
        changed, _ = bank_payments.move(
            draft, customer, self.currency, -self.amount, "return_initiated", refund=refund.id
        )
        draft.put(refund, "refund.created")
        draft.put(changed, "cash_balance.updated")
        return refund.id


def needs(workspace: Workspace, refund: Refund) -> list[str]:
    """Return what must be loaded to take a refund of cash back."""
    return bank_payments.needs(workspace, refund.customer, refund.currency)


def take_back(workspace: Workspace, draft: Draft, refund: Refund) -> None:
    """Add the money of a refund to the customer's cash balance again. It pays what waits for it."""
    # A customer who ever had cash is not deleted.
    customer = customers.require(workspace, refund.customer or "")
    customer, _ = bank_payments.move(
        draft, customer, refund.currency, refund.amount, "return_canceled", refund=refund.id
    )
    customer = bank_payments.reconcile(workspace, draft, customer, refund.currency)
    draft.put(customer, bank_payments.funded_event(customer, refund.currency))
