"""How the dialect shows a card or a bank account on its own: as a source, or inside of a token."""

from collections.abc import Sequence

import msgspec

from fastpay.api.layout import Choice, Field, Shape, fields, template
from fastpay.api.resource import ALWAYS_NULL, Encoding, Reference, Resource, Snapshot
from fastpay.domain import kinds, sources
from fastpay.domain.cards import Card
from fastpay.domain.objects import Address, PaymentMethod

# Brands as this object names them. Source: the dialect's values of card.brand.
_BRANDS = {
    "amex": "American Express",
    "diners": "Diners Club",
    "discover": "Discover",
    "jcb": "JCB",
    "mastercard": "MasterCard",
    "unionpay": "UnionPay",
    "visa": "Visa",
}
# What structs with a card, an address and a name show alike.
CARD: dict[str, Shape] = {
    "address_city": Field("address.city"),
    "address_country": Field("address.country"),
    "address_line1": Field("address.line1"),
    "address_line1_check": Field("card.address_line1_check"),
    "address_line2": Field("address.line2"),
    "address_state": Field("address.state"),
    "address_zip": Field("address.postal_code"),
    "address_zip_check": Field("card.address_postal_code_check"),
    "brand": Choice("card.brand", _BRANDS, otherwise="Unknown"),
    "country": Field("card.country"),
    "cvc_check": Field("card.cvc_check"),
    "dynamic_last4": None,
    "exp_month": Field("card.exp_month"),
    "exp_year": Field("card.exp_year"),
    "fingerprint": Field("card.fingerprint"),
    "funding": Field("card.funding"),
    "last4": Field("card.last4"),
    "name": Field("name"),
    "networks": {"preferred": None},
    "regulated_status": None,
    "tokenization_method": None,
}
# What a bank account shows, wherever it is.
BANK_ACCOUNT: dict[str, Shape] = {
    "object": "bank_account",
    **fields("account_holder_name", "account_holder_type", "account_type"),
    "bank_name": "Test bank",
    **fields("country", "currency", "fingerprint", "last4", "routing_number"),
    "metadata": {},
    # Nobody has verified it: test mode has no bank.
    "status": "new",
}


class _Source(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A payment method as a source."""

    id: str
    card: Card
    address: Address
    name: str | None
    allow_redisplay: str
    customer: str | None
    metadata: dict[str, str]


_SHAPE: Shape = {
    "id": Field("id"),
    "object": "card",
    **CARD,
    **fields("allow_redisplay", "customer", "metadata"),
}
_DELETED_SHAPE: Shape = {"id": Field("id"), "object": "card", "deleted": True}
_SOURCE = template(_Source, _SHAPE)
_DELETED = template(_Source, _DELETED_SHAPE)


def _source(stored: msgspec.Struct, livemode: bool, whole: bytes | None = None, /) -> bytes:
    return _SOURCE.render(_as_source(stored), livemode)


def _deleted(stored: msgspec.Struct, livemode: bool, whole: bytes | None = None, /) -> bytes:
    return _DELETED.render(_as_source(stored), livemode)


def _as_source(stored: msgspec.Struct) -> _Source:
    assert isinstance(stored, PaymentMethod)
    return _Source(
        id=sources.source_id(stored.id),
        card=stored.card,
        address=stored.billing_details.address,
        name=stored.billing_details.name,
        allow_redisplay=stored.allow_redisplay,
        customer=stored.customer,
        metadata=stored.metadata,
    )


async def _load(snapshot: Snapshot, identifiers: Sequence[str]) -> dict[str, dict[str, object]]:
    """Return the sources that exist."""
    found = await snapshot.load([sources.method_id(identifier) for identifier in identifiers])
    return {
        sources.source_id(identifier): SOURCE.render(versioned.object, snapshot.scope.livemode)
        for identifier, versioned in found.items()
    }


SOURCE = Resource(
    kinds.SOURCE,
    shape=_SHAPE,
    encode=Encoding(_Source, _source),
    expandable={"customer": Reference((kinds.CUSTOMER,)), "account": ALWAYS_NULL},
    load=_load,
    struct=PaymentMethod,
)
# The answer to a deletion.
DELETED_SOURCE = Resource(
    kinds.SOURCE,
    shape=_DELETED_SHAPE,
    encode=Encoding(_Source, _deleted),
    load=_load,
    struct=PaymentMethod,
)
