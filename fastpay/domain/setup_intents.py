"""Commands on setup intents, and the life cycle that they follow.

    requires_payment_method -> requires_confirmation -> (requires_action) -> succeeded

A live one is processing until its processor has answered (see live_setups.py).
Every state but succeeded and canceled can be canceled. A decline leads back to requires_payment_method.
"""

from collections.abc import Iterable, Mapping

import msgspec

from fastpay.domain import (
    charging,
    confirmation_tokens,
    customers,
    payment_methods,
    processing,
    setting_up,
)
from fastpay.domain import metadata as metadata_rules
from fastpay.domain.confirmation_tokens import ConfirmationToken
from fastpay.domain.connected_accounts import ConnectedAccount
from fastpay.domain.error_links import NO_LINKS, ErrorLinks
from fastpay.domain.mandates import MandateData
from fastpay.domain.objects import PaymentMethod
from fastpay.domain.plan import Draft, Workspace
from fastpay.domain.processor_objects import Route
from fastpay.domain.setup_objects import SetupIntent
from fastpay.errors import UnexpectedState

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
# Fields that can change after the setup is over.
_ALWAYS_MUTABLE = frozenset(("description",))
_UNEXPECTED_STATE = "setup_intent_unexpected_state"


class CreateSetupIntent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Create a setup intent, and confirm it at once if `confirm` is set.

    `fields` are checked fields of `SetupIntent`. `secret` is the random part of its client secret. `route`
    leads to the processor in live mode.
    """

    secret: str
    fields: Mapping[str, object] = {}
    metadata: Mapping[str, str] = {}
    customer: str | None = None
    payment_method: payment_methods.Choice | None = None
    confirm: bool = False
    confirmation_token: str | None = None
    mandate: MandateData | None = None
    page: str | None = None
    links: ErrorLinks = NO_LINKS
    route: Route | None = None

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        needed = [
            *payment_methods.chosen_ids(self.payment_method),
            *confirmation_tokens.needs(workspace, self.confirmation_token),
        ]
        named = (self.customer, self.fields.get("on_behalf_of"))
        return [*needed, *(name for name in named if isinstance(name, str))]

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Create the setup intent."""
        if self.confirmation_token is not None:
            return confirmation_tokens.confirm(
                workspace, draft, self, self.confirmation_token, used_by="setup_intent"
            )
        if self.customer is not None:
            customers.require(workspace, self.customer, param="customer")
        account = self.fields.get("on_behalf_of")
        if isinstance(account, str):
            workspace.require(ConnectedAccount, account, param="on_behalf_of")
        identifier = draft.new_id(SetupIntent.prefix)
        intent = SetupIntent(
            **{
                "id": identifier,
                "created": draft.moment_s,
                "status": "requires_payment_method",
                "client_secret": f"{identifier}_secret_{self.secret}",
                "customer": self.customer,
                "metadata": metadata_rules.merge({}, self.metadata),
                **self.fields,
            }  # type: ignore[arg-type]
        )
        draft.put(intent, "setup_intent.created")
        if self.payment_method is None:
            if self.confirm:
                raise _no_payment_method()
            return identifier
        method = payment_methods.take(workspace, draft, self.payment_method)
        is_new = not isinstance(self.payment_method, str)
        charging.check_owner(intent, method)
        if self.confirm:
            setting_up.attempt(
                workspace,
                draft,
                intent,
                method=method,
                is_new=is_new,
                terms=_terms(self),
            )
            return identifier
        if is_new:
            draft.put(method, None)
        draft.put(
            msgspec.structs.replace(intent, status="requires_confirmation", payment_method=method.id), None
        )
        return identifier

    def with_token(self, token: ConfirmationToken, choice: payment_methods.Choice) -> "CreateSetupIntent":
        """Return the command with what the token holds. `usage` follows from what the payer was told."""
        fields = {**self.fields, **confirmation_tokens.chosen_fields(token, "return_url")}
        if token.setup_future_usage is not None:
            fields["usage"] = token.setup_future_usage
        return msgspec.structs.replace(self, confirmation_token=None, fields=fields, payment_method=choice)


class UpdateSetupIntent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Change a setup intent. `metadata` None clears all of it."""

    id: str
    fields: Mapping[str, object] = {}
    metadata: Mapping[str, str] | None = {}
    payment_method: payment_methods.Choice | None = None
    clears_payment_method: bool = False

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        needed = [*_with_attempt(workspace, self.id), *payment_methods.chosen_ids(self.payment_method)]
        customer = self.fields.get("customer")
        return [*needed, customer] if isinstance(customer, str) else needed

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the changed setup intent."""
        intent = workspace.require(SetupIntent, self.id)
        changes_method = self.payment_method is not None or self.clears_payment_method
        if intent.status not in OPEN and (changes_method or not _ALWAYS_MUTABLE.issuperset(self.fields)):
            frozen = sorted(set(self.fields) - _ALWAYS_MUTABLE)
            _refuse_state(draft, intent, "update", param=frozen[0] if frozen else "payment_method")
            return intent.id
        customer = self.fields.get("customer")
        if isinstance(customer, str):
            customers.require(workspace, customer, param="customer")
        changed = msgspec.structs.replace(
            intent, **self.fields, metadata=metadata_rules.merge(intent.metadata, self.metadata)
        )
        if self.payment_method is not None:
            method = payment_methods.take(workspace, draft, self.payment_method)
            charging.check_owner(changed, method)
            if not isinstance(self.payment_method, str):
                draft.put(method, None)
            changed = msgspec.structs.replace(
                changed, payment_method=method.id, status="requires_confirmation"
            )
        elif self.clears_payment_method:
            changed = msgspec.structs.replace(changed, payment_method=None, status="requires_payment_method")
        if changed.status != "requires_action":
            # The cardholder was asked about another payment method.
            setting_up.abandon(workspace, draft, intent)
        draft.put(changed, "setup_intent.updated")
        return intent.id


