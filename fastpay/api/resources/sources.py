"""The sources of customers: their payment methods, as older integrations see them."""

from functools import partial
from typing import ClassVar, Literal

from msgspec import UNSET, UnsetType

from fastpay.api import answers, card_expiry, card_params
from fastpay.api.common_params import Identifier, Metadata, NoParams, Params, Text, given, value_or
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.envelopes import render_list
from fastpay.api.list_params import ListParams
from fastpay.api.lists import cut, page_of, require_owner, shown
from fastpay.api.resources.payment_methods import rows_of_type
from fastpay.api.routes import Contract, Policy, Route
from fastpay.api.snapshots import Snapshots, begin_page
from fastpay.api.source_shapes import DELETED_SOURCE, SOURCE
from fastpay.api.writes import Write
from fastpay.domain import kinds
from fastpay.domain.objects import PaymentMethod
from fastpay.domain.payment_methods import UpdatePaymentMethod
from fastpay.domain.sources import CreateSource, DeleteSource, UpdateSource, method_id
from fastpay.engine.ports import Filter


class CreateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Save a card to a customer."""

    creates: ClassVar[bool] = True

    source: Identifier
    metadata: Metadata | None = None


class UpdateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Update a source."""

    address_city: Text | UnsetType | None = UNSET
    address_country: Text | UnsetType | None = UNSET
    address_line1: Text | UnsetType | None = UNSET
    address_line2: Text | UnsetType | None = UNSET
    address_state: Text | UnsetType | None = UNSET
    address_zip: Text | UnsetType | None = UNSET
    exp_month: int | UnsetType = UNSET
    exp_year: int | UnsetType = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    name: Text | UnsetType | None = UNSET


class SourceListParams(ListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sources of a customer. All of them are cards, so a list of bank accounts is empty."""

    object: Literal["bank_account", "card"] = "card"


_ADDRESS = {
    "address_city": "city",
    "address_country": "country",
    "address_line1": "line1",
    "address_line2": "line2",
    "address_state": "state",
    "address_zip": "postal_code",
}


def create(call: Call, params: CreateParams) -> CreateSource:
    """Save a card to a customer."""
    return CreateSource(
        customer=call.arguments["id"],
        card=card_params.token_card(call, params.source, param="source", metadata=params.metadata or {}),
    )


def update(call: Call, params: UpdateParams) -> UpdateSource:
    """Update a source."""
    month, year = card_expiry.changed_expiry(call, params.exp_month, params.exp_year, prefix="")
    return UpdateSource(
        customer=call.arguments["id"],
        change=UpdatePaymentMethod(
            id=_method(call),
            fields={},
            billing_details=given(params, "name"),
            exp_month=month,
            exp_year=year,
            metadata=value_or(params.metadata, {}),
        ),
        address={_ADDRESS[name]: value for name, value in given(params, *_ADDRESS).items()},
    )


def delete(call: Call, params: NoParams) -> DeleteSource:
    """Take a source from its customer."""
    return DeleteSource(customer=call.arguments["id"], method=_method(call))


class RetrieveSource:
    """The endpoint that shows one source of a customer."""

    policy = Policy()
    contract = Contract(NoParams, SOURCE)

    async def answer(self, call: Call) -> Reply:
        """Show the source. Raises: NotFound, also for another customer's."""
        params = decode_query(NoParams, call.query)
        paths = answers.check_expansions(call, SOURCE, params.expand)
        identifier = _method(call)
        customer = await require_owner(call, kinds.CUSTOMER)
        found = await call.services.reader.get(call.scope, identifier)
        method = None if found is None else found.object
        if not isinstance(method, PaymentMethod) or (method.customer, method.type) != (customer.id, "card"):
            raise kinds.absent(kinds.SOURCE, call.arguments["source"])
        return Reply(body=await answers.shown(call, SOURCE, method, Snapshots(call), paths=paths))


class ListSources:
    """The endpoint that shows the sources of a customer, newest first."""

    policy = Policy()
    contract = Contract(SourceListParams, SOURCE, "list")

    async def answer(self, call: Call) -> Reply:
        """Show a page. Raises: InvalidRequest, NotFound."""
        params = decode_query(SourceListParams, call.query)
        paths = answers.check_expansions(call, SOURCE, params.expand, listed=True)
        call.ended("decode")
        customer = await require_owner(call, kinds.CUSTOMER)

        async def exists(identifier: str) -> bool:
            return await call.services.reader.get(call.scope, method_id(identifier)) is not None

        page = await page_of(params, kinds.SOURCE, exists)
        snapshots = await begin_page(call, paths)
        wanted = Filter(kind=kinds.PAYMENT_METHOD.prefix, values=(("customer", customer.id),))
        rows = await rows_of_type(params.object, page, partial(call.services.reader.list, call.scope, wanted))
        call.ended("read")
        found, has_more = cut(rows, page)
        items = await shown(SOURCE, found, paths, snapshots)
        return Reply(body=answers.encode(render_list(call.path, items, has_more)))


def _method(call: Call) -> str:
    """Return the payment method behind the source that the path names. Raises: NotFound."""
    return method_id(kinds.check(kinds.SOURCE, call.arguments["source"]))


_PATH = "/v1/customers/{id}/sources"

RESOURCES = (SOURCE,)
ROUTES = (
    Route("POST", _PATH, Write(SOURCE, CreateParams, create, path_kind=kinds.CUSTOMER)),
    Route("GET", _PATH, ListSources()),
    Route("GET", _PATH + "/{source}", RetrieveSource()),
    Route("POST", _PATH + "/{source}", Write(SOURCE, UpdateParams, update, path_kind=kinds.CUSTOMER)),
    Route("DELETE", _PATH + "/{source}", Write(DELETED_SOURCE, NoParams, delete, path_kind=kinds.CUSTOMER)),
)
