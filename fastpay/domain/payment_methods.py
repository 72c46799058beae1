"""Commands on payment methods."""

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

import msgspec

from fastpay._native.structs import replace
from fastpay.domain import metadata as metadata_rules
from fastpay.domain import prototypes, tokens
from fastpay.domain.bank_accounts import SepaDebit
from fastpay.domain.cards import BEHAVIOURS, MOVES_MORE, NO_CARD, Card, check_valid
from fastpay.domain.cash_objects import CASH
from fastpay.domain.identifiers import digits
from fastpay.domain.objects import BillingDetails, Customer, PaymentMethod, missing
from fastpay.domain.plan import Draft, OnObject, Workspace
from fastpay.errors import CardDeclined, InvalidRequest


class NewCard(
    msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="new", tag_field="given"
):
    """A card, or what pays in its place, that came with the request, without its number.

    `param` is the parameter that held it, for error messages. `type` is that of the payment method.
    """

    card: Card = NO_CARD
    param: str = ""
    billing_details: BillingDetails = BillingDetails()
    metadata: Mapping[str, str] = {}
    allow_redisplay: str = "unspecified"
    type: str = "card"
    sepa_debit: SepaDebit | None = None


class TokenCard(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="token", tag_field="given"):
    """A card that a token stands for, and what the request says about it.

    `token_param` is the parameter that held the token, for error messages. Billing details of the request
    take the place of those that came with the token.
    """

    token: str
    token_param: str
    billing_details: BillingDetails | None = None
    metadata: Mapping[str, str] = {}
    allow_redisplay: str = "unspecified"


# The identifier of a payment method, or a card that becomes one.
Choice = str | NewCard | TokenCard


