"""Mandates: what a customer has agreed to, kept with the payment method that may be charged."""

import msgspec

from fastpay.domain.objects import PaymentMethod
from fastpay.domain.plan import Draft, Workspace
from fastpay.domain.setup_objects import CustomerAcceptance, Mandate
from fastpay.errors import InvalidRequest


class MandateData(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A mandate that came with a request. With an `amount`, it is good for one payment."""

    acceptance: CustomerAcceptance
    amount: int | None = None
    currency: str | None = None
    method: str = "card"


def accept(
    draft: Draft, data: MandateData, payment_method: str, *, on_behalf_of: str | None = None
) -> Mandate:
    """Write a new mandate. It is accepted now, unless the request says when.

    The dialect has no event for it, so the caller must add one for another object.
    """
    acceptance = data.acceptance
    if acceptance.accepted_at is None:
        acceptance = msgspec.structs.replace(acceptance, accepted_at=draft.moment_s)
    mandate = Mandate(
        id=draft.new_id(Mandate.prefix),
        created=draft.moment_s,
        acceptance=acceptance,
        payment_method=payment_method,
        amount=data.amount,
        currency=data.currency,
        method=data.method,
        on_behalf_of=on_behalf_of,
        type="multi_use" if data.amount is None else "single_use",
    )
    draft.put(mandate, None)
    return mandate


def remembered(method: PaymentMethod, mandate: str | None) -> PaymentMethod:
    """Return a bank account with the mandate of its later debits, unless that is for one payment (None)."""
    if method.sepa_debit is None or mandate is None:
        return method
    return msgspec.structs.replace(
        method, sepa_debit=msgspec.structs.replace(method.sepa_debit, mandate=mandate)
    )


def require(workspace: Workspace, identifier: str, method: PaymentMethod) -> Mandate:
    """Return the active mandate of a payment method. Raises: NotFound, InvalidRequest."""
    mandate = workspace.require(Mandate, identifier)
    if mandate.payment_method != method.id or mandate.status != "active":
        raise InvalidRequest(
            f"The mandate {identifier} is not an active one for this payment method.",
            code="payment_intent_mandate_invalid",
            param="mandate",
        )
    return mandate
