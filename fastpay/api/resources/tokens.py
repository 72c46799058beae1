"""Tokens: a card that a client sends once, so that a server need not see its number."""

from typing import ClassVar

from msgspec import UNSET

from fastpay.api import card_params
from fastpay.api.card_params import CardParams
from fastpay.api.common_params import NoParams, Params, Text
from fastpay.api.context import Call
from fastpay.api.layout import Field, Mode, Shape
from fastpay.api.reads import Retrieve
from fastpay.api.resource import Resource
from fastpay.api.routes import Route
from fastpay.api.source_shapes import CARD
from fastpay.api.writes import Write
from fastpay.domain import kinds
from fastpay.domain.cards import MAGIC_TOKENS
from fastpay.domain.objects import Address
from fastpay.domain.tokens import CreateToken, Token
from fastpay.errors import InvalidRequest


class TokenCardParams(CardParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A card with its holder's name and address."""

    kept: ClassVar[tuple[str, ...]] = (
        "address_city",
        "address_country",
        "address_line1",
        "address_line2",
        "address_state",
        "address_zip",
        "name",
    )

    address_city: Text | None = None
    address_country: Text | None = None
    address_line1: Text | None = None
    address_line2: Text | None = None
    address_state: Text | None = None
    address_zip: Text | None = None
    name: Text | None = None

    def __repr__(self) -> str:
        """Show nothing of the card."""
        return "TokenCardParams(...)"


class CreateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create a token."""

    creates: ClassVar[bool] = True

    card: TokenCardParams


_SHAPE: Shape = {
    "id": Field("id"),
    "object": "token",
    "card": {"id": Field("card_id"), "object": "card", **CARD, "metadata": {}},
    "client_ip": None,
    "created": Field("created"),
    "livemode": Mode(),
    "type": "card",
    "used": Field("used"),
}

TOKEN = Resource(kinds.TOKEN, shape=_SHAPE)


def create(call: Call, params: CreateParams) -> CreateToken:
    """Create a token."""
    card = params.card
    if card.token is not UNSET:
        raise InvalidRequest(
            "A token is made from the card's data, and not from another.", param="card[token]"
        )
    return CreateToken(
        card=card_params.raw_card(call, card, param="card"),
        name=card.name,
        address=Address(
            city=card.address_city,
            country=card.address_country,
            line1=card.address_line1,
            line2=card.address_line2,
            postal_code=card.address_zip,
            state=card.address_state,
        ),
    )


async def check_created(call: Call, params: CreateParams) -> None:
    """Allow publishable keys: nobody owns the token, and only its identifier leads to it."""


def magic(call: Call, identifier: str) -> Token | None:
    """Return a magic token without storing it, None for any other."""
    number = MAGIC_TOKENS.get(identifier)
    if number is None or call.scope.livemode:
        return None
    return Token(
        id=identifier, created=0, card=card_params.magic_card(call, number), card_id=f"card_{identifier}"
    )


RESOURCES = (TOKEN,)
ROUTES = (
    Route("POST", "/v1/tokens", Write(TOKEN, CreateParams, create, check=check_created)),
    Route("GET", "/v1/tokens/{id}", Retrieve(TOKEN, NoParams, stand_in=magic)),
)