class CreatePaymentMethod(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Create a payment method from a card."""

    card: NewCard | TokenCard

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return chosen_ids(self.card)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Create the payment method, attached to nobody."""
        method = take(workspace, draft, self.card)
        draft.put(method, "payment_method.created")
        return method.id


class UpdatePaymentMethod(OnObject, frozen=True, gc=False, kw_only=True):
    """Change a payment method that is attached to a customer. `metadata` None clears all of it.

    `billing_details` are the fields of `BillingDetails` to change.
    """

    fields: Mapping[str, object]
    billing_details: Mapping[str, object] = {}
    exp_month: int | None = None
    exp_year: int | None = None
    metadata: Mapping[str, str] | None = {}

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the changed payment method."""
        method = workspace.require(PaymentMethod, self.id)
        if method.customer is None:
            raise InvalidRequest(
                "You must save this payment method to a customer before you can update it.",
                code="payment_method_unexpected_state",
                param="payment_method",
            )
        card = replace(
            method.card,
            exp_month=self.exp_month or method.card.exp_month,
            exp_year=self.exp_year or method.card.exp_year,
        )
        if self.exp_month is not None or self.exp_year is not None:
            if method.type != "card":
                raise InvalidRequest("This payment method is not a card.", param="card")
            check_valid(card, moment_s=draft.moment_s, param="card")
        merged = metadata_rules.merge(method.metadata, self.metadata)
        details = replace(method.billing_details, **self.billing_details)
        changed = replace(method, **self.fields, billing_details=details, card=card, metadata=merged)
        draft.put(changed, "payment_method.updated")
        return method.id


class AttachPaymentMethod(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Attach a payment method to a customer."""

    payment_method: Choice
    customer: str

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return (*chosen_ids(self.payment_method), self.customer)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Attach the payment method. Raises: CardDeclined, NotFound, InvalidRequest."""
        method = take(workspace, draft, self.payment_method)
        customer = workspace.find(self.customer)
        if not isinstance(customer, Customer) or customer.deleted:
            raise missing(Customer, self.customer, param="customer")
        return attach(draft, method, self.customer).id


class DetachPaymentMethod(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Detach a payment method from its customer."""

    id: str

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load. The customer is needed for its default payment method."""
        method = workspace.find(self.id)
        if isinstance(method, PaymentMethod) and method.customer is not None:
            return (self.id, method.customer)
        return (self.id,)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Detach the payment method, and clear the customer's default if it was this one."""
        method = workspace.require(PaymentMethod, self.id)
        if method.customer is None:
            raise InvalidRequest(
                "The payment method you provided is not attached to a customer so detachment is impossible.",
                code="payment_method_unexpected_state",
                param="payment_method",
            )
        customer = workspace.find(method.customer)
        if isinstance(customer, Customer):
            remaining = _without(customer, method.id)
            if remaining is not customer:
                draft.put(remaining, "customer.updated")
        draft.put(replace(method, customer=None), "payment_method.detached")
        return method.id


def chosen_ids(choice: Choice | None) -> tuple[str, ...]:
    """Return the identifiers that must be loaded for a choice."""
    if choice is None or isinstance(choice, NewCard):
        # Most payments, and asked first: to tell that something is no instance takes ten times as long.
        return ()
    return (choice,) if isinstance(choice, str) else (choice.token,)


def is_plain_card(choice: Choice | None) -> bool:
    """Tell whether a payment with this choice needs the accounts of its currency alone, as most do."""
    # No instance of a subclass, and asked in this way for what is no card: see `chosen_ids`.
    return type(choice) is NewCard and choice.type != CASH and choice.card.behaviour not in MOVES_MORE


def take(workspace: Workspace, draft: Draft, choice: Choice) -> PaymentMethod:
    """Return the chosen payment method. A card that came with the request becomes a new one.

    The caller writes a new payment method. Raises: CardDeclined, InvalidRequest, NotFound.
    """
    if isinstance(choice, str):
        return workspace.require(PaymentMethod, choice)
    return from_card(draft, choice if isinstance(choice, NewCard) else _redeem(workspace, draft, choice))


def from_card(draft: Draft, card: NewCard) -> PaymentMethod:
    """Return a new payment method for a card, attached to nobody. Raises: CardDeclined if it has expired."""
    if card.type == "card":
        check_valid(card.card, moment_s=draft.moment_s, param=card.param)
    method = replace(
        prototypes.PAYMENT_METHOD,
        id=draft.new_id(PaymentMethod.prefix),
        created=draft.moment_s,
        card=card.card,
        allow_redisplay=card.allow_redisplay,
        billing_details=card.billing_details,
        metadata=metadata_rules.merge({}, card.metadata),
    )
    if card.type == "card":
        return method
    return replace(method, type=card.type, sepa_debit=card.sepa_debit)


def _without(customer: Customer, method: str) -> Customer:
    """Return the customer, and the same one unless this payment method is a default of theirs."""
    if customer.invoice_settings.default_payment_method == method:
        settings = replace(customer.invoice_settings, default_payment_method=None)
        customer = replace(customer, invoice_settings=settings)
    if customer.default_source is not None and digits(customer.default_source) == digits(method):
        customer = replace(customer, default_source=None)
    return customer


def _redeem(workspace: Workspace, draft: Draft, choice: TokenCard) -> NewCard:
    token = tokens.redeem(workspace, draft, choice.token, param=choice.token_param)
    return NewCard(
        card=token.card,
        param=choice.token_param,
        billing_details=choice.billing_details or BillingDetails(address=token.address, name=token.name),
        metadata=choice.metadata,
        allow_redisplay=choice.allow_redisplay,
    )


def save(draft: Draft, method: PaymentMethod, customer: str | None, *, is_set_up: bool) -> PaymentMethod:
    """Write a payment method that was set up or paid with, and attach it to the customer, if there is one.

    `is_set_up` means that its holder agreed to payments in which they are absent. Raises: CardDeclined,
    InvalidRequest if it is another's.
    """
    saved = method if method.is_set_up or not is_set_up else replace(method, is_set_up=True)
    if customer is not None and method.customer is None:
        return attach(draft, saved, customer)
    if saved is not method or method.customer is None:
        draft.put(saved, None)
    return saved


def attach(draft: Draft, method: PaymentMethod, customer: str) -> PaymentMethod:
    """Write the payment method as attached. Raises: CardDeclined, InvalidRequest if it is another's."""
    if method.customer is not None and method.customer != customer:
        raise InvalidRequest(
            "The payment method you provided has already been attached to a customer.",
            code="payment_method_unexpected_state",
            param="payment_method",
        )
    if method.type == CASH:
        raise InvalidRequest(
            f"A payment method of type {CASH} cannot be attached to a customer. Create one for each payment.",
            code="payment_method_unexpected_state",
            param="payment_method",
        )
    behaviour = BEHAVIOURS[method.card.behaviour]
    if not behaviour.attachable:
        raise CardDeclined(
            behaviour.message, code=behaviour.code, decline_code=behaviour.decline_code, param=behaviour.param
        )
    attached = replace(method, customer=customer)
    draft.put(attached, "payment_method.attached")
    return attached


class _Listing(Protocol):
    @property
    def payment_method_types(self) -> Collection[str]:
        """The types that an intent takes."""

    @property
    def automatic_payment_methods(self) -> bool:
        """Whether it takes the others too."""


class _Choice(Protocol):
    @property
    def allowed_payment_method_types(self) -> Collection[str] | None:
        """The only types that it takes, if there are any."""

    @property
    def excluded_payment_method_types(self) -> Collection[str] | None:
        """The types that it does not take in any case."""


def is_taken(name: str, intent: _Listing, choice: _Choice | None) -> bool:
    """Tell whether an intent takes payment methods of this type."""
    if choice is not None and name in (choice.excluded_payment_method_types or ()):
        return False
    if choice is not None and choice.allowed_payment_method_types is not None:
        return name in choice.allowed_payment_method_types
    return intent.automatic_payment_methods or name in intent.payment_method_types
