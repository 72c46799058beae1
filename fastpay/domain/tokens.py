"""Tokens: a card that was sent once, to be used once."""

from collections.abc import Iterable
from typing import ClassVar

import msgspec

from fastpay.domain.cards import Card, check_valid
from fastpay.domain.identifiers import digits
from fastpay.domain.objects import Address, StoredObject
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import InvalidRequest


class Token(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """A card that becomes a payment method when the token is used. Its number is never stored."""

    prefix: ClassVar[str] = "tok"
    noun: ClassVar[str] = "token"
    param: ClassVar[str] = "token"

    card: Card
    # What the dialect shows as the identifier of the card inside.
    card_id: str
    address: Address = Address()
    name: str | None = None
    used: bool = False


class CreateToken(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Keep a card until its token is used."""

    card: Card
    address: Address = Address()
    name: str | None = None

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return ()

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the token. Raises: CardDeclined if the card has expired."""
        check_valid(self.card, moment_s=draft.moment_s, param="card")
        identifier = draft.new_id(Token.prefix)
        token = Token(
            id=identifier,
            created=draft.moment_s,
            card=self.card,
            card_id=f"card_{digits(identifier)}",
            address=self.address,
            name=self.name,
        )
        draft.put(token, "token.created")
        return identifier


def redeem(workspace: Workspace, draft: Draft, identifier: str, *, param: str) -> Token:
    """Return the token and write that it is used.

    The caller must add an event for what it is used for. Raises: InvalidRequest about `param` if there is no
    such token or it was used before.
    """
    token = workspace.find(identifier)
    if not isinstance(token, Token):
        raise missing_token(identifier, param=param)
    if token.used:
        raise InvalidRequest(
            f"You cannot use a token more than once: {identifier}.", code="token_already_used", param=param
        )
    draft.put(msgspec.structs.replace(token, used=True), None)
    return token


def missing_token(identifier: str, *, param: str) -> InvalidRequest:
    """Return the error for a token that does not exist."""
    return InvalidRequest(f"No such token: '{identifier}'", code="resource_missing", param=param)
