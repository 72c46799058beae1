"""Notes: everything about them that is HTTP."""

from typing import ClassVar

from msgspec import UNSET, UnsetType

from fastpay.api.common_params import Identifier, Metadata, NoParams, Params, Text, first_metadata
from fastpay.api.context import Call
from fastpay.api.layout import Field, Mode
from fastpay.api.list_params import CreatedListParams
from fastpay.api.lists import List
from fastpay.api.reads import Retrieve
from fastpay.api.resource import Reference, Resource
from fastpay.api.routes import Route
from fastpay.api.writes import Write
from fastpay.domain import kinds
from fastpay.domain.notes import CreateNote


class CreateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Write a note."""

    creates: ClassVar[bool] = True

    customer: Identifier
    text: Text
    metadata: Metadata | UnsetType | None = UNSET


class NoteListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Notes, those about one customer."""

    customer: Identifier | UnsetType = UNSET


NOTE = Resource(
    kinds.NOTE,
    shape={
        "id": Field("id"),
        "object": "note",
        "created": Field("created"),
        "customer": Field("customer"),
        "livemode": Mode(),
        "metadata": Field("metadata"),
        "text": Field("text"),
    },
    expandable={"customer": Reference((kinds.CUSTOMER,))},
)


def create(call: Call, params: CreateParams) -> CreateNote:
    """Write a note."""
    return CreateNote(
        customer=kinds.check(kinds.CUSTOMER, params.customer, param="customer"),
        text=params.text,
        metadata=first_metadata(params.metadata),
    )


RESOURCES = (NOTE,)
ROUTES = (
    Route("POST", "/v1/notes", Write(NOTE, CreateParams, create)),
    Route("GET", "/v1/notes", List(NOTE, NoteListParams, filters={"customer": kinds.CUSTOMER})),
    Route("GET", "/v1/notes/{id}", Retrieve(NOTE, NoParams)),
)
