"""Parameters that many requests share, and their conversion to the domain's types."""

from typing import Annotated, ClassVar, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.domain.objects import Address, BillingDetails, Shipping
from fastpay.errors import InvalidRequest


def told(meaning: str, *, code: str | None = None) -> dict[str, object]:
    """Return what an error says of a text that does not match a pattern: what it must be, and a code."""
    return {"meaning": meaning, "code": code}


Text = Annotated[str, Meta(min_length=1, max_length=limits.text_chars_max)]
# Lists are found by it.
TransferGroup = Annotated[str, Meta(min_length=1, max_length=limits.transfer_group_chars_max)]
Name = Annotated[str, Meta(min_length=1, max_length=limits.name_chars_max)]

# The end of a text: in Python, `$` alone also matches before a final line break.
_END = "$(?!\\n)"
_PLAIN = "[^<>\\\\'\"*]"

Email = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.email_chars_max,
        pattern=f"^[^@\\s]+@[^@\\s]+{_END}",
        extra=told("an email address, for example ada@example.com", code="email_invalid"),
    ),
]
Phone = Annotated[str, Meta(min_length=1, max_length=limits.phone_chars_max)]
Url = Annotated[str, Meta(min_length=1, max_length=limits.url_chars_max)]
Identifier = Annotated[str, Meta(min_length=1, max_length=limits.identifier_chars_max)]
Descriptor = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.descriptor_chars_max,
        pattern=f"^{_PLAIN}*[A-Za-z]{_PLAIN}*{_END}",
        extra=told("a text with at least one letter, without any of < > \\ ' \" *"),
    ),
]
DescriptorSuffix = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.descriptor_chars_max,
        pattern=f"^{_PLAIN}+{_END}",
        extra=told("a text without any of < > \\ ' \" *"),
    ),
]
Expand = Annotated[tuple[Text, ...], Meta(max_length=limits.expand_paths_max)]
Metadata = dict[str, str]


class Params(msgspec.Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """Parameters of every request.

    `creates` is True for requests that create an object: there, null means the same as a missing parameter.
    `chosen_names` are parameters that clients choose as names of what they create.
    """

    creates: ClassVar[bool] = False
    chosen_names: ClassVar[frozenset[str]] = frozenset()

    expand: Expand = ()

    def canonical(self) -> object:
        """Return what the fingerprint of the request is computed from."""
        return self


class Part(msgspec.Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """A parameter inside of another one.

    If it `is_forgotten`, it is not stored as it was sent, except for the texts that are named in `kept`.
    """

    is_forgotten: ClassVar[bool] = False
    kept: ClassVar[tuple[str, ...]] = ()


class NoParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No parameters but those of every request."""


class MetadataParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Update the metadata."""

    metadata: Metadata | UnsetType | None = UNSET


class AddressParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A postal address."""

    city: Text | None = None
    country: Text | None = None
    line1: Text | None = None
    line2: Text | None = None
    postal_code: Text | None = None
    state: Text | None = None


class ShippingParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where goods go."""

    address: AddressParams
    name: Text
    carrier: Text | None = None
    phone: Text | None = None
    tracking_number: Text | None = None


class BillingDetailsParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who pays."""

    address: AddressParams | None = None
    email: Email | None = None
    name: Text | None = None
    phone: Text | None = None
    tax_id: Text | None = None


_Value = TypeVar("_Value")
_Other = TypeVar("_Other")


def given(params: msgspec.Struct, *names: str) -> dict[str, object]:
    """Return the parameters of these names that the request has, also those that it unsets."""
    return {name: value for name in names if (value := getattr(params, name)) is not UNSET}


def value_or(value: _Value | UnsetType, otherwise: _Other) -> _Value | _Other:
    """Return the value, or `otherwise` if it is not given."""
    return otherwise if isinstance(value, UnsetType) else value


def first_metadata(value: Metadata | UnsetType | None) -> Metadata:
    """Return the metadata of a new object."""
    return {} if value is None or isinstance(value, UnsetType) else value


def address(params: AddressParams) -> Address:
    """Return the address as it is stored."""
    return Address(**msgspec.structs.asdict(params))


def shipping(params: ShippingParams) -> Shipping:
    """Return the shipping as it is stored."""
    return Shipping(**{**msgspec.structs.asdict(params), "address": address(params.address)})


def billing_details(params: BillingDetailsParams | UnsetType | None) -> BillingDetails:
    """Return the billing details as they are stored, empty if none are given."""
    if params is None or isinstance(params, UnsetType):
        return BillingDetails()
    where = Address() if params.address is None else address(params.address)
    return BillingDetails(**{**msgspec.structs.asdict(params), "address": where})


def refuse_together(first: str, second: str) -> InvalidRequest:
    """Return the error for two parameters of which only one may be given."""
    return InvalidRequest(f"Give either {first} or {second}, not both.", param=second)
