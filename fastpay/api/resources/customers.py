"""Customers."""

from typing import Annotated, Any, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api import card_params
from fastpay.api.common_params import (
    AddressParams,
    Email,
    Identifier,
    Metadata,
    Name,
    NoParams,
    Params,
    Part,
    Phone,
    ShippingParams,
    Text,
    address,
    first_metadata,
    given,
    refuse_together,
    shipping,
    told,
    value_or,
)
from fastpay.api.common_shapes import ADDRESS, SHIPPING
from fastpay.api.context import Call
from fastpay.api.layout import Field, Mode, Shape, When, fields
from fastpay.api.list_params import CreatedListParams
from fastpay.api.lists import List, Search
from fastpay.api.reads import Retrieve
from fastpay.api.resource import ALWAYS_NULL, Reference, Resource, Sublist
from fastpay.api.routes import Route
from fastpay.api.writes import Write
from fastpay.domain import kinds
from fastpay.domain.cards import MAGIC_PAYMENT_METHODS
from fastpay.domain.customers import CreateCustomer, DeleteCustomer, UpdateCustomer
from fastpay.domain.objects import InvoiceSettings
from fastpay.domain.payment_methods import NewCard, TokenCard
from fastpay.domain.sources import source_id
from fastpay.errors import InvalidRequest

Balance = Annotated[int, Meta(ge=-limits.balance_max, le=limits.balance_max)]
InvoicePrefix = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=12,
        pattern="^[A-Z0-9]+$(?!\\n)",
        extra=told("capital letters and digits"),
    ),
]
Locale = Annotated[str, Meta(min_length=2, max_length=20)]


class InvoiceSettingsParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A customer's defaults. What is not given does not change."""

    default_payment_method: Identifier | UnsetType | None = UNSET
    footer: Text | UnsetType | None = UNSET


