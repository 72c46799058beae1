"""Commands on charges. Most changes of a charge come from commands on its payment intent."""

from collections.abc import Iterable, Mapping

import msgspec

from fastpay.domain import captures, destinations, disputes, ledger, processing
from fastpay.domain import metadata as metadata_rules
from fastpay.domain.captures import CaptureCommand
from fastpay.domain.objects import Charge, PaymentIntent
from fastpay.domain.payment_intents import refuse_state
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


class CaptureCharge(CaptureCommand, frozen=True, gc=False, kw_only=True):
    """Capture an authorized charge. The payment intent succeeds with it."""

    fields: Mapping[str, object] = {}

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load. A loaded charge names the payment intent and the accounts."""
        charge = workspace.find(self.id)
        if not isinstance(charge, Charge):
            return (self.id,)
        accounts = ledger.account_ids(workspace.scope, charge.currency)
        disputed = disputes.account_needs(workspace, charge.card.behaviour, charge.currency)
        passed_on = destinations.needs(workspace, charge.extras, charge.currency)
        followed = processing.follow_up_needs(workspace, charge)
        return (self.id, charge.payment_intent, *accounts, *disputed, *passed_on, *followed)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Post the hold."""
        charge = workspace.require(Charge, self.id)
        _check_capturable(charge)
        intent = workspace.find(charge.payment_intent)
        assert isinstance(intent, PaymentIntent)
        if intent.status != "requires_capture":
            # What its processor was asked to do is not known yet.
            refuse_state(draft, intent, "capture")
            return charge.id
        noted = msgspec.structs.replace(charge, **self.fields)
        captures.capture(workspace, draft, intent, noted, self, param="amount")
        return charge.id


def _check_capturable(charge: Charge) -> None:
    if charge.captured:
        raise InvalidRequest(f"Charge {charge.id} has already been captured.", code="charge_already_captured")
    if charge.released:
        raise InvalidRequest(f"Charge {charge.id} has been released.", code="charge_already_refunded")
    if charge.status != "succeeded":
        raise InvalidRequest(f"Charge {charge.id} {charge.status}, so there is nothing to capture.")
