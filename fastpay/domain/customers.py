"""Commands on customers."""

from collections.abc import Iterable, Mapping

import msgspec

from fastpay.domain import metadata, payment_methods, sources
from fastpay.domain.objects import Customer, PaymentMethod, missing
from fastpay.domain.payment_methods import NewCard, TokenCard
from fastpay.domain.plan import Draft, OnObject, Workspace
from fastpay.errors import InvalidRequest


class CreateCustomer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Create a customer. `fields` are checked fields of `Customer`.

    `is_default` makes the given payment method the customer's default. `source` is a card that becomes the
    default source.
    """

    fields: Mapping[str, object]
    metadata: Mapping[str, str] = {}
    payment_method: payment_methods.Choice | None = None
    is_default: bool = False
    source: NewCard | TokenCard | None = None

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        chosen = payment_methods.chosen_ids
        return (*chosen(self.payment_method), *chosen(self.source))

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Create the customer, and attach the payment method if one is given."""
        identifier = draft.new_id(Customer.prefix)
        customer = Customer(
            **{
                "id": identifier,
                "created": draft.moment_s,
                "invoice_prefix": identifier[-8:].upper(),
                "metadata": metadata.merge({}, self.metadata),
                **self.fields,
            }  # type: ignore[arg-type]
        )
        if self.payment_method is not None:
            method = payment_methods.take(workspace, draft, self.payment_method)
            payment_methods.attach(draft, method, customer.id)
            if self.is_default:
                settings = msgspec.structs.replace(
                    customer.invoice_settings, default_payment_method=method.id
                )
                customer = msgspec.structs.replace(customer, invoice_settings=settings)
        if self.source is not None:
            customer = _with_source(workspace, draft, customer, self.source)
        draft.put(customer, "customer.created")
        return customer.id


class UpdateCustomer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Change a customer. `metadata` None clears all of it.

    `invoice_settings` are the fields of `InvoiceSettings` to change. `source` is a card that becomes the
    default source.
    """

    id: str
    fields: Mapping[str, object]
    invoice_settings: Mapping[str, object] = {}
    metadata: Mapping[str, str] | None = {}
    source: NewCard | TokenCard | None = None

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        needed = [self.id, *payment_methods.chosen_ids(self.source)]
        default, source = self._defaults()
        if default is not None:
            needed.append(default)
        if source is not None:
            needed.append(sources.method_id(source))
        return needed

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the changed customer."""
        customer = require(workspace, self.id)
        default, source = self._defaults()
        if default is not None and not _is_attached(workspace, default, customer):
            raise InvalidRequest(
                f"No such payment method on this customer: '{default}'",
                code="resource_missing",
                param="invoice_settings[default_payment_method]",
            )
        if source is not None and not _is_attached(workspace, sources.method_id(source), customer):
            raise InvalidRequest(
                f"No such source on this customer: '{source}'",
                code="resource_missing",
                param="default_source",
            )
        changed = msgspec.structs.replace(
            customer,
            **self.fields,
            invoice_settings=msgspec.structs.replace(customer.invoice_settings, **self.invoice_settings),
            metadata=metadata.merge(customer.metadata, self.metadata),
        )
        if self.source is not None:
            changed = _with_source(workspace, draft, changed, self.source)
        draft.put(changed, "customer.updated")
        return customer.id

    def _defaults(self) -> tuple[str | None, str | None]:
        """Return the payment method and the source that become defaults."""
        default, source = (
            self.invoice_settings.get("default_payment_method"),
            self.fields.get("default_source"),
        )
        return default if isinstance(default, str) else None, source if isinstance(source, str) else None


class DeleteCustomer(OnObject, frozen=True, gc=False, kw_only=True):
    """Delete a customer. Their payments stay as they are."""

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write a version that is marked as deleted and has no personal data; lists leave it out.

        Earlier versions stay, since answers and events are rendered from them.
        """
        customer = require(workspace, self.id)
        if customer.cash is not None and (customer.cash.available or customer.cash.waiting):
            raise InvalidRequest(
                "This customer has a cash balance, even if nothing is in it, or a payment that waits for a "
                "bank transfer. Customers with a cash balance cannot be deleted."
            )
        draft.put(Customer(id=customer.id, created=customer.created, deleted=True), "customer.deleted")
        return customer.id


def require(workspace: Workspace, identifier: str, *, param: str = "id") -> Customer:
    """Return the customer. Raises: NotFound if there is none or it was deleted."""
    customer = workspace.find(identifier)
    if not isinstance(customer, Customer) or customer.deleted:
        raise missing(Customer, identifier, param=param)
    return customer


def _with_source(
    workspace: Workspace, draft: Draft, customer: Customer, card: NewCard | TokenCard
) -> Customer:
    method = sources.attach(workspace, draft, card, customer.id)
    return msgspec.structs.replace(customer, default_source=sources.source_id(method.id))


def _is_attached(workspace: Workspace, identifier: str, customer: Customer) -> bool:
    method = workspace.find(identifier)
    return isinstance(method, PaymentMethod) and method.customer == customer.id