class ConfirmSetupIntent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Set the payment method up.

    `route` leads to the processor in live mode. It `continues` if its processor was just asked what the
    cardholder has done, so that the answer is the setup as it is then.
    """

    id: str
    fields: Mapping[str, object] = {}
    payment_method: payment_methods.Choice | None = None
    confirmation_token: str | None = None
    mandate: MandateData | None = None
    page: str | None = None
    links: ErrorLinks = NO_LINKS
    route: Route | None = None
    continues: bool = False

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load, including those that the setup intent refers to."""
        needed = [
            *_with_attempt(workspace, self.id),
            *payment_methods.chosen_ids(self.payment_method),
            *confirmation_tokens.needs(workspace, self.confirmation_token),
        ]
        intent = workspace.find(self.id)
        if isinstance(intent, SetupIntent):
            needed.extend(name for name in (intent.payment_method, intent.customer) if name is not None)
        return needed

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Make the attempt."""
        if self.confirmation_token is not None:
            return confirmation_tokens.confirm(
                workspace, draft, self, self.confirmation_token, used_by="setup_intent"
            )
        intent = workspace.require(SetupIntent, self.id)
        if self.continues or processing.awaits_cardholder(workspace, intent):
            return intent.id
        if intent.status not in OPEN:
            _refuse_state(draft, intent, "confirm")
            return intent.id
        choice = self.payment_method if self.payment_method is not None else intent.payment_method
        if choice is None:
            draft.fail(_no_payment_method(), setup_intent=intent.id)
            return intent.id
        if intent.customer is not None:
            # Nothing can be saved to a deleted customer.
            customers.require(workspace, intent.customer, param="customer")
        method = payment_methods.take(workspace, draft, choice)
        setting_up.attempt(
            workspace,
            draft,
            msgspec.structs.replace(intent, **self.fields),
            method=method,
            is_new=not isinstance(choice, str),
            terms=_terms(self),
        )
        return intent.id

    def with_token(self, token: ConfirmationToken, choice: payment_methods.Choice) -> "ConfirmSetupIntent":
        """Return the command with what the token holds."""
        fields = {**self.fields, **confirmation_tokens.chosen_fields(token, "return_url")}
        return msgspec.structs.replace(self, confirmation_token=None, fields=fields, payment_method=choice)


class AuthenticateSetupIntent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Simulate the cardholder's authentication in test mode."""

    id: str
    succeeds: bool
    links: ErrorLinks = NO_LINKS

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return ConfirmSetupIntent(id=self.id).needs(workspace)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Finish the attempt that waits for the cardholder."""
        intent = workspace.require(SetupIntent, self.id)
        waiting = setting_up.waiting_attempt(workspace, intent)
        if intent.status != "requires_action" or waiting is None or workspace.scope.livemode:
            _refuse_state(draft, intent, "authenticate")
            return intent.id
        if intent.customer is not None and self.succeeds:
            customers.require(workspace, intent.customer, param="customer")
        method = workspace.require(PaymentMethod, waiting.payment_method)
        charging.check_owner(intent, method)
        setting_up.authenticate(draft, intent, waiting, method, succeeds=self.succeeds, links=self.links)
        return intent.id


class CancelSetupIntent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Cancel a setup."""

    id: str
    reason: str | None = None

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return _with_attempt(workspace, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the canceled setup intent."""
        intent = workspace.require(SetupIntent, self.id)
        if intent.status not in OPEN:
            _refuse_state(draft, intent, "cancel")
            return intent.id
        setting_up.abandon(workspace, draft, intent)
        canceled = msgspec.structs.replace(intent, status="canceled", cancellation_reason=self.reason)
        draft.put(canceled, "setup_intent.canceled")
        return intent.id


def _terms(command: CreateSetupIntent | ConfirmSetupIntent) -> setting_up.Terms:
    return setting_up.Terms(
        mandate=command.mandate, page=command.page, links=command.links, route=command.route
    )


def _with_attempt(workspace: Workspace, identifier: str) -> list[str]:
    intent = workspace.find(identifier)
    latest = intent.latest_attempt if isinstance(intent, SetupIntent) else None
    return [identifier] if latest is None else [identifier, latest]


def _refuse_state(draft: Draft, intent: SetupIntent, verb: str, *, param: str | None = None) -> None:
    """Answer with the error that the state does not allow it, and with the setup intent."""
    message = f"You cannot {verb} this SetupIntent because it has a status of {intent.status}."
    if verb != "authenticate":
        message += f" Only a SetupIntent with one of the following statuses may be {_PAST[verb]}: "
        message += f"{', '.join(OPEN)}."
    draft.fail(UnexpectedState(message, code=_UNEXPECTED_STATE, param=param), setup_intent=intent.id)


_PAST = {"cancel": "canceled", "confirm": "confirmed", "update": "updated"}


def _no_payment_method() -> UnexpectedState:
    return UnexpectedState(
        "You cannot confirm this SetupIntent because it is missing a payment method. Give one in the "
        "payment_method parameter, or update the SetupIntent with one first.",
        code=_UNEXPECTED_STATE,
        param="payment_method",
    )
