"""What fastpay stores of payment methods that are set up for later: setup intents, their attempts, mandates.

The rules for snapshots in `objects.py` hold here too.
"""

from typing import ClassVar

import msgspec

from fastpay.domain.cards import Card
from fastpay.domain.objects import StoredObject


class SetupError(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Why the last attempt to set up a payment method failed."""

    code: str
    message: str
    decline_code: str | None = None
    param: str | None = None
    payment_method: str | None = None
    type: str = "card_error"
    # Where the request that failed can be looked up, and the code is explained.
    request_log_url: str | None = None
    doc_url: str | None = None


class SetupIntent(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """The process of saving a payment method for later payments, without a payment."""

    prefix: ClassVar[str] = "seti"
    noun: ClassVar[str] = "setupintent"
    param: ClassVar[str] = "intent"

    status: str
    client_secret: str
    allow_redirects: str | None = None
    attach_to_self: bool = False
    automatic_payment_methods: bool = True
    cancellation_reason: str | None = None
    customer: str | None = None
    description: str | None = None
    flow_directions: tuple[str, ...] | None = None
    last_setup_error: SetupError | None = None
    latest_attempt: str | None = None
    mandate: str | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    payment_method: str | None = None
    payment_method_types: tuple[str, ...] = ("card",)
    request_three_d_secure: str = "automatic"
    return_url: str | None = None
    single_use_mandate: str | None = None
    usage: str = "off_session"
    # The page on which the cardholder authenticates the latest attempt.
    challenge_url: str | None = None
    # The connected account that it is for. Only shown.
    on_behalf_of: str | None = None
    allowed_payment_method_types: tuple[str, ...] | None = None
    excluded_payment_method_types: tuple[str, ...] | None = None


class SetupAttempt(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """One attempt to set up a payment method of the type `method`.

    `three_d_secure` is the result of an authentication. `order` is the attempt at a processor that carries it
    out in live mode.
    """

    prefix: ClassVar[str] = "setatt"
    noun: ClassVar[str] = "setupattempt"

    card: Card
    payment_method: str
    setup_intent: str
    status: str
    attach_to_self: bool = False
    customer: str | None = None
    flow_directions: tuple[str, ...] | None = None
    setup_error: SetupError | None = None
    three_d_secure: str | None = None
    usage: str = "off_session"
    method: str = "card"
    on_behalf_of: str | None = None
    order: str | None = None


class CustomerAcceptance(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """How and when a customer accepted a mandate: "online" with address and browser, or "offline"."""

    type: str
    accepted_at: int | None = None
    ip_address: str | None = None
    user_agent: str | None = None


class Mandate(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """A customer's permission to charge a payment method. With an `amount`, it is good for one payment.

    `method` is the type of the payment method.
    """

    prefix: ClassVar[str] = "mandate"
    noun: ClassVar[str] = "mandate"
    param: ClassVar[str] = "mandate"

    acceptance: CustomerAcceptance
    payment_method: str
    amount: int | None = None
    currency: str | None = None
    status: str = "active"
    type: str = "multi_use"
    method: str = "card"
    on_behalf_of: str | None = None
