"""What fastpay stores: the immutable state of each object as of one version.

A snapshot in the database holds these structs as arrays, which may end before fields that have their
defaults. Append fields with a default; never move a field, remove it, or change its default or what it means.
`api/resources/` makes what clients see from them. All amounts are in minor units, all times in seconds since
1970 unless the name says otherwise.
"""

from typing import ClassVar, Protocol

import msgspec

from fastpay import limits
from fastpay.domain.bank_accounts import SepaDebit
from fastpay.domain.cards import NO_CARD, Card
from fastpay.domain.options import ChargeExtras, PaymentExtras
from fastpay.errors import NotFound


class Named(Protocol):
    """What an error says about a kind of object. Stored classes and `kinds.Kind` satisfy it."""

    @property
    def noun(self) -> str:
        """The name of such an object in error messages."""

    @property
    def param(self) -> str:
        """The name, in errors, of the part of a path that identifies such an object."""


class StoredObject(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Base of everything that has versions. `prefix` begins its identifiers; `kinds.py` lists all kinds."""

    prefix: ClassVar[str]
    noun: ClassVar[str]
    param: ClassVar[str] = "id"

    id: str
    created: int


class Address(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """A postal address."""

    city: str | None = None
    country: str | None = None
    line1: str | None = None
    line2: str | None = None
    postal_code: str | None = None
    state: str | None = None


class BillingDetails(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """The payer, as the payment method names them."""

    address: Address = Address()
    email: str | None = None
    name: str | None = None
    phone: str | None = None
    tax_id: str | None = None


class Shipping(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """The address that goods are sent to."""

    address: Address = Address()
    carrier: str | None = None
    name: str | None = None
    phone: str | None = None
    tracking_number: str | None = None


class InvoiceSettings(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """A customer's defaults."""

    default_payment_method: str | None = None
    footer: str | None = None


class Cash(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """What a customer transferred from a bank and has not paid with, by currency.

    `reconciliation_mode` None is the merchant's, which is automatic. `waiting` has the payments that wait for
    a bank transfer, each with its payment method.
    """

    available: dict[str, int] = {}
    reconciliation_mode: str | None = None
    waiting: dict[str, str] = {}

    @property
    def is_automatic(self) -> bool:
        """Whether money that arrives pays what waits for it."""
        return self.reconciliation_mode != "manual"


class Customer(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """A payer with stored data."""

    prefix: ClassVar[str] = "cus"
    noun: ClassVar[str] = "customer"

    address: Address | None = None
    balance: int = 0
    deleted: bool = False
    description: str | None = None
    email: str | None = None
    invoice_prefix: str | None = None
    invoice_settings: InvoiceSettings = InvoiceSettings()
    metadata: dict[str, str] = {}
    name: str | None = None
    next_invoice_sequence: int = 1
    phone: str | None = None
    preferred_locales: tuple[str, ...] = ()
    shipping: Shipping | None = None
    tax_exempt: str = "none"
    default_source: str | None = None
    # None until they have any, a payment of theirs waits for a transfer, or its settings are changed.
    cash: Cash | None = None


class PaymentMethod(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """A card, a bank account or a customer's cash balance that can be charged. Its number is never stored.

    `type` says which, and `card` is NO_CARD for all others.
    """

    prefix: ClassVar[str] = "pm"
    noun: ClassVar[str] = "PaymentMethod"
    param: ClassVar[str] = "payment_method"

    card: Card = NO_CARD
    allow_redisplay: str = "unspecified"
    billing_details: BillingDetails = BillingDetails()
    customer: str | None = None
    metadata: dict[str, str] = {}
    # Whether its holder agreed to payments in which they are absent.
    is_set_up: bool = False
    type: str = "card"
    sepa_debit: SepaDebit | None = None


class PaymentError(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Why the last attempt to pay failed."""

    code: str
    message: str
    decline_code: str | None = None
    param: str | None = None
    charge: str | None = None
    payment_method: str | None = None
    type: str = "card_error"
    # Where the request that failed can be looked up, and the code is explained.
    request_log_url: str | None = None
    doc_url: str | None = None


class PaymentIntent(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """One payment, from its creation to the money received."""

    prefix: ClassVar[str] = "pi"
    noun: ClassVar[str] = "payment_intent"
    param: ClassVar[str] = "intent"

    amount: int
    currency: str
    status: str
    client_secret: str
    amount_capturable: int = 0
    amount_received: int = 0
    automatic_payment_methods: bool = True
    allow_redirects: str | None = None
    canceled_at: int | None = None
    cancellation_reason: str | None = None
    capture_method: str = "automatic"
    confirmation_method: str = "automatic"
    customer: str | None = None
    description: str | None = None
    last_payment_error: PaymentError | None = None
    latest_charge: str | None = None
    metadata: dict[str, str] = {}
    payment_method: str | None = None
    payment_method_types: tuple[str, ...] = ("card",)
    receipt_email: str | None = None
    return_url: str | None = None
    setup_future_usage: str | None = None
    shipping: Shipping | None = None
    statement_descriptor: str | None = None
    statement_descriptor_suffix: str | None = None
    transfer_group: str | None = None
    extras: PaymentExtras | None = None
    # The page on which the cardholder authenticates the latest attempt.
    challenge_url: str | None = None


class Charge(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """One attempt to take money, successful or not."""

    prefix: ClassVar[str] = "ch"
    noun: ClassVar[str] = "charge"

    amount: int
    currency: str
    status: str
    payment_intent: str
    payment_method: str
    card: Card
    amount_captured: int = 0
    amount_refunded: int = 0
    balance_transaction: str | None = None
    billing_details: BillingDetails = BillingDetails()
    capture_before: int | None = None
    captured: bool = False
    customer: str | None = None
    description: str | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    fee: int = 0
    funds_available: bool = False
    hold: str | None = None
    metadata: dict[str, str] = {}
    outcome_reason: str | None = None
    outcome_type: str = "authorized"
    receipt_email: str | None = None
    released: bool = False
    risk_level: str = "normal"
    risk_score: int = 20
    shipping: Shipping | None = None
    statement_descriptor: str | None = None
    statement_descriptor_suffix: str | None = None
    transfer_group: str | None = None
    fraud_report: str | None = None
    funds_delay_days: int = limits.funds_delay_days
    extras: ChargeExtras | None = None
    # The latest one, whatever became of it.
    dispute: str | None = None


class Refund(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """Money that is returned to the payer, as a new transfer in the other direction.

    One without a charge returns what the customer transferred and no payment took.
    """

    prefix: ClassVar[str] = "re"
    noun: ClassVar[str] = "refund"

    amount: int
    currency: str
    charge: str | None
    payment_intent: str | None
    status: str
    balance_transaction: str | None = None
    customer: str | None = None
    metadata: dict[str, str] = {}
    payment_method: str | None = None
    reason: str | None = None
    # When the state changes by itself, None if it does not.
    changes_at: int | None = None
    # Until when the cardholder can act, None if that is not asked for.
    expires_at: int | None = None
    failure_balance_transaction: str | None = None
    failure_reason: str | None = None
    instructions_email: str | None = None
    # What came back from the connected account that the payment was passed on to.
    transfer_reversal: str | None = None
    # The type of where the money goes: to the card, to the customer's cash balance, or by a bank transfer.
    destination: str = "card"


def missing(kind: Named, identifier: str, *, param: str | None = None) -> NotFound:
    """Return the error for an object that does not exist, or belongs to another tenant."""
    return NotFound(f"No such {kind.noun}: '{identifier}'", param=param or kind.param)
