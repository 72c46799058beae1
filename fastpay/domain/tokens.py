"""Tokens: a card, a bank account or a security code that was sent once, to be used once."""

from collections.abc import Iterable
from typing import ClassVar

import msgspec

from fastpay.domain.bank_accounts import BankAccount
from fastpay.domain.cards import BEHAVIOURS, NO_CARD, Card, check_valid
from fastpay.domain.identifiers import digits
from fastpay.domain.objects import Address, PaymentMethod, StoredObject
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import InvalidRequest

CARD = "card"
BANK_ACCOUNT = "bank_account"
CVC_UPDATE = "cvc_update"
# The parameter that holds the token of a security code.
CVC_PARAM = "payment_method_options[card][cvc_token]"


class Token(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """What a request can name in place of a card, a bank account or a security code, by its `type`.

    No number is ever stored, and of a security code nothing at all.
    """

    prefix: ClassVar[str] = "tok"
    noun: ClassVar[str] = "token"
    param: ClassVar[str] = "token"

    card: Card = NO_CARD
    # What the dialect shows as the identifier of the card inside.
    card_id: str = ""
    address: Address = Address()
    name: str | None = None
    used: bool = False
    type: str = CARD
    bank_account: BankAccount | None = None


class CreateToken(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Keep a card, or what is in its place, until its token is used."""

    card: Card = NO_CARD
    address: Address = Address()
    name: str | None = None
    type: str = CARD
    bank_account: BankAccount | None = None

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return ()

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the token. Raises: CardDeclined if the card has expired."""
        if self.type == CARD:
            check_valid(self.card, moment_s=draft.moment_s, param="card")
        identifier = draft.new_id(Token.prefix)
        account = self.bank_account
        if account is not None:
            account = msgspec.structs.replace(account, id=f"ba_{digits(identifier)}")
        token = Token(
            id=identifier,
            created=draft.moment_s,
            card=self.card,
            card_id=f"card_{digits(identifier)}",
            address=self.address,
            name=self.name,
            type=self.type,
            bank_account=account,
        )
        draft.put(token, "token.created")
        return identifier


def redeem(workspace: Workspace, draft: Draft, identifier: str, *, param: str, wanted: str = CARD) -> Token:
    """Return the token and write that it is used.

    The caller must add an event for what it is used for. Raises: InvalidRequest about `param` if there is no
    such token, it is of another type than the `wanted` one, or it was used before.
    """
    token = workspace.find(identifier)
    if not isinstance(token, Token):
        raise missing_token(identifier, param=param)
    if token.type != wanted:
        raise InvalidRequest(
            f"The token {identifier} is of the type {token.type}. Give one of the type {wanted}.", param=param
        )
    if token.used:
        raise InvalidRequest(
            f"You cannot use a token more than once: {identifier}.", code="token_already_used", param=param
        )
    draft.put(msgspec.structs.replace(token, used=True), None)
    return token


def recollect_cvc(workspace: Workspace, draft: Draft, method: PaymentMethod, token: str) -> PaymentMethod:
    """Return a card with the check of the security code that a token stands for. The caller writes it.

    Raises: InvalidRequest if the token cannot be used.
    """
    redeem(workspace, draft, token, param=CVC_PARAM, wanted=CVC_UPDATE)
    checked = BEHAVIOURS[method.card.behaviour].cvc_check
    return msgspec.structs.replace(method, card=msgspec.structs.replace(method.card, cvc_check=checked))


def missing_token(identifier: str, *, param: str) -> InvalidRequest:
    """Return the error for a token that does not exist."""
    return InvalidRequest(f"No such token: '{identifier}'", code="resource_missing", param=param)
