"""Options of payments that few requests use. A payment without any has None in their place.

What is only kept to be shown is stored as the JSON that is shown.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fastpay.domain.bank_accounts import SepaDebit

# Types of stored-credential transactions in which the cardholder is absent.
ABSENT_CREDENTIALS = frozenset(("stored_off_session_recurring", "stored_off_session_unscheduled"))


class Authentication(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """The result of 3-D Secure, as a charge shows it. `flow` None means that another provider did it."""

    result: str
    flow: str | None = None
    electronic_commerce_indicator: str | None = None
    exemption_indicator: str | None = None
    transaction_id: str | None = None
    version: str | None = None

    @property
    def is_successful(self) -> bool:
        """Whether the issuer takes the payment as authenticated."""
        return self.result in {"authenticated", "attempt_acknowledged"}


class AttemptOptions(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Options of the next attempt alone.

    `has_agreement` claims that the cardholder agreed to later payments, in a transaction of another provider
    for example. `is_absent` means that the merchant starts the payment, `moto` a mail or telephone order.
    `authenticated` is what the cardholder has said yes to before the merchant confirms it: a payment method,
    an amount and its currency.
    """

    authentication: Authentication | None = None
    has_agreement: bool = False
    is_absent: bool = False
    moto: bool = False
    network_transaction_id: str | None = None
    # The token of a security code that the cardholder gave again.
    cvc_token: str | None = None
    authenticated: tuple[str, int, str] | None = None


class CardOptions(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Options of a payment for cards. `capture_method` "manual" goes before the payment's own."""

    capture_method: str | None = None
    network: str | None = None
    request_extended_authorization: str | None = None
    request_incremental_authorization: str | None = None
    request_multicapture: str | None = None
    request_overcapture: str | None = None
    request_three_d_secure: str = "automatic"
    require_cvc_recollection: bool | None = None
    setup_credential_usage: str | None = None
    setup_future_usage: str | None = None
    statement_descriptor_suffix_kana: str | None = None
    statement_descriptor_suffix_kanji: str | None = None
    stored_credential_usage: str | None = None


class CashOptions(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Options of a payment for the customer's cash balance: see `bank_transfers`.

    Without a `funding_type` the balance must have the whole amount.
    """

    funding_type: str | None = None
    type: str | None = None
    country: str | None = None
    requested_address_types: tuple[str, ...] | None = None


class AwaitedTransfer(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """The bank transfer that a payment waits for. `financial_addresses` is JSON."""

    amount_remaining: int
    currency: str
    financial_addresses: str = "[]"
    reference: str
    type: str


class PaymentExtras(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """The rare options of a payment intent. `amount_details` and the like are JSON.

    The money goes on to the connected account `destination`: all of it, or `transfer_amount`. An
    `application_fee_amount` comes back from there. `on_behalf_of` is only shown.
    """

    card: CardOptions | None = None
    next_attempt: AttemptOptions | None = None
    amount_details: str | None = None
    excluded_payment_method_types: tuple[str, ...] | None = None
    level3: str | None = None
    payment_details: str | None = None
    radar_options: str | None = None
    application_fee_amount: int | None = None
    destination: str | None = None
    on_behalf_of: str | None = None
    transfer_amount: int | None = None
    cash: CashOptions | None = None
    awaited: AwaitedTransfer | None = None
    allowed_payment_method_types: tuple[str, ...] | None = None

    @property
    def references(self) -> list[str]:
        """The identifiers of what an attempt with these options looks at."""
        token = None if self.next_attempt is None else self.next_attempt.cvc_token
        return [name for name in (self.destination, self.on_behalf_of, token) if name is not None]


class Capture(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One of several captures of a charge: its balance transaction, amount and fee.

    `transferred` went on to a connected account by a transfer, and `application_fee_amount` of it came back.
    """

    balance_transaction: str
    amount: int
    fee: int
    transfer: str | None = None
    transferred: int = 0
    application_fee: str | None = None
    application_fee_amount: int = 0


class ChargeExtras(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """What few charges have. `captures` are set once a capture was not the final one, `transferred` is what
    connected accounts have of it: transfers took it, reversals and application fees brought it back.
    `overcapture_max` is how much can be captured, None if no more than was authorized.

    `method` is the type of the payment method. `transfer` and `application_fee` are the latest ones.
    `network_transaction_id` is the one of the earlier transaction that the merchant gave. `attempt` is the
    authorization of a live payment: captures, voids and refunds go where that went.
    """

    authentication: Authentication | None = None
    captures: tuple[Capture, ...] = ()
    has_extended_authorization: bool = False
    has_incremental_authorization: bool = False
    has_multicapture: bool = False
    increments: int = 0
    level3: str | None = None
    mandate: str | None = None
    method: str = "card"
    moto: bool | None = None
    network: str | None = None
    network_transaction_id: str | None = None
    radar_options: str | None = None
    sepa_debit: SepaDebit | None = None
    transferred: int = 0
    application_fee: str | None = None
    application_fee_amount: int | None = None
    destination: str | None = None
    on_behalf_of: str | None = None
    transfer: str | None = None
    transfer_amount: int | None = None
    overcapture_max: int | None = None
    attempt: str | None = None

    @property
    def passed_on(self) -> Sequence[tuple[str, str | None]]:
        """The transfer and the application fee, if any, of each capture that passed money on."""
        if self.captures:
            return [(one.transfer, one.application_fee) for one in self.captures if one.transfer is not None]
        return () if self.transfer is None else ((self.transfer, self.application_fee),)


def merge(extras: PaymentExtras | None, changes: Mapping[str, Any]) -> PaymentExtras:
    """Return the options with these changes. `changes["card"]` are changes of the options for cards.

    Any: the values of fields of several types.
    """
    changes = dict(changes)
    extras = extras or PaymentExtras()
    if "card" in changes:
        changes["card"] = msgspec.structs.replace(extras.card or CardOptions(), **changes["card"])
    return msgspec.structs.replace(extras, **changes)
