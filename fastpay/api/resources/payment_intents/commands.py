"""Handlers of payment intents: parameters to commands."""

from collections.abc import Mapping

from msgspec import UNSET, UnsetType

from fastpay._native.params import Selection
from fastpay.api import card_params, client_secrets, follow_ups
from fastpay.api.common_params import Params, first_metadata, refuse_together, shipping, value_or
from fastpay.api.context import Call
from fastpay.api.intents import (
    AuthenticateParams,
    allowed_types,
    automatic_fields,
    challenge_page,
    customer_of,
    error_links,
    method_types,
)
from fastpay.api.mandate_params import mandate_data
from fastpay.api.resources.payment_intents import options
from fastpay.api.resources.payment_intents.params import (
    ApplyCashParams,
    CancelParams,
    CaptureParams,
    ConfirmParams,
    CreateParams,
    IncrementParams,
    RetrieveParams,
    UpdateParams,
)
from fastpay.api.transfer_params import split, split_changes
from fastpay.domain import kinds, money
from fastpay.domain.captures import CancelPaymentIntent, CapturePaymentIntent, IncrementAuthorization
from fastpay.domain.cash_balances import ApplyCashBalance
from fastpay.domain.charging import Terms
from fastpay.domain.error_links import NO_LINKS
from fastpay.domain.objects import StoredObject
from fastpay.domain.payment_intents import (
    AuthenticatePaymentIntent,
    ConfirmPaymentIntent,
    CreatePaymentIntent,
    UpdatePaymentIntent,
)
from fastpay.engine.processors.routed import Routed
from fastpay.errors import InvalidRequest

_SECRET_BYTES = 16
# Parameters that a payment stores as they are given.
_SHARED = ("receipt_email", "setup_future_usage")
_DESCRIBED = (
    *_SHARED,
    "capture_method",
    "description",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)
# From these follow more fields of a new payment.
_FURTHER = Selection(
    CreateParams,
    (
        *("allowed_payment_method_types", "automatic_payment_methods", "payment_method_types"),
        "shipping",
    ),
)
_CREATED = Selection(CreateParams, (*_DESCRIBED, "confirmation_method", "return_url"))
_UPDATED = Selection(UpdateParams, _DESCRIBED)
_CONFIRMED = Selection(ConfirmParams, (*_SHARED, "capture_method", "return_url"))
_CAPTURED = Selection(CaptureParams, ("statement_descriptor", "statement_descriptor_suffix"))
_INCREMENTED = Selection(IncrementParams, ("description", "statement_descriptor"))
_ONLY_WITH_CONFIRM = (
    "confirmation_token",
    "error_on_requires_action",
    "mandate",
    "mandate_data",
    "off_session",
    "return_url",
)
# Parameters that only the merchant may decide, and no holder of a client secret.
_NOT_FOR_PUBLISHABLE = (
    "allowed_payment_method_types",
    "amount_details",
    "capture_method",
    "error_on_requires_action",
    "excluded_payment_method_types",
    "mandate",
    "off_session",
    "payment_details",
    "payment_method_options",
    "radar_options",
)
# Few requests have any of these options (see `_extras`) or of these terms (see `_terms`): all are looked at
# together before each is.
_SHARED_OPTIONS = (
    *("allowed_payment_method_types", "amount_details", "excluded_payment_method_types"),
    *("payment_details", "payment_method_options", "radar_options"),
)
_OPTIONS: Mapping[type[Params], Selection] = {
    CreateParams: Selection(
        CreateParams,
        (*_SHARED_OPTIONS, "application_fee_amount", "level3", "on_behalf_of", "transfer_data"),
    ),
    ConfirmParams: Selection(ConfirmParams, _SHARED_OPTIONS),
}
_TERMS: Mapping[type[Params], Selection] = {
    params_type: Selection(
        params_type,
        (
            *("confirmation_token", "error_on_requires_action", "mandate", "mandate_data", "off_session"),
            "return_url",
        ),
    )
    for params_type in (CreateParams, ConfirmParams)
}
_PLAIN = Terms()


def create(call: Call, params: CreateParams) -> CreatePaymentIntent:
    """Create a payment intent."""
    if not params.confirm:
        _refuse_without_confirm(params)
    fields = _CREATED.given(params)
    if _FURTHER.has_any(params):
        fields |= automatic_fields(params)
        _add_shared(fields, params)
    currency = params.currency
    return CreatePaymentIntent(
        amount=money.check_amount(params.amount),
        currency=currency if currency in money.CURRENCIES else money.parse_currency(currency),
        secret=call.services.clock.random_bytes(_SECRET_BYTES).hex(),
        fields=fields,
        extras=_extras(params, params.amount) if _OPTIONS[CreateParams].has_any(params) else {},
        metadata=first_metadata(params.metadata),
        customer=None if params.customer is UNSET else customer_of(params.customer),
        payment_method=card_params.chosen(call, params),
        confirm=params.confirm,
        confirmation_token=card_params.confirmation_token(params),
        terms=_terms(call, params),
    )


