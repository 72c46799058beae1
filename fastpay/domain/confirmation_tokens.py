"""Confirmation tokens: what a client collected for one confirmation, kept until the server uses it."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Protocol

import msgspec

from fastpay import limits
from fastpay.domain import payment_methods
from fastpay.domain.bank_accounts import SepaDebit
from fastpay.domain.cards import Card
from fastpay.domain.objects import BillingDetails, Shipping, StoredObject
from fastpay.domain.payment_methods import Choice, NewCard
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import InvalidRequest


class ConfirmationToken(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """A payment method, new or not, with what the payer chose. It is good for one confirmation."""

    prefix: ClassVar[str] = "ctoken"
    noun: ClassVar[str] = "confirmation_token"
    param: ClassVar[str] = "confirmation_token"

    card: Card
    expires_at: int
    allow_redisplay: str = "unspecified"
    billing_details: BillingDetails = BillingDetails()
    customer: str | None = None
    payment_intent: str | None = None
    payment_method: str | None = None
    return_url: str | None = None
    setup_future_usage: str | None = None
    setup_intent: str | None = None
    shipping: Shipping | None = None
    type: str = "card"
    sepa_debit: SepaDebit | None = None


class CreateConfirmationToken(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Keep what was collected. `fields` are checked fields of `ConfirmationToken`."""

    payment_method: Choice
    fields: Mapping[str, object] = {}

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return payment_methods.chosen_ids(self.payment_method)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the token. Raises: CardDeclined, InvalidRequest, NotFound."""
        method = payment_methods.take(workspace, draft, self.payment_method)
        token = ConfirmationToken(
            **{
                "id": draft.new_id(ConfirmationToken.prefix),
                "created": draft.moment_s,
                "card": method.card,
                "expires_at": draft.moment_s + limits.confirmation_token_s,
                "allow_redisplay": method.allow_redisplay,
                "billing_details": method.billing_details,
                "customer": method.customer,
                "type": method.type,
                "sepa_debit": method.sepa_debit,
                "payment_method": method.id if isinstance(self.payment_method, str) else None,
                **self.fields,
            }  # type: ignore[arg-type]
        )
        draft.put(token, "confirmation_token.created")
        return token.id


class Confirmation(Protocol):
    """A command that confirms an intent, and may be given what a token holds."""

    def with_token(self, token: ConfirmationToken, choice: Choice) -> "Confirmation":
        """Return the command with the payment method and the choices of the payer, and without the token."""

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Confirm."""


def needs(workspace: Workspace, identifier: str | None) -> tuple[str, ...]:
    """Return the identifiers to load for a confirmation with this token."""
    if identifier is None:
        return ()
    token = workspace.find(identifier)
    if isinstance(token, ConfirmationToken) and token.payment_method is not None:
        return (identifier, token.payment_method)
    return (identifier,)


def confirm(
    workspace: Workspace, draft: Draft, command: Confirmation, identifier: str, *, used_by: str
) -> str:
    """Run a command with what a token holds, and write that the token is used.

    `used_by` is the field of the token that names the intent. A confirmation that changes nothing, since the
    intent's state does not allow it, does not use the token. Raises: InvalidRequest, NotFound.
    """
    token = workspace.require(ConfirmationToken, identifier)
    if token.payment_intent is not None or token.setup_intent is not None:
        raise InvalidRequest(
            f"The confirmation token {identifier} was used before, and it can be used only once.",
            code="confirmation_token_already_used",
            param="confirmation_token",
        )
    if draft.moment_s > token.expires_at:
        raise InvalidRequest(
            f"The confirmation token {identifier} has expired.",
            code="confirmation_token_expired",
            param="confirmation_token",
        )
    choice: Choice = token.payment_method or NewCard(
        card=token.card,
        param="confirmation_token",
        billing_details=token.billing_details,
        allow_redisplay=token.allow_redisplay,
        type=token.type,
        sepa_debit=token.sepa_debit,
    )
    intent = command.with_token(token, choice).execute(workspace, draft)
    if draft.is_announced:
        draft.put(msgspec.structs.replace(token, **{used_by: intent}), None)
    return intent


def chosen_fields(token: ConfirmationToken, *names: str) -> dict[str, object]:
    """Return those of the token's fields that have a value."""
    return {name: value for name in names if (value := getattr(token, name)) is not None}
