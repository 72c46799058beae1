"""Commands on payment intents, and the life cycle that they follow.

    requires_payment_method -> requires_confirmation -> (requires_action) -> succeeded
                                                                          -> requires_capture -> succeeded
                                                     -> processing (a debit) -> succeeded
                                                     -> requires_action (a bank transfer) -> succeeded

Every state but succeeded and canceled can be canceled. A decline leads back to requires_payment_method.
`captures.py` has the commands on authorized payments.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from fastpay._native.structs import replace
from fastpay.domain import (
    attempts,
    bank_payments,
    charging,
    confirmation_tokens,
    customers,
    debits,
    destinations,
    ledger,
    mandates,
    options,
    payment_methods,
    processing,
    prototypes,
    sources,
)
from fastpay.domain import metadata as metadata_rules
from fastpay.domain.cards import MOVES_MORE
from fastpay.domain.cash_objects import CASH
from fastpay.domain.charging import Terms
from fastpay.domain.confirmation_tokens import ConfirmationToken
from fastpay.domain.error_links import NO_LINKS, ErrorLinks
from fastpay.domain.objects import PaymentIntent, PaymentMethod
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import InvalidRequest, UnexpectedState

OPEN = frozenset(("requires_payment_method", "requires_confirmation", "requires_action"))
# Fields that can change after the confirmation.
ALWAYS_MUTABLE = frozenset(
    ("description", "receipt_email", "shipping", "transfer_group", "statement_descriptor")
)
# What clients match on, in the words of the dialect.
_ALLOWED = {
    "cancel": "canceled: requires_payment_method, requires_capture, requires_confirmation, "
    "requires_action, processing",
}


class CreatePaymentIntent(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Create a payment intent, and confirm it at once if `confirm` is set.

    `fields` are checked fields of `PaymentIntent`, `extras` those of its `PaymentExtras`. `secret` is the
    random part of its client secret.
    """

    amount: int
    currency: str
    secret: str
    fields: Mapping[str, object] = {}
    extras: Mapping[str, object] = {}
    metadata: Mapping[str, str] = {}
    customer: str | None = None
    payment_method: payment_methods.Choice | None = None
    confirm: bool = False
    confirmation_token: str | None = None
    terms: Terms = Terms()

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        names_more = self.customer or self.terms.mandate or self.extras
        if self.confirm and not names_more and payment_methods.is_plain_card(self.payment_method):
            return ledger.account_ids(workspace.scope, self.currency, self.terms.route is not None)
        needed = list(payment_methods.chosen_ids(self.payment_method))
        if self.customer is not None:
            needed.append(self.customer)
        if self.terms.mandate is not None:
            needed.append(self.terms.mandate)
        if self.confirm:
            if self.payment_method is None:
                needed.extend(_default_source(workspace, self.customer))
                needed.extend(confirmation_tokens.needs(workspace, self.confirmation_token))
            needed.extend(ledger.account_ids(workspace.scope, self.currency, self.terms.route is not None))
            needed.extend(_method_needs(workspace, self.payment_method, self.currency, self.customer))
        if self.extras:
            extras = options.merge(None, self.extras)
            needed += [*extras.references, *destinations.needs(workspace, extras, self.currency)]
        return needed

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Create the payment intent."""
        if self.confirmation_token is not None:
            return confirmation_tokens.confirm(
                workspace, draft, self, self.confirmation_token, used_by="payment_intent"
            )
        rules = workspace.book.rules
        if rules.amount_minimums:
            rules.check_minimum(self.amount, self.currency)
        if self.customer is not None:
            customers.require(workspace, self.customer, param="customer")
        identifier = draft.new_id(PaymentIntent.prefix)
        intent = replace(
            prototypes.PAYMENT_INTENT,
            id=identifier,
            created=draft.moment_s,
            amount=self.amount,
            currency=self.currency,
            client_secret=f"{identifier}_secret_{self.secret}",
            customer=self.customer,
            metadata=metadata_rules.merge({}, self.metadata),
        )
        if self.fields:
            intent = replace(intent, **self.fields)
        if self.extras:
            intent = replace(intent, extras=options.merge(None, self.extras))
            destinations.check(workspace, intent)
        choice = self.payment_method
        if choice is None and self.confirm:
            choice = sources.default_method(workspace, self.customer)
            if choice is None:
                raise _no_payment_method()
        if choice is None:
            draft.put(intent, "payment_intent.created")
            return identifier
        method = payment_methods.take(workspace, draft, choice)
        is_new = not isinstance(choice, str)
        charging.check_owner(intent, method)
        draft.put(intent, "payment_intent.created")
        if self.confirm:
            _attempt(workspace, draft, intent, method=method, is_new=is_new, terms=self.terms)
            return identifier
        if is_new:
            draft.put(method, None)
        draft.put(replace(intent, status="requires_confirmation", payment_method=method.id), None)
        return identifier

    def with_token(self, token: ConfirmationToken, choice: payment_methods.Choice) -> "CreatePaymentIntent":
        """Return the command with what the token holds."""
        return replace(
            self,
            confirmation_token=None,
            fields={**self.fields, **_chosen_by_payer(token)},
            payment_method=choice,
        )


class UpdatePaymentIntent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Change a payment intent. `metadata` None clears all. Confirmation fixes most fields."""

    id: str
    fields: Mapping[str, object] = {}
    extras: Mapping[str, object] = {}
    metadata: Mapping[str, str] | None = {}
    payment_method: payment_methods.Choice | None = None
    clears_payment_method: bool = False

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load, and those that a later command of the same batch may need."""
        needed = [self.id, *payment_methods.chosen_ids(self.payment_method)]
        customer, currency = self.fields.get("customer"), self.fields.get("currency")
        if isinstance(customer, str):
            needed.append(customer)
        if isinstance(currency, str):
            needed.extend(ledger.account_ids(workspace.scope, currency))
            needed.extend(ledger.ids_of(workspace.scope, currency, "disputes"))
        intent = workspace.find(self.id)
        if isinstance(intent, PaymentIntent):
            needed.extend(_method_needs(workspace, self.payment_method, intent.currency, intent.customer))
            owner = customer if isinstance(customer, str) else intent.customer
            if isinstance(currency, str):
                needed.extend(destinations.needs(workspace, intent.extras, currency))
            if owner is not None and self.fields.keys() & {"customer", "currency"}:
                paid = currency if isinstance(currency, str) else intent.currency
                needed.extend(bank_payments.account_needs(workspace, owner, paid))
            if intent.customer is not None and bank_payments.awaited_by(intent) is not None:
                needed.append(intent.customer)
        return needed

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the changed payment intent."""
        intent = workspace.require(PaymentIntent, self.id)
        changes_method = self.payment_method is not None or self.clears_payment_method
        is_frozen = changes_method or self.extras or not ALWAYS_MUTABLE.issuperset(self.fields)
        if is_frozen and (intent.status not in OPEN or processing.awaits_cardholder(workspace, intent)):
            frozen = sorted(set(self.fields) - ALWAYS_MUTABLE)
            refuse_state(draft, intent, "update", param=frozen[0] if frozen else "payment_method")
            return intent.id
        customer = self.fields.get("customer")
        if isinstance(customer, str):
            customers.require(workspace, customer, param="customer")
        if bank_payments.awaited_by(intent) is not None and (
            changes_method
            or self.fields.keys() & bank_payments.ATTEMPTED
            or self.extras.keys() & bank_payments.ATTEMPTED_OPTIONS
        ):
            intent = bank_payments.stop_waiting(workspace, draft, intent)
        changed = replace(
            intent, **self.fields, metadata=metadata_rules.merge(intent.metadata, self.metadata)
        )
        changed = with_extras(changed, self.extras)
        destinations.check_split(changed)
        if self.fields.keys() & {"amount", "currency"}:
            workspace.book.rules.check_minimum(changed.amount, changed.currency)
        if self.payment_method is not None:
            method = payment_methods.take(workspace, draft, self.payment_method)
            charging.check_owner(changed, method)
            if not isinstance(self.payment_method, str):
                draft.put(method, None)
            changed = replace(changed, payment_method=method.id, status="requires_confirmation")
        elif self.clears_payment_method:
            changed = replace(changed, payment_method=None, status="requires_payment_method")
        elif intent.status == "requires_action" and self.fields.keys() & {"amount", "currency"}:
            # The cardholder authenticated another amount.
            changed = replace(changed, status="requires_confirmation")
        draft.put(changed, "payment_intent.updated")
        return intent.id