def update(call: Call, params: UpdateParams) -> UpdatePaymentIntent:
    """Update a payment intent."""
    fields = _UPDATED.given(params)
    if not isinstance(params.customer, UnsetType):
        fields["customer"] = customer_of(params.customer)
    if not isinstance(params.amount, UnsetType):
        fields["amount"] = money.check_amount(params.amount)
    if not isinstance(params.currency, UnsetType):
        fields["currency"] = money.parse_currency(params.currency)
    _add_shared(fields, params)
    return UpdatePaymentIntent(
        id=call.arguments["id"],
        fields=fields,
        extras=_extras(params, value_or(params.amount, None)),
        metadata=value_or(params.metadata, {}),
        payment_method=card_params.chosen(call, params),
        clears_payment_method=params.payment_method is None,
    )


def confirm(call: Call, params: ConfirmParams) -> ConfirmPaymentIntent:
    """Confirm a payment intent."""
    fields = _CONFIRMED.given(params)
    _add_shared(fields, params)
    return ConfirmPaymentIntent(
        id=call.arguments["id"],
        fields=fields,
        extras=_extras(params, None) if _OPTIONS[ConfirmParams].has_any(params) else {},
        payment_method=card_params.chosen(call, params),
        confirmation_token=card_params.confirmation_token(params),
        terms=_terms(call, params),
    )


def authenticate(call: Call, params: AuthenticateParams) -> AuthenticatePaymentIntent:
    """Complete authentication in test mode. In live mode no payment waits for it."""
    links = error_links(call.services, call.request_id)
    return AuthenticatePaymentIntent(
        id=call.arguments["id"], succeeds=params.outcome == "succeeded", links=links
    )


def capture(call: Call, params: CaptureParams) -> CapturePaymentIntent:
    """Capture a payment intent."""
    amount = params.amount_to_capture
    # Nothing is captured by 0, which ends a payment that was captured in part.
    if not isinstance(amount, UnsetType) and (amount != 0 or not params.final_capture):
        money.check_amount(amount, param="amount_to_capture")
    return CapturePaymentIntent(
        id=call.arguments["id"],
        amount=value_or(amount, None),
        is_final=params.final_capture,
        fields=_CAPTURED.given(params),
        extras=_details(params, None),
        metadata=value_or(params.metadata, {}),
        split=split(params.application_fee_amount, params.transfer_data),
        terms=follow_ups.terms(call),
    )


def increment(call: Call, params: IncrementParams) -> IncrementAuthorization:
    """Raise the authorized amount."""
    return IncrementAuthorization(
        id=call.arguments["id"],
        amount=money.check_amount(params.amount),
        fields=_INCREMENTED.given(params),
        extras=_details(params, params.amount)
        | split_changes(params.application_fee_amount, params.transfer_data),
        metadata=value_or(params.metadata, {}),
    )


def apply_cash(call: Call, params: ApplyCashParams) -> ApplyCashBalance:
    """Apply the customer's cash."""
    currency = value_or(params.currency, None)
    return ApplyCashBalance(
        id=call.arguments["id"],
        amount=None if isinstance(params.amount, UnsetType) else money.check_amount(params.amount),
        currency=None if currency is None else money.parse_currency(currency),
    )


def cancel(call: Call, params: CancelParams) -> CancelPaymentIntent:
    """Cancel a payment intent."""
    return CancelPaymentIntent(
        id=call.arguments["id"], reason=params.cancellation_reason, terms=follow_ups.terms(call)
    )


def check_shown(call: Call, params: RetrieveParams, shown: StoredObject) -> None:
    """Show a payment only to a secret key, or with its client secret. Raises: NotFound, InvalidRequest."""
    client_secrets.check(call, kinds.PAYMENT_INTENT, params.client_secret, shown)


async def check_confirmed(call: Call, params: ConfirmParams) -> None:
    """Let a payment be confirmed only with a secret key, or with its client secret."""
    refused: tuple[str, ...] = _NOT_FOR_PUBLISHABLE
    if call.is_publishable and _has_only_a_cvc(params):
        refused = tuple(name for name in refused if name != "payment_method_options")
    await client_secrets.check_confirmed(call, kinds.PAYMENT_INTENT, params, params.client_secret, refused)


