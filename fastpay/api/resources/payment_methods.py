"""Payment methods: stored cards."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import ClassVar, TypeVar

from msgspec import UNSET, UnsetType

from fastpay.api import answers, bank_account_params, card_expiry, card_params
from fastpay.api.bank_account_params import SepaDebitParams
from fastpay.api.card_params import (
    AllowRedisplay,
    CardParams,
    CustomerBalanceParams,
    MethodType,
    PaymentMethodData,
)
from fastpay.api.common_params import (
    AddressParams,
    BillingDetailsParams,
    Email,
    Identifier,
    Metadata,
    NoParams,
    Params,
    Part,
    Text,
    address,
    given,
    value_or,
)
from fastpay.api.common_shapes import BILLING_DETAILS, CHECKS
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.layout import Choice, Field, Mode, Nested, Shape, When, fields
from fastpay.api.list_params import ListParams
from fastpay.api.lists import List, Owner, RetrieveBelow, rows_that
from fastpay.api.reads import Retrieve
from fastpay.api.resource import Reference, Resource
from fastpay.api.routes import Route
from fastpay.api.snapshots import Snapshots
from fastpay.api.writes import Write
from fastpay.domain import iban_table, kinds
from fastpay.domain.bank_accounts import SepaDebit
from fastpay.domain.cards import MAGIC_PAYMENT_METHODS
from fastpay.domain.objects import Address, PaymentMethod
from fastpay.domain.payment_methods import (
    AttachPaymentMethod,
    CreatePaymentMethod,
    DetachPaymentMethod,
    UpdatePaymentMethod,
)
from fastpay.domain.plan import Versioned
from fastpay.engine.ports import Filter, Page
from fastpay.errors import InvalidRequest


class CreateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create a payment method. The fields are those of `PaymentMethodData`."""

    creates: ClassVar[bool] = True

    type: MethodType
    card: CardParams | UnsetType = UNSET
    sepa_debit: SepaDebitParams | UnsetType = UNSET
    customer_balance: CustomerBalanceParams | UnsetType = UNSET
    billing_details: BillingDetailsParams | UnsetType = UNSET
    metadata: Metadata | None = None
    allow_redisplay: AllowRedisplay = "unspecified"

    def data(self) -> PaymentMethodData:
        """Return them."""
        return PaymentMethodData(
            type=self.type,
            card=self.card,
            sepa_debit=self.sepa_debit,
            customer_balance=self.customer_balance,
            billing_details=self.billing_details,
            metadata=self.metadata,
            allow_redisplay=self.allow_redisplay,
        )


