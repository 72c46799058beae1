"""Programs of card networks that take more than texts as evidence against a dispute.

Visa Compelling Evidence 3.0 is for a payment that the cardholder calls fraudulent: two earlier payments that
they did not dispute speak against that. A compliance dispute is about a rule of the network, and an answer
costs a fee that the merchant must acknowledge first.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from fastpay.domain.cards import BEHAVIOURS
from fastpay.domain.dispute_objects import Dispute
from fastpay.domain.objects import Charge
from fastpay.errors import InvalidRequest

_COMPELLING, _COMPLIANCE = "visa_compelling_evidence_3", "visa_compliance"
_PRIOR = 2
# What tells a cardholder: two of these must be the same in all payments, and one of them must be of a device.
_OF_DEVICES = ("customer_device_fingerprint", "customer_device_id", "customer_purchase_ip")
_IDENTIFIERS = (*_OF_DEVICES, "customer_account_id", "customer_email_address", "shipping_address")

# JSON: evidence as it is shown.
_Json = Mapping[str, Any]


def begun(dispute: Dispute, charge: Charge) -> Dispute:
    """Return a new dispute with the programs that it is eligible for."""
    programs: tuple[str, ...] = ()
    if dispute.brand == "visa" and dispute.case_type == "compliance":
        programs = (_COMPLIANCE,)
    elif BEHAVIOURS[charge.card.behaviour].has_compelling_history and dispute.reason == "fraudulent":
        programs = (_COMPELLING,)
    return (
        _assessed(msgspec.structs.replace(dispute, enhanced_eligibility_types=programs))
        if programs
        else dispute
    )


def added(dispute: Dispute, given: str) -> Dispute:
    """Return the dispute with evidence for its programs, as JSON.

    Raises: InvalidRequest for a program that the dispute is not eligible for.
    """
    evidence = {**msgspec.json.decode(dispute.enhanced_evidence), **msgspec.json.decode(given)}
    for program in evidence:
        if program not in dispute.enhanced_eligibility_types:
            raise InvalidRequest(
                f"Dispute {dispute.id} is not eligible for {program}.",
                param=f"evidence[enhanced_evidence][{program}]",
            )
    return _assessed(
        msgspec.structs.replace(dispute, enhanced_evidence=msgspec.json.encode(evidence).decode())
    )


def check_acknowledged(dispute: Dispute) -> None:
    """Raise InvalidRequest if an answer costs a fee that the merchant has not acknowledged."""
    evidence = msgspec.json.decode(dispute.enhanced_evidence)
    if _COMPLIANCE in dispute.enhanced_eligibility_types and not evidence.get(_COMPLIANCE, {}).get(
        "fee_acknowledged"
    ):
        raise InvalidRequest(
            "An answer to a compliance dispute costs a fee of the network. Set fee_acknowledged to submit "
            "it.",
            param=f"evidence[enhanced_evidence][{_COMPLIANCE}][fee_acknowledged]",
        )


def _assessed(dispute: Dispute) -> Dispute:
    """Return the dispute with what its programs still ask for."""
    evidence = msgspec.json.decode(dispute.enhanced_evidence)
    state: dict[str, object]
    if _COMPLIANCE in dispute.enhanced_eligibility_types:
        is_known = evidence.get(_COMPLIANCE, {}).get("fee_acknowledged")
        state = {"status": "fee_acknowledged" if is_known else "requires_fee_acknowledgement"}
    else:
        missing = list(_missing(evidence.get(_COMPELLING) or {}))
        state = {"required_actions": missing, "status": "requires_action" if missing else "qualified"}
    (program,) = dispute.enhanced_eligibility_types
    return msgspec.structs.replace(
        dispute, enhanced_eligibility=msgspec.json.encode({program: state}).decode()
    )


def _missing(evidence: _Json) -> Iterator[str]:
    """Yield what is missing of compelling evidence."""
    disputed = evidence.get("disputed_transaction") or {}
    prior = evidence.get("prior_undisputed_transactions") or []
    same = {
        name
        for name in _IDENTIFIERS
        if disputed.get(name) and all(one.get(name) == disputed[name] for one in prior)
    }
    if len(same) < _PRIOR or not same & set(_OF_DEVICES):
        yield "missing_customer_identifiers"
    if not disputed.get("product_description"):
        yield "missing_disputed_transaction_description"
    if not disputed.get("merchandise_or_services"):
        yield "missing_merchandise_or_services"
    if not all(one.get("product_description") for one in prior):
        yield "missing_prior_undisputed_transaction_description"
    if len({one["charge"] for one in prior}) != _PRIOR:
        yield "missing_prior_undisputed_transactions"
