"""Commands on customers."""

from collections.abc import Iterable, Mapping

import msgspec

from fastpay.domain import metadata, payment_methods
from fastpay.domain.objects import Customer, PaymentMethod, missing
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import InvalidRequest


class CreateCustomer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Create a customer. `fields` are checked fields of `Customer`.

    `is_default` makes the given payment method the customer's default.
    """

    fields: Mapping[str, object]
    metadata: Mapping[str, str] = {}
    payment_method: payment_methods.Choice | None = None
    is_default: bool = False

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return payment_methods.chosen_ids(self.payment_method)

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
        draft.put(customer, "customer.created")
        return customer.id


class UpdateCustomer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Change a customer. `metadata` None clears all of it.

    `invoice_settings` are the fields of `InvoiceSettings` to change.
    """

    id: str
    fields: Mapping[str, object]
    invoice_settings: Mapping[str, object] = {}
    metadata: Mapping[str, str] | None = {}

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        default = self.invoice_settings.get("default_payment_method")
        return (self.id, default) if isinstance(default, str) else (self.id,)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the changed customer."""
        customer = require(workspace, self.id)
        default = self.invoice_settings.get("default_payment_method")
        if isinstance(default, str):
            _require_attached(workspace, default, customer)
        changed = msgspec.structs.replace(
            customer,
            **self.fields,
            invoice_settings=msgspec.structs.replace(customer.invoice_settings, **self.invoice_settings),
            metadata=metadata.merge(customer.metadata, self.metadata),
        )
        draft.put(changed, "customer.updated")
        return customer.id


class DeleteCustomer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Delete a customer. Their payments stay as they are."""

    id: str

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return (self.id,)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write a version that is marked as deleted and has no personal data; lists leave it out.

        Earlier versions stay, since answers and events are rendered from them.
        """
        customer = require(workspace, self.id)
        draft.put(Customer(id=customer.id, created=customer.created, deleted=True), "customer.deleted")
        return customer.id


def require(workspace: Workspace, identifier: str, *, param: str = "id") -> Customer:
    """Return the customer. Raises: NotFound if there is none or it was deleted."""
    customer = workspace.find(identifier)
    if not isinstance(customer, Customer) or customer.deleted:
        raise missing(Customer, identifier, param=param)
    return customer


def _require_attached(workspace: Workspace, identifier: str, customer: Customer) -> None:
    method = workspace.find(identifier)
    if not isinstance(method, PaymentMethod) or method.customer != customer.id:
        raise InvalidRequest(
            f"No such payment method on this customer: '{identifier}'",
            code="resource_missing",
            param="invoice_settings[default_payment_method]",
        )
