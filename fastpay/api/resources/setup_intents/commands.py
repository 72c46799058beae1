"""Handlers of setup intents: parameters to commands."""

from msgspec import UNSET, UnsetType

from fastpay.api import card_params, client_secrets
from fastpay.api.common_params import first_metadata, given, value_or
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
from fastpay.api.resources.setup_intents.params import (
    CancelParams,
    ConfirmParams,
    CreateParams,
    RetrieveParams,
    UpdateParams,
)
from fastpay.domain import kinds
from fastpay.domain.objects import StoredObject
from fastpay.domain.setup_intents import (
    AuthenticateSetupIntent,
    CancelSetupIntent,
    ConfirmSetupIntent,
    CreateSetupIntent,
    UpdateSetupIntent,
)
from fastpay.engine.processors.routed import Routed
from fastpay.errors import InvalidRequest

_SECRET_BYTES = 16
_DESCRIBED = ("attach_to_self", "description", "excluded_payment_method_types", "flow_directions")
_ONLY_WITH_CONFIRM = ("confirmation_token", "mandate_data", "return_url", "single_use")
# Parameters that only the merchant may decide, and no holder of a client secret.
_NOT_FOR_PUBLISHABLE = ("allowed_payment_method_types", "payment_method_options")


def create(call: Call, params: CreateParams) -> CreateSetupIntent:
    """Create a setup intent."""
    if not params.confirm:
        for name in _ONLY_WITH_CONFIRM:
            if getattr(params, name) not in {UNSET, None}:
                raise InvalidRequest(f"The parameter {name} may only be given with confirm=true.", param=name)
    if value_or(params.single_use, None) is not None and value_or(params.mandate_data, None) is None:
        raise InvalidRequest(
            "A mandate for one payment needs mandate_data.", code="parameter_missing", param="mandate_data"
        )
    fields = given(params, *_DESCRIBED, "return_url", "usage")
    fields |= automatic_fields(params)
    fields |= method_types(params.payment_method_types) | _allowed(params) | _options(params)
    if not isinstance(params.on_behalf_of, UnsetType):
        fields["on_behalf_of"] = kinds.check(kinds.ACCOUNT, params.on_behalf_of, param="on_behalf_of")
    return CreateSetupIntent(
        secret=call.services.clock.random_bytes(_SECRET_BYTES).hex(),
        fields=fields,
        metadata=first_metadata(params.metadata),
        customer=customer_of(params.customer),
        payment_method=card_params.chosen(call, params),
        confirm=params.confirm,
        confirmation_token=card_params.confirmation_token(params),
        mandate=mandate_data(call, params.mandate_data, params.single_use),
        page=challenge_page(call, params),
        links=error_links(call.services, call.request_id),
        route=call.routed.route if isinstance(call.routed, Routed) else None,
    )


def update(call: Call, params: UpdateParams) -> UpdateSetupIntent:
    """Update a setup intent."""
    fields = given(params, *_DESCRIBED) | method_types(params.payment_method_types)
    fields |= _allowed(params) | _options(params)
    if not isinstance(params.customer, UnsetType):
        fields["customer"] = customer_of(params.customer)
    return UpdateSetupIntent(
        id=call.arguments["id"],
        fields=fields,
        metadata=value_or(params.metadata, {}),
        payment_method=card_params.chosen(call, params),
        clears_payment_method=params.payment_method is None,
    )


def confirm(call: Call, params: ConfirmParams) -> ConfirmSetupIntent:
    """Confirm a setup intent."""
    return ConfirmSetupIntent(
        id=call.arguments["id"],
        fields=given(params, "return_url") | _allowed(params) | _options(params),
        payment_method=card_params.chosen(call, params),
        confirmation_token=card_params.confirmation_token(params),
        mandate=mandate_data(call, params.mandate_data, None),
        page=challenge_page(call, params),
        links=error_links(call.services, call.request_id),
        route=call.routed.route if isinstance(call.routed, Routed) else None,
        continues=call.continues,
    )


def authenticate(call: Call, params: AuthenticateParams) -> AuthenticateSetupIntent:
    """Complete authentication in test mode. In live mode the cardholder is on a page of the processor."""
    links = error_links(call.services, call.request_id)
    return AuthenticateSetupIntent(
        id=call.arguments["id"], succeeds=params.outcome == "succeeded", links=links
    )


def cancel(call: Call, params: CancelParams) -> CancelSetupIntent:
    """Cancel a setup intent."""
    return CancelSetupIntent(id=call.arguments["id"], reason=params.cancellation_reason)


def check_shown(call: Call, params: RetrieveParams, shown: StoredObject) -> None:
    """Show a setup only to a secret key, or with its client secret. Raises: NotFound, InvalidRequest."""
    client_secrets.check(call, kinds.SETUP_INTENT, params.client_secret, shown)


async def check_confirmed(call: Call, params: ConfirmParams) -> None:
    """Let a setup be confirmed only with a secret key, or with its client secret."""
    await client_secrets.check_confirmed(
        call, kinds.SETUP_INTENT, params, params.client_secret, _NOT_FOR_PUBLISHABLE
    )


def _allowed(params: CreateParams | UpdateParams | ConfirmParams) -> dict[str, object]:
    listed = UNSET if isinstance(params, ConfirmParams) else params.payment_method_types
    fields = given(params, "allowed_payment_method_types")
    return fields | allowed_types(params.allowed_payment_method_types, listed)


def _options(params: CreateParams | UpdateParams | ConfirmParams) -> dict[str, object]:
    options = value_or(params.payment_method_options, None)
    if options is None or options.card is None or options.card.request_three_d_secure is None:
        return {}
    return {"request_three_d_secure": options.card.request_three_d_secure}
