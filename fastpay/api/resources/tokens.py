"""Tokens: a card, a bank account or a security code that a client sends once, so that no server sees it."""

from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api import bank_account_params, card_params
from fastpay.api.bank_account_params import BankAccountParams
from fastpay.api.card_params import CardParams
from fastpay.api.common_params import NoParams, Params, Part, Text
from fastpay.api.context import Call
from fastpay.api.layout import Field, Mode, Nested, Shape, When
from fastpay.api.reads import Retrieve
from fastpay.api.resource import Resource
from fastpay.api.routes import Route
from fastpay.api.source_shapes import BANK_ACCOUNT, CARD
from fastpay.api.writes import Write
from fastpay.domain import kinds, tokens
from fastpay.domain.bank_accounts import BankAccount
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


class CvcUpdateParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The security code of a card that was saved before."""

    is_forgotten: ClassVar[bool] = True

    cvc: Annotated[str, Meta(max_length=limits.secret_number_chars_max)]

    def __repr__(self) -> str:
        """Show nothing of the code."""
        return "CvcUpdateParams(...)"


class CreateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create a token of one of these."""

    creates: ClassVar[bool] = True

    bank_account: BankAccountParams | UnsetType = UNSET
    card: TokenCardParams | UnsetType = UNSET
    cvc_update: CvcUpdateParams | UnsetType = UNSET


_TYPES = (tokens.BANK_ACCOUNT, tokens.CARD, tokens.CVC_UPDATE)

_SHAPE: Shape = {
    "id": Field("id"),
    "object": "token",
    "bank_account": Nested(
        "bank_account", BankAccount, {"id": Field("id"), **BANK_ACCOUNT, "customer": None}
    ),
    "card": When(
        "type",
        {"id": Field("card_id"), "object": "card", **CARD, "metadata": {}},
        equals=tokens.CARD,
    ),
    "client_ip": None,
    "created": Field("created"),
    "livemode": Mode(),
    "type": Field("type"),
    "used": Field("used"),
}

TOKEN = Resource(kinds.TOKEN, shape=_SHAPE)


def create(call: Call, params: CreateParams) -> CreateToken:
    """Create a token."""
    given = [name for name in _TYPES if getattr(params, name) is not UNSET]
    if len(given) != 1:
        raise InvalidRequest(
            f"Give one of {', '.join(_TYPES)}.",
            code="parameter_missing" if not given else None,
            param=given[1] if given else "card",
        )
    if not isinstance(params.bank_account, UnsetType):
        account = bank_account_params.bank_account(call, params.bank_account, param=tokens.BANK_ACCOUNT)
        return CreateToken(type=tokens.BANK_ACCOUNT, bank_account=account)
    if not isinstance(params.cvc_update, UnsetType):
        # Which card it belongs to, and so how many digits it has, is not known here.
        card_params.check_cvc(params.cvc_update.cvc, 4, param="cvc_update[cvc]")
        return CreateToken(type=tokens.CVC_UPDATE)
    return _card_token(call, params.card)


def _card_token(call: Call, card: TokenCardParams | UnsetType) -> CreateToken:
    assert not isinstance(card, UnsetType)
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
