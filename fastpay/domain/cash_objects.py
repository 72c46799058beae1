"""What is stored of customers' cash: its transactions, and where to transfer it to."""

from typing import ClassVar

from fastpay.domain.identifiers import digits
from fastpay.domain.objects import StoredObject

# The type of the payment methods that pay with it.
CASH = "customer_balance"
# A view of a customer: the identifier is the customer's, under a prefix of its own. The dialect shows none.
PREFIX = "ccb"
NOUN = "cash balance"


class CashTransaction(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """A change of a customer's cash balance by `net_amount`, after which it was `ending_balance`.

    `bank_transfer` is the type of the transfer that brought it, `reference` what the payer wrote on that.
    """

    prefix: ClassVar[str] = "ccsbtxn"
    noun: ClassVar[str] = "customer cash balance transaction"
    param: ClassVar[str] = "transaction"

    currency: str
    customer: str
    ending_balance: int
    net_amount: int
    type: str
    bank_transfer: str | None = None
    payment_intent: str | None = None
    reference: str | None = None
    refund: str | None = None


class FundingInstructions(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """Where a customer transfers money to. `financial_addresses` is JSON."""

    prefix: ClassVar[str] = "fundinst"
    noun: ClassVar[str] = "funding instructions"

    country: str
    currency: str
    customer: str
    financial_addresses: str = "[]"
    type: str


def balance_of(customer: str) -> str:
    """Return the identifier of a customer's cash balance."""
    return f"{PREFIX}_{digits(customer)}"