class ConfirmPaymentIntent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Charge the payment method."""

    id: str
    fields: Mapping[str, object] = {}
    extras: Mapping[str, object] = {}
    payment_method: payment_methods.Choice | None = None
    confirmation_token: str | None = None
    terms: Terms = Terms()

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load, including those that the payment intent refers to."""
        needed = [self.id, *payment_methods.chosen_ids(self.payment_method)]
        if self.terms.mandate is not None:
            needed.append(self.terms.mandate)
        intent = workspace.find(self.id)
        if isinstance(intent, PaymentIntent):
            if self.payment_method is None:
                needed.extend(confirmation_tokens.needs(workspace, self.confirmation_token))
                if intent.payment_method is not None:
                    needed.append(intent.payment_method)
                else:
                    needed.extend(_default_source(workspace, intent.customer))
            if intent.customer is not None:
                needed.append(intent.customer)
            needed.extend(ledger.account_ids(workspace.scope, intent.currency, self.terms.route is not None))
            needed.extend(destinations.needs(workspace, intent.extras, intent.currency))
            if self.extras or intent.extras is not None:
                needed.extend(options.merge(intent.extras, self.extras).references)
            choice = intent.payment_method if self.payment_method is None else self.payment_method
            if self.confirmation_token is not None:
                choice = None
            needed.extend(_method_needs(workspace, choice, intent.currency, intent.customer))
        return needed

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Make the attempt."""
        if self.confirmation_token is not None:
            return confirmation_tokens.confirm(
                workspace, draft, self, self.confirmation_token, used_by="payment_intent"
            )
        intent = workspace.require(PaymentIntent, self.id)
        if self.terms.continues or processing.awaits_cardholder(workspace, intent):
            return intent.id
        if intent.status not in OPEN:
            refuse_state(draft, intent, "confirm")
            return intent.id
        own = self.payment_method or intent.payment_method
        choice = own or sources.default_method(workspace, intent.customer)
        if choice is None:
            draft.fail(_no_payment_method(), payment_intent=intent.id)
            return intent.id
        if intent.customer is not None:
            # A deleted customer cannot pay.
            customers.require(workspace, intent.customer, param="customer")
        method = payment_methods.take(workspace, draft, choice)
        terms = self.terms
        if intent.extras is not None:
            if intent.extras.awaited is not None and method.type != CASH:
                intent = bank_payments.stop_waiting(workspace, draft, intent)
            if attempts.is_authenticated(intent, method.id):
                terms = replace(terms, authenticated=True)
        changed = with_extras(replace(intent, **self.fields), self.extras)
        _attempt(workspace, draft, changed, method=method, is_new=not isinstance(choice, str), terms=terms)
        return intent.id

    def with_token(self, token: ConfirmationToken, choice: payment_methods.Choice) -> "ConfirmPaymentIntent":
        """Return the command with what the token holds."""
        return replace(
            self,
            confirmation_token=None,
            fields={**self.fields, **_chosen_by_payer(token)},
            payment_method=choice,
        )


class AuthenticatePaymentIntent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Simulate the cardholder's authentication in test mode."""

    id: str
    succeeds: bool
    links: ErrorLinks = NO_LINKS

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return ConfirmPaymentIntent(id=self.id).needs(workspace)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Continue with the payment, or fail the attempt."""
        intent = workspace.require(PaymentIntent, self.id)
        is_ours = bank_payments.awaited_by(intent) is None and not workspace.scope.livemode
        if intent.status != "requires_action" or not is_ours:
            refuse_state(draft, intent, "authenticate")
            return intent.id
        if not self.succeeds:
            return charging.fail_authentication(draft, intent, self.links).id
        if intent.confirmation_method == "manual":
            # The merchant's server goes on with the attempt, by confirming it once more.
            draft.put(attempts.authenticated(intent), "payment_intent.updated")
            return intent.id
        confirm = ConfirmPaymentIntent(id=self.id, terms=Terms(authenticated=True, links=self.links))
        return confirm.execute(workspace, draft)


def refuse_state(draft: Draft, intent: PaymentIntent, verb: str, *, param: str | None = None) -> None:
    """Answer with the error that the state does not allow it, and with the payment intent."""
    message = f"You cannot {verb} this PaymentIntent because it has a status of {intent.status}."
    if verb in _ALLOWED:
        message += f" Only a PaymentIntent with one of the following statuses may be {_ALLOWED[verb]}."
    draft.fail(UnexpectedState(message, param=param), payment_intent=intent.id)


def _attempt(
    workspace: Workspace,
    draft: Draft,
    intent: PaymentIntent,
    *,
    method: PaymentMethod,
    is_new: bool,
    terms: Terms,
) -> None:
    """Charge the payment method by the rules of its type. Raises: InvalidRequest if it is not allowed."""
    if not payment_methods.is_taken(method.type, intent, intent.extras):
        raise InvalidRequest(
            f"The PaymentMethod provided ({method.type}) is not allowed for this PaymentIntent. Name its "
            "type in payment_method_types, or use another one.",
            code="payment_intent_incompatible_payment_method",
            param="payment_method",
        )
    if terms.mandate is not None:
        mandates.require(workspace, terms.mandate, method)
    attempt = charging.attempt if method.type == "card" else _OTHER_ATTEMPTS[method.type]
    attempt(workspace, draft, intent, method=method, is_new=is_new, terms=terms)


# How payment methods that are no cards are charged.
_OTHER_ATTEMPTS = {debits.SEPA_DEBIT: debits.attempt, CASH: bank_payments.attempt}


def with_extras(intent: PaymentIntent, changes: Mapping[str, object]) -> PaymentIntent:
    """Return the payment with these changes of its options."""
    if not changes:
        return intent
    return replace(intent, extras=options.merge(intent.extras, changes))


def _chosen_by_payer(token: ConfirmationToken) -> dict[str, object]:
    return confirmation_tokens.chosen_fields(token, "return_url", "setup_future_usage", "shipping")


def _default_source(workspace: Workspace, customer: str | None) -> tuple[str, ...]:
    found = sources.default_method(workspace, customer)
    return () if found is None else (found,)


def _no_payment_method() -> UnexpectedState:
    return UnexpectedState(
        "You cannot confirm this PaymentIntent because it is missing a payment method. Give one in the "
        "payment_method parameter, or update the PaymentIntent with one first.",
        param="payment_method",
    )


def _method_needs(
    workspace: Workspace, choice: payment_methods.Choice | None, currency: str, customer: str | None
) -> Sequence[str]:
    """Return what a payment needs for its payment method.

    Some cards need more accounts, or may do so; a cash balance needs all that moves with it.
    """
    if payment_methods.is_plain_card(choice):
        return ()
    if isinstance(choice, payment_methods.NewCard) and choice.type == CASH:
        return bank_payments.account_needs(workspace, customer, currency)
    if isinstance(choice, str):
        method = workspace.find(choice)
        if not isinstance(method, PaymentMethod):
            return ()
        if method.type == CASH:
            return bank_payments.account_needs(workspace, customer, currency)
        if method.card.behaviour not in MOVES_MORE:
            return ()
    # One of those cards, a token or a default.
    return ledger.ids_of(workspace.scope, currency, "disputes", "in_doubt")
