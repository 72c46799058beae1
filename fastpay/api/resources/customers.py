"""Customers: requests to commands."""

from typing import Any

from msgspec import UnsetType

from fastpay.api.context import Call
from fastpay.api.params import cards
from fastpay.api.params.common import NoParams, address, first_metadata, given, shipping, value_or
from fastpay.api.params.customers import CreateParams, UpdateParams
from fastpay.domain import kinds
from fastpay.domain.cards import MAGIC_PAYMENT_METHODS
from fastpay.domain.customers import CreateCustomer, DeleteCustomer, UpdateCustomer
from fastpay.domain.objects import InvoiceSettings
from fastpay.errors import InvalidRequest

_DEFAULT = "invoice_settings[default_payment_method]"


def create(call: Call, params: CreateParams) -> CreateCustomer:
    """Begin to know a customer."""
    choice = None
    if not isinstance(params.payment_method, UnsetType):
        choice = cards.choice(call, params.payment_method)
    settings = _invoice_settings(params)
    default = settings.pop("default_payment_method", None)
    if default is not None and default != params.payment_method:
        # Nothing but what is attached along with it can be a new customer's own.
        raise InvalidRequest(
            "Attach the payment method first: give its identifier in payment_method as well.", param=_DEFAULT
        )
    return CreateCustomer(
        fields=_fields(params) | {"invoice_settings": InvoiceSettings(**settings)},
        metadata=first_metadata(params.metadata),
        payment_method=choice,
        is_default=default is not None,
    )


def update(call: Call, params: UpdateParams) -> UpdateCustomer:
    """Change what is known of a customer."""
    return UpdateCustomer(
        id=call.arguments["id"],
        fields=_fields(params),
        invoice_settings=_invoice_settings(params),
        metadata=value_or(params.metadata, {}),
    )


def delete(call: Call, params: NoParams) -> DeleteCustomer:
    """Forget a customer."""
    return DeleteCustomer(id=call.arguments["id"])


def _fields(params: CreateParams | UpdateParams) -> dict[str, object]:
    fields = given(
        params,
        "balance",
        "description",
        "email",
        "invoice_prefix",
        "name",
        "next_invoice_sequence",
        "phone",
        "preferred_locales",
    )
    if not isinstance(params.tax_exempt, UnsetType):
        fields["tax_exempt"] = params.tax_exempt or "none"
    if not isinstance(params.address, UnsetType):
        fields["address"] = None if params.address is None else address(params.address)
    if not isinstance(params.shipping, UnsetType):
        fields["shipping"] = None if params.shipping is None else shipping(params.shipping)
    return fields


def _invoice_settings(params: CreateParams | UpdateParams) -> dict[str, Any]:
    """Return the fields to set. Raises: InvalidRequest for what is no identifier of a payment method."""
    if isinstance(params.invoice_settings, UnsetType):
        return {}
    settings = given(params.invoice_settings, "default_payment_method", "footer")
    default = settings.get("default_payment_method")
    if isinstance(default, str) and not _could_be_method(default):
        raise InvalidRequest(
            f"No such payment method on this customer: '{kinds.presentable(default)}'",
            code="resource_missing",
            param=_DEFAULT,
        )
    return settings


def _could_be_method(identifier: str) -> bool:
    return identifier in MAGIC_PAYMENT_METHODS or kinds.could_be(kinds.PAYMENT_METHOD, identifier)
