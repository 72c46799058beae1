"""Params types with every kind of parameter, for the tests of decoding."""

import json
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fastpay.api.decoding import decode_params


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every params type is: frozen, by name only, and strict."""


class Address(Params, frozen=True, kw_only=True):
    line1: str
    city: str | UnsetType | None = UNSET


class Shipping(Params, frozen=True, kw_only=True):
    name: str
    address: Address | UnsetType = UNSET


class Item(Params, frozen=True, kw_only=True):
    price: str
    quantity: int = 1


class Created(Params, frozen=True, kw_only=True):
    gt: int | UnsetType = UNSET


class Card(Params, frozen=True, kw_only=True):
    number: Annotated[str, Meta(min_length=12, max_length=19, pattern="^[0-9]+$")]
    cvc: Annotated[str, Meta(max_length=4)] | UnsetType = UNSET
    exp_month: Annotated[int, Meta(ge=1, le=12)] | UnsetType = UNSET


class Example(Params, frozen=True, kw_only=True):
    amount: Annotated[int, Meta(ge=1, le=99_999_999)]
    currency: str
    offset: int | UnsetType = UNSET
    confirm: bool = False
    off_session: bool | Literal["one_off"] | UnsetType = UNSET
    capture_method: Literal["automatic", "manual"] = "automatic"
    version: Literal[1, 2] | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    note: str | UnsetType = UNSET
    limit: int | UnsetType | None = UNSET
    metadata: dict[str, str] | Literal[""] | UnsetType = UNSET
    counts: dict[str, int] | UnsetType = UNSET
    shipping: Shipping | UnsetType | None = UNSET
    card: Card | UnsetType = UNSET
    created: int | Created | UnsetType = UNSET
    expand: list[str] = []
    items: tuple[Item, ...] | UnsetType = UNSET


FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def decode_form(body: bytes, *, with_required: bool = True) -> Example:
    """Decode a form, put behind the two fields that an Example requires."""
    required = b"amount=1&currency=usd&" if with_required else b""
    return decode_params(Example, content_type=FORM, body=required + body, query=b"")


def decode_json(fields: dict[str, Any]) -> Example:
    """Decode JSON with the two fields that an Example requires."""
    body = json.dumps({"amount": 1, "currency": "usd"} | fields).encode()
    return decode_params(Example, content_type=JSON, body=body, query=b"")