class CardChanges(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be changed of a card."""

    exp_month: int | UnsetType = UNSET
    exp_year: int | UnsetType = UNSET


class BillingDetailsChanges(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of billing details. What is not given does not change."""

    address: AddressParams | UnsetType | None = UNSET
    email: Email | UnsetType | None = UNSET
    name: Text | UnsetType | None = UNSET
    phone: Text | UnsetType | None = UNSET
    tax_id: Text | UnsetType | None = UNSET


class UpdateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Update a payment method."""

    allow_redisplay: AllowRedisplay | UnsetType = UNSET
    billing_details: BillingDetailsChanges | UnsetType = UNSET
    card: CardChanges | UnsetType = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class AttachParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Attach a payment method to a customer."""

    customer: Identifier


class TypedListParams(ListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Payment methods of a customer named by the path, of all types or of one."""

    type: MethodType | UnsetType = UNSET


class PaymentMethodListParams(TypedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Payment methods, those of one customer."""

    customer: Identifier | UnsetType = UNSET


_Listed = TypeVar("_Listed", bound=TypedListParams)

# Brands whose display name differs. Source: the dialect's values of card.display_brand.
_DISPLAY_BRANDS = {"amex": "american_express", "diners": "diners_club", "unionpay": "union_pay"}

# The behaviour of a test card is not shown.
CARD_DETAILS: Shape = {
    "brand": Field("card.brand"),
    "checks": CHECKS,
    "country": Field("card.country"),
    "display_brand": Choice("card.brand", _DISPLAY_BRANDS, otherwise=Field("card.brand")),
    "exp_month": Field("card.exp_month"),
    "exp_year": Field("card.exp_year"),
    "fingerprint": Field("card.fingerprint"),
    "funding": Field("card.funding"),
    "generated_from": None,
    "last4": Field("card.last4"),
    "networks": {
        "available": When(
            "card.behaviour",
            ["cartes_bancaires", Field("card.brand")],
            otherwise=[Field("card.brand")],
            equals="two_networks",
        ),
        "preferred": None,
    },
    "regulated_status": None,
    "three_d_secure_usage": {
        "supported": When("card.behaviour", False, otherwise=True, equals="authentication_unsupported")
    },
    "wallet": None,
}
_SEPA_DEBIT = Nested(
    "sepa_debit",
    SepaDebit,
    {
        **fields("bank_code", "branch_code", "country", "fingerprint"),
        "generated_from": {"charge": None, "setup_attempt": None},
        "last4": Field("last4"),
    },
)


def by_type(shape_of: Callable[[str, Shape], Shape]) -> When:
    """Return the shape for the field `type`: `shape_of` is given the type and the details that it has."""
    return When(
        "type",
        shape_of("sepa_debit", _SEPA_DEBIT),
        otherwise=When(
            "type",
            shape_of("customer_balance", {}),
            otherwise=shape_of("card", CARD_DETAILS),
            equals="customer_balance",
        ),
        equals="sepa_debit",
    )


def _shape(name: str, details: Shape) -> Shape:
    """Return the shape of a payment method of one type."""
    return {
        "id": Field("id"),
        "object": "payment_method",
        "allow_redisplay": Field("allow_redisplay"),
        "billing_details": BILLING_DETAILS,
        name: details,
        "created": Field("created"),
        "customer": Field("customer"),
        "customer_account": None,
        "livemode": Mode(),
        "metadata": Field("metadata"),
        "type": Field("type"),
    }


PAYMENT_METHOD = Resource(
    kinds.PAYMENT_METHOD,
    shape=by_type(_shape),
    expandable={"customer": Reference((kinds.CUSTOMER,))},
)


class RetrieveMethod(Retrieve[NoParams]):
    """The endpoint that shows a payment method, also by its identifier as a source."""

    async def answer(self, call: Call) -> Reply:
        """Show the payment method. Raises: NotFound."""
        identifier = call.arguments["id"]
        if not kinds.could_be(kinds.SOURCE, identifier):
            return await super().answer(call)
        paths = answers.check_expansions(call, self.resource, decode_query(NoParams, call.query).expand)
        method = card_params.named(identifier)
        found = await call.services.reader.get(call.scope, method)
        if found is None:
            raise kinds.absent(kinds.PAYMENT_METHOD, identifier)
        shown = Snapshots(call, {method: found})
        return Reply(body=await answers.shown(call, self.resource, found.object, shown, paths=paths))


class MethodList(List[_Listed]):
    """A list of payment methods, of one type if the request names it.

    No index has the type, so that no payment pays for one. Other types are left out while reading on.
    """

    async def _rows(self, call: Call, params: _Listed, wanted: Filter, page: Page) -> Sequence[Versioned]:
        if isinstance(params.type, UnsetType):
            return await super()._rows(call, params, wanted, page)
        return await rows_of_type(params.type, page, partial(super()._rows, call, params, wanted))


async def rows_of_type(
    method_type: str, page: Page, read: Callable[[Page], Awaitable[Sequence[Versioned]]]
) -> Sequence[Versioned]:
    """Return the rows of a page that are payment methods of a type. `read` returns those of all types.

    Raises: InvalidRequest if too few of many are of this type.
    """
    return await rows_that(
        lambda stored: getattr(stored, "type", "") == method_type,
        page,
        read,
        refusal=InvalidRequest(
            "Too few of the payment methods are of this type. Give a customer, or leave the type out.",
            param="type",
        ),
    )


def create(call: Call, params: CreateParams) -> CreatePaymentMethod:
    """Create a payment method."""
    return CreatePaymentMethod(card=card_params.new_card(call, params.data(), param=""))


async def check_created(call: Call, params: CreateParams) -> None:
    """Allow publishable keys: nobody owns the payment method, and only its identifier leads to it."""


def update(call: Call, params: UpdateParams) -> UpdatePaymentMethod:
    """Update a payment method."""
    changes = value_or(params.card, CardChanges())
    month, year = card_expiry.changed_expiry(call, changes.exp_month, changes.exp_year, prefix="card")
    return UpdatePaymentMethod(
        id=card_params.named(call.arguments["id"]),
        fields=given(params, "allow_redisplay"),
        billing_details=_billing_changes(params.billing_details),
        exp_month=month,
        exp_year=year,
        metadata=value_or(params.metadata, {}),
    )


def attach(call: Call, params: AttachParams) -> AttachPaymentMethod:
    """Attach a payment method to a customer. A magic one becomes a new payment method."""
    return AttachPaymentMethod(
        payment_method=card_params.choice(call, call.arguments["id"]),
        customer=kinds.check(kinds.CUSTOMER, params.customer, param="customer"),
    )


def detach(call: Call, params: NoParams) -> DetachPaymentMethod:
    """Detach a payment method from its customer."""
    return DetachPaymentMethod(id=card_params.named(call.arguments["id"]))


def magic(call: Call, identifier: str) -> PaymentMethod | None:
    """Return a magic payment method without storing it, None for any other."""
    if call.scope.livemode:
        return None
    number = MAGIC_PAYMENT_METHODS.get(identifier)
    if number is not None:
        return PaymentMethod(id=identifier, created=0, card=card_params.magic_card(call, number))
    number = iban_table.MAGIC_PAYMENT_METHODS.get(identifier)
    if number is None:
        return None
    account = bank_account_params.magic_account(call, number)
    return PaymentMethod(
        id=identifier,
        created=0,
        billing_details=account.billing_details,
        type=account.type,
        sepa_debit=account.sepa_debit,
    )


def _billing_changes(params: BillingDetailsChanges | UnsetType) -> dict[str, object]:
    if isinstance(params, UnsetType):
        return {}
    changes = given(params, "email", "name", "phone", "tax_id")
    if not isinstance(params.address, UnsetType):
        changes["address"] = Address() if params.address is None else address(params.address)
    return changes


_OF_CUSTOMER = Owner(kinds.CUSTOMER, "customer")
RESOURCES = (PAYMENT_METHOD,)
ROUTES = (
    Route("POST", "/v1/payment_methods", Write(PAYMENT_METHOD, CreateParams, create, check=check_created)),
    Route(
        "GET",
        "/v1/payment_methods",
        MethodList(PAYMENT_METHOD, PaymentMethodListParams, filters={"customer": kinds.CUSTOMER}),
    ),
    Route("GET", "/v1/payment_methods/{id}", RetrieveMethod(PAYMENT_METHOD, NoParams, stand_in=magic)),
    Route(
        "POST",
        "/v1/payment_methods/{id}",
        Write(PAYMENT_METHOD, UpdateParams, update),
    ),
    # The path may name a source or a magic payment method, so commands check it with the other parameters.
    Route("POST", "/v1/payment_methods/{id}/attach", Write(PAYMENT_METHOD, AttachParams, attach)),
    Route(
        "POST",
        "/v1/payment_methods/{id}/detach",
        Write(PAYMENT_METHOD, NoParams, detach),
    ),
    Route(
        "GET",
        "/v1/customers/{id}/payment_methods",
        MethodList(PAYMENT_METHOD, TypedListParams, owner=_OF_CUSTOMER),
    ),
    Route(
        "GET",
        "/v1/customers/{id}/payment_methods/{payment_method}",
        RetrieveBelow(PAYMENT_METHOD, _OF_CUSTOMER, "payment_method"),
    ),
)