def _add_shared(fields: dict[str, object], params: CreateParams | UpdateParams | ConfirmParams) -> None:
    """Add the fields that follow from parameters which create, update and confirm share."""
    if params.payment_method_types is not UNSET:
        fields |= method_types(params.payment_method_types)
    if params.allowed_payment_method_types is not UNSET:
        fields |= allowed_types(params.allowed_payment_method_types, params.payment_method_types)
    if params.shipping is not UNSET:
        fields["shipping"] = None if params.shipping is None else shipping(params.shipping)


def _extras(params: CreateParams | UpdateParams | ConfirmParams, amount: int | None) -> dict[str, object]:
    """Return the changes of the options that few requests use: none, most often."""
    extras = _details(params, amount)
    if params.allowed_payment_method_types is not UNSET:
        extras["allowed_payment_method_types"] = params.allowed_payment_method_types
    if params.excluded_payment_method_types is not UNSET:
        extras["excluded_payment_method_types"] = params.excluded_payment_method_types
    if not isinstance(params, UpdateParams) and params.radar_options is not UNSET:
        extras["radar_options"] = options.kept(params.radar_options)
    if isinstance(params, CreateParams) and params.level3 is not UNSET:
        extras["level3"] = options.kept(params.level3)
    if not isinstance(params, ConfirmParams):
        extras |= split_changes(params.application_fee_amount, params.transfer_data)
    if isinstance(params, CreateParams) and not isinstance(params.on_behalf_of, UnsetType):
        extras["on_behalf_of"] = kinds.check(kinds.ACCOUNT, params.on_behalf_of, param="on_behalf_of")
    method_options = params.payment_method_options
    if isinstance(method_options, UnsetType) or method_options is None:
        return extras
    if not isinstance(method_options.customer_balance, UnsetType):
        extras["cash"] = options.cash_options(method_options.customer_balance)
    if isinstance(method_options.card, UnsetType) or method_options.card is None:
        return extras
    card = options.card_changes(method_options.card)
    if card:
        extras["card"] = card
    once = options.attempt_options(method_options.card)
    if once is not None:
        extras["next_attempt"] = once
    return extras


def _details(
    params: CreateParams | UpdateParams | ConfirmParams | CaptureParams | IncrementParams,
    amount: int | None,
) -> dict[str, object]:
    extras: dict[str, object] = {}
    if not isinstance(params.amount_details, UnsetType):
        extras["amount_details"] = options.shown_amount_details(params.amount_details, amount)
    if not isinstance(params.payment_details, UnsetType):
        extras["payment_details"] = options.kept(params.payment_details)
    return extras


def _terms(call: Call, params: CreateParams | ConfirmParams) -> Terms:
    # To tell that something is no instance takes ten times as long as that there is nothing.
    routed = call.routed if call.routed is not None and isinstance(call.routed, Routed) else None
    links = error_links(call.services, call.request_id) if routed is None else routed.links
    if not call.continues and not _TERMS[type(params)].has_any(params):
        if routed is not None:
            # No page: it is the processor that asks the cardholder.
            return Terms(links=links, route=routed.route)
        return _PLAIN if links is NO_LINKS else Terms(links=links)
    mandate = params.mandate
    if not isinstance(mandate, UnsetType):
        kinds.check(kinds.MANDATE, mandate, param="mandate")
        if params.mandate_data is not UNSET:
            raise refuse_together("mandate", "mandate_data")
    return Terms(
        # Both texts, one_off and recurring, mean that the cardholder is absent.
        off_session=value_or(params.off_session, False) is not False,
        error_on_requires_action=value_or(params.error_on_requires_action, False),
        page=challenge_page(call, params),
        mandate=value_or(mandate, None),
        mandate_data=mandate_data(call, params.mandate_data, None),
        links=links,
        route=None if routed is None else routed.route,
        continues=call.continues,
    )


def _has_only_a_cvc(params: ConfirmParams) -> bool:
    """Tell whether the options are the security code alone, which only the cardholder can give again."""
    given = value_or(params.payment_method_options, None)
    card = None if given is None else value_or(given.card, None)
    return card is not None and given == options.PaymentMethodOptions(
        card=options.CardOptions(cvc_token=card.cvc_token)
    )


def _refuse_without_confirm(params: CreateParams) -> None:
    for name in _ONLY_WITH_CONFIRM:
        if getattr(params, name) not in {UNSET, False}:
            raise InvalidRequest(f"The parameter {name} may only be given with confirm=true.", param=name)