class _Fields(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What create and update have in common."""

    address: AddressParams | UnsetType | None = UNSET
    balance: Balance | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    email: Email | UnsetType | None = UNSET
    invoice_prefix: InvoicePrefix | UnsetType = UNSET
    invoice_settings: InvoiceSettingsParams | UnsetType = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    name: Name | UnsetType | None = UNSET
    next_invoice_sequence: Annotated[int, Meta(ge=1, le=limits.balance_max)] | UnsetType = UNSET
    phone: Phone | UnsetType | None = UNSET
    source: Identifier | UnsetType = UNSET
    preferred_locales: Annotated[tuple[Locale, ...], Meta(max_length=limits.locales_max)] | UnsetType = UNSET
    shipping: ShippingParams | UnsetType | None = UNSET
    tax_exempt: Literal["none", "exempt", "reverse"] | UnsetType | None = UNSET


class CreateParams(_Fields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create a customer."""

    creates: ClassVar[bool] = True

    payment_method: Identifier | UnsetType = UNSET


class UpdateParams(_Fields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Update a customer."""

    default_source: Identifier | UnsetType = UNSET


class CustomerListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Customers, those with one e-mail address, written as it was given."""

    email: Text | UnsetType = UNSET


_DELETED: Shape = {"id": Field("id"), "object": "customer", "deleted": True}

_KNOWN: Shape = {
    "id": Field("id"),
    "object": "customer",
    "address": ADDRESS,
    "balance": Field("balance"),
    "created": Field("created"),
    "currency": None,
    "default_source": Field("default_source"),
    "delinquent": False,
    "description": Field("description"),
    "discount": None,
    "email": Field("email"),
    "invoice_prefix": Field("invoice_prefix"),
    "invoice_settings": {
        "custom_fields": None,
        "default_payment_method": Field("invoice_settings.default_payment_method"),
        "footer": Field("invoice_settings.footer"),
        "rendering_options": None,
    },
    "livemode": Mode(),
    **fields("metadata", "name", "next_invoice_sequence", "phone", "preferred_locales"),
    "shipping": SHIPPING,
    "tax_exempt": Field("tax_exempt"),
    "test_clock": None,
}

CUSTOMER = Resource(
    kinds.CUSTOMER,
    shape=When("deleted", _DELETED, otherwise=_KNOWN),
    expandable={
        "invoice_settings.default_payment_method": Reference((kinds.PAYMENT_METHOD,)),
        "cash_balance": Reference((kinds.CASH_BALANCE,), is_view=True),
        "default_source": Reference((kinds.SOURCE,)),
        "sources": Sublist(
            kinds.PAYMENT_METHOD,
            "customer",
            "/v1/customers/{id}/sources",
            shown_as=kinds.SOURCE,
            only_type="card",
        ),
        "subscriptions": ALWAYS_NULL,
        "tax": ALWAYS_NULL,
        "tax_ids": ALWAYS_NULL,
        "test_clock": ALWAYS_NULL,
    },
)


_DEFAULT = "invoice_settings[default_payment_method]"


def create(call: Call, params: CreateParams) -> CreateCustomer:
    """Create a customer."""
    choice = None
    if not isinstance(params.payment_method, UnsetType):
        choice = card_params.choice(call, params.payment_method)
    settings = _invoice_settings(params)
    default = settings.pop("default_payment_method", None)
    if default is not None and default not in (params.payment_method, choice):
        # A new customer has no payment method but the one that this request attaches.
        raise InvalidRequest(
            "Attach the payment method first: give its identifier in payment_method as well.", param=_DEFAULT
        )
    return CreateCustomer(
        fields=plain_fields(params) | {"invoice_settings": InvoiceSettings(**settings)},
        metadata=first_metadata(params.metadata),
        payment_method=choice,
        is_default=default is not None,
        source=_source(call, params),
    )


def update(call: Call, params: UpdateParams) -> UpdateCustomer:
    """Update a customer."""
    fields = plain_fields(params)
    if not isinstance(params.default_source, UnsetType):
        if params.source is not UNSET:
            raise refuse_together("default_source", "source")
        fields["default_source"] = _default_source(params.default_source)
    return UpdateCustomer(
        id=call.arguments["id"],
        fields=fields,
        invoice_settings=_invoice_settings(params),
        metadata=value_or(params.metadata, {}),
        source=_source(call, params),
    )


def delete(call: Call, params: NoParams) -> DeleteCustomer:
    """Delete a customer."""
    return DeleteCustomer(id=call.arguments["id"])


def plain_fields(params: CreateParams | UpdateParams) -> dict[str, object]:
    """Return the fields of a customer that stand for themselves, as the domain has them."""
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


def _source(call: Call, params: CreateParams | UpdateParams) -> NewCard | TokenCard | None:
    if isinstance(params.source, UnsetType):
        return None
    return card_params.token_card(call, params.source, param="source")


def _default_source(identifier: str) -> str:
    """Return the source that a source or a payment method names. Raises: InvalidRequest."""
    if kinds.could_be(kinds.SOURCE, identifier) or kinds.could_be(kinds.PAYMENT_METHOD, identifier):
        return source_id(identifier)
    raise InvalidRequest(
        f"No such source on this customer: '{kinds.presentable(identifier)}'",
        code="resource_missing",
        param="default_source",
    )


def _invoice_settings(params: CreateParams | UpdateParams) -> dict[str, Any]:
    """Return the fields to set. Raises: InvalidRequest for a malformed identifier of a payment method."""
    if isinstance(params.invoice_settings, UnsetType):
        return {}
    settings = given(params.invoice_settings, "default_payment_method", "footer")
    default = settings.get("default_payment_method")
    if isinstance(default, str) and kinds.could_be(kinds.SOURCE, default):
        settings["default_payment_method"] = card_params.named(default)
    elif isinstance(default, str) and not _could_be_method(default):
        raise InvalidRequest(
            f"No such payment method on this customer: '{kinds.presentable(default)}'",
            code="resource_missing",
            param=_DEFAULT,
        )
    return settings


def _could_be_method(identifier: str) -> bool:
    return identifier in MAGIC_PAYMENT_METHODS or kinds.could_be(kinds.PAYMENT_METHOD, identifier)


RESOURCES = (CUSTOMER,)
ROUTES = (
    Route("POST", "/v1/customers", Write(CUSTOMER, CreateParams, create)),
    Route("GET", "/v1/customers", List(CUSTOMER, CustomerListParams, filters={"email": None})),
    Route("GET", "/v1/customers/search", Search(CUSTOMER)),
    Route("GET", "/v1/customers/{id}", Retrieve(CUSTOMER, NoParams)),
    Route("POST", "/v1/customers/{id}", Write(CUSTOMER, UpdateParams, update, path_kind=kinds.CUSTOMER)),
    Route("DELETE", "/v1/customers/{id}", Write(CUSTOMER, NoParams, delete, path_kind=kinds.CUSTOMER)),
)
