"""Commands on the sources of customers: payment methods, as older integrations see and change them.

A source has the digits of its payment method behind another prefix. What changes it is told of twice, as a
change of the payment method and as one of the source.
"""

from collections.abc import Iterable, Mapping

import msgspec

from fastpay.domain import payment_methods
from fastpay.domain.identifiers import digits
from fastpay.domain.objects import Customer, PaymentMethod, missing
from fastpay.domain.payment_methods import DetachPaymentMethod, NewCard, TokenCard, UpdatePaymentMethod
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import NotFound

PREFIX = "card"
NOUN = "source"


def source_id(method: str) -> str:
    """Return the identifier of a payment method as a source."""
    return f"{PREFIX}_{digits(method)}"


def method_id(source: str) -> str:
    """Return the identifier of the payment method behind a source."""
    return f"{PaymentMethod.prefix}_{digits(source)}"


class CreateSource(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Save a card to a customer. The first one becomes the default source."""

    customer: str
    card: NewCard | TokenCard

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return (self.customer, *payment_methods.chosen_ids(self.card))

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Attach the card. Raises: CardDeclined, InvalidRequest, NotFound."""
        customer = _require_customer(workspace, self.customer)
        method = attach(workspace, draft, self.card, customer.id)
        if customer.default_source is None:
            changed = msgspec.structs.replace(customer, default_source=source_id(method.id))
            draft.put(changed, "customer.updated")
        return method.id


class UpdateSource(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Change a source. `change` is the change of its payment method."""

    customer: str
    change: UpdatePaymentMethod
    address: Mapping[str, object] = {}

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return (self.customer, self.change.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the changed payment method. Raises: CardDeclined, InvalidRequest, NotFound."""
        method = _require(workspace, self.customer, self.change.id)
        details = dict(self.change.billing_details)
        if self.address:
            details["address"] = msgspec.structs.replace(method.billing_details.address, **self.address)
        change = msgspec.structs.replace(self.change, billing_details=details)
        identifier = change.execute(workspace, draft)
        draft.announce("customer.source.updated", identifier)
        return identifier


class DeleteSource(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Take a source from its customer."""

    customer: str
    method: str

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return (self.customer, self.method)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Detach the payment method. Raises: NotFound."""
        _require(workspace, self.customer, self.method)
        identifier = DetachPaymentMethod(id=self.method).execute(workspace, draft)
        draft.announce("customer.source.deleted", identifier)
        return identifier


def attach(workspace: Workspace, draft: Draft, card: NewCard | TokenCard, customer: str) -> PaymentMethod:
    """Save a card to a customer as a source. Raises: CardDeclined, InvalidRequest."""
    method = payment_methods.take(workspace, draft, card)
    attached = payment_methods.attach(draft, method, customer)
    draft.announce("customer.source.created", attached.id)
    return attached


def default_method(workspace: Workspace, customer: str | None) -> str | None:
    """Return the payment method of a customer's default source, if there is one.

    It is to be loaded as well, once the customer is.
    """
    found = None if customer is None else workspace.find(customer)
    if not isinstance(found, Customer) or found.default_source is None:
        return None
    return method_id(found.default_source)


def _require_customer(workspace: Workspace, identifier: str) -> Customer:
    customer = workspace.find(identifier)
    if not isinstance(customer, Customer) or customer.deleted:
        raise missing(Customer, identifier)
    return customer


def _require(workspace: Workspace, customer: str, method: str) -> PaymentMethod:
    _require_customer(workspace, customer)
    found = workspace.find(method)
    if not isinstance(found, PaymentMethod) or (found.customer, found.type) != (customer, "card"):
        raise NotFound(f"No such {NOUN}: '{source_id(method)}'", param="id")
    return found
