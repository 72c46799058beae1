"""Commands on charges. Most changes of a charge come from commands on its payment intent."""

from collections.abc import Iterable, Mapping

import msgspec

from fastpay.domain import captures, destinations, disputes, ledger
from fastpay.domain import metadata as metadata_rules
from fastpay.domain.destinations import AS_AGREED, Split
from fastpay.domain.objects import Charge, PaymentIntent
from fastpay.domain.plan import Draft, OnObject, Workspace
from fastpay.errors import InvalidRequest


class UpdateCharge(OnObject, frozen=True, gc=False, kw_only=True):
    """Change the descriptive fields of a charge. `metadata` None clears all of it."""

    fields: Mapping[str, object] = {}
    metadata: Mapping[str, str] | None = {}

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the changed charge."""
        charge = workspace.require(Charge, self.id)
        draft.put(
            msgspec.structs.replace(
                charge, **self.fields, metadata=metadata_rules.merge(charge.metadata, self.metadata)
            ),
            "charge.updated",
        )
        return charge.id


class CaptureCharge(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Capture an authorized charge, or `amount` of it. The payment intent succeeds with it."""

    id: str
    amount: int | None = None
    fields: Mapping[str, object] = {}
    split: Split = AS_AGREED

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load. A loaded charge names the payment intent and the accounts."""
        charge = workspace.find(self.id)
        if not isinstance(charge, Charge):
            return (self.id,)
        accounts = ledger.account_ids(workspace.scope, charge.currency)
        disputed = disputes.account_needs(workspace, charge.card.behaviour, charge.currency)
        passed_on = destinations.needs(workspace, charge.extras, charge.currency)
        return (self.id, charge.payment_intent, *accounts, *disputed, *passed_on)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Post the hold."""
        charge = workspace.require(Charge, self.id)
        _check_capturable(charge)
        intent = workspace.find(charge.payment_intent)
        assert isinstance(intent, PaymentIntent)
        noted = msgspec.structs.replace(charge, **self.fields)
        captures.capture(
            workspace, draft, intent, noted, amount=self.amount, param="amount", split=self.split
        )
        return charge.id


def _check_capturable(charge: Charge) -> None:
    if charge.captured:
        raise InvalidRequest(f"Charge {charge.id} has already been captured.", code="charge_already_captured")
    if charge.released:
        raise InvalidRequest(f"Charge {charge.id} has been released.", code="charge_already_refunded")
    if charge.status != "succeeded":
        raise InvalidRequest(f"Charge {charge.id} {charge.status}, so there is nothing to capture.")
