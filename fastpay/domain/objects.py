"""What fastpay keeps: the immutable state of each object as of one version.

These structs are what a snapshot in the database holds, as arrays: fields may be appended with a default,
but never moved, renamed in meaning or taken away. What a client sees is made from them in `api/rendering`.
All amounts are minor units, all moments seconds since 1970 unless the name says otherwise.
"""

import msgspec

from fastpay import limits
from fastpay.domain.cards import Card
from fastpay.domain.ledger_objects import LedgerAccount, LedgerBatch, LedgerTransfer


class Address(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """A postal address."""

    city: str | None = None
    country: str | None = None
    line1: str | None = None
    line2: str | None = None
    postal_code: str | None = None
    state: str | None = None


class BillingDetails(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Who pays, as the payment method says."""

    address: Address = Address()
    email: str | None = None
    name: str | None = None
    phone: str | None = None
    tax_id: str | None = None


class Shipping(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Where goods go."""

    address: Address = Address()
    carrier: str | None = None
    name: str | None = None
    phone: str | None = None
    tracking_number: str | None = None


class InvoiceSettings(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """A customer's defaults."""

    default_payment_method: str | None = None
    footer: str | None = None


class Customer(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Somebody who pays more than once."""

    id: str
    created: int
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


class PaymentMethod(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """A card that can be charged. The number itself is never kept."""

    id: str
    created: int
    card: Card
    allow_redisplay: str = "unspecified"
    billing_details: BillingDetails = BillingDetails()
    customer: str | None = None
    metadata: dict[str, str] = {}


class PaymentError(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Why the last attempt to pay failed."""

    code: str
    message: str
    decline_code: str | None = None
    param: str | None = None
    charge: str | None = None
    payment_method: str | None = None
    type: str = "card_error"


class PaymentIntent(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """One purchase, from the wish to pay to the money received."""

    id: str
    created: int
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


class Charge(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """One attempt to take money, successful or not."""

    id: str
    created: int
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


class Refund(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Money given back, as a new movement opposite to the first."""

    id: str
    created: int
    amount: int
    currency: str
    charge: str
    payment_intent: str
    status: str
    balance_transaction: str | None = None
    customer: str | None = None
    metadata: dict[str, str] = {}
    payment_method: str | None = None
    reason: str | None = None


StoredObject = (
    Customer | PaymentMethod | PaymentIntent | Charge | Refund | LedgerAccount | LedgerTransfer | LedgerBatch
)

# The number that stands for a kind in the database. Numbers are never given twice. Transfers of the ledger
# have none: they are rows of a table of their own, and no snapshots.
KINDS: dict[str, tuple[int, type[StoredObject]]] = {
    "cus": (1, Customer),
    "pm": (2, PaymentMethod),
    "pi": (3, PaymentIntent),
    "ch": (4, Charge),
    "re": (5, Refund),
    "lacc": (6, LedgerAccount),
    "lbat": (7, LedgerBatch),
}
TYPES: dict[int, type[StoredObject]] = dict(KINDS.values())


def prefix_of(identifier: str) -> str:
    """Return the part of an identifier that names its kind."""
    return identifier.partition("_")[0]


def kind_of(stored: StoredObject) -> int:
    """Return the number of the kind of an object."""
    return KINDS[prefix_of(stored.id)][0]
