"""Payment methods: requests to commands."""

from msgspec import UnsetType

from fastpay.api.context import Call
from fastpay.api.params import cards
from fastpay.api.params.common import NoParams, address, given, value_or
from fastpay.api.params.payment_methods import (
    AttachParams,
    BillingDetailsChanges,
    CardChanges,
    CreateParams,
    UpdateParams,
)
from fastpay.domain import kinds
from fastpay.domain.cards import MAGIC_PAYMENT_METHODS
from fastpay.domain.objects import Address, PaymentMethod
from fastpay.domain.payment_methods import (
    AttachPaymentMethod,
    CreatePaymentMethod,
    DetachPaymentMethod,
    UpdatePaymentMethod,
)


def create(call: Call, params: CreateParams) -> CreatePaymentMethod:
    """Keep a card for later."""
    return CreatePaymentMethod(card=cards.new_card(call, params.data(), param=""))


async def check_created(call: Call, params: CreateParams) -> None:
    """Let everybody keep a card: it is attached to nobody, and its identifier is the only way to it."""


def update(call: Call, params: UpdateParams) -> UpdatePaymentMethod:
    """Change what may change."""
    month, year = (None, None) if isinstance(params.card, UnsetType) else _expiry(call, params.card)
    return UpdatePaymentMethod(
        id=call.arguments["id"],
        fields=given(params, "allow_redisplay"),
        billing_details=_billing_changes(params.billing_details),
        exp_month=month,
        exp_year=year,
        metadata=value_or(params.metadata, {}),
    )


def attach(call: Call, params: AttachParams) -> AttachPaymentMethod:
    """Save a payment method to a customer; a magic one becomes a new one."""
    return AttachPaymentMethod(
        payment_method=cards.choice(call, call.arguments["id"]),
        customer=kinds.check(kinds.CUSTOMER, params.customer, param="customer"),
    )


def detach(call: Call, params: NoParams) -> DetachPaymentMethod:
    """Take a payment method from its customer."""
    return DetachPaymentMethod(id=call.arguments["id"])


def magic(call: Call, identifier: str) -> PaymentMethod | None:
    """Return what a magic payment method looks like, without keeping it; None where it is no magic one."""
    number = MAGIC_PAYMENT_METHODS.get(identifier)
    if number is None or call.scope.livemode:
        return None
    return PaymentMethod(id=identifier, created=0, card=cards.magic_card(call, number))


def _billing_changes(params: BillingDetailsChanges | UnsetType) -> dict[str, object]:
    if isinstance(params, UnsetType):
        return {}
    changes = given(params, "email", "name", "phone", "tax_id")
    if not isinstance(params.address, UnsetType):
        changes["address"] = Address() if params.address is None else address(params.address)
    return changes


def _expiry(call: Call, changes: CardChanges) -> tuple[int | None, int | None]:
    """Return the new month and year. What is given alone is checked as far as it can be alone."""
    month, year = value_or(changes.exp_month, None), value_or(changes.exp_year, None)
    if month is None and year is None:
        return None, None
    if month is None:
        return None, cards.full_year(call, 12, year or 0, prefix="card")
    if year is None:
        cards.check_month(month, prefix="card")
        return month, None
    return month, cards.full_year(call, month, year, prefix="card")
