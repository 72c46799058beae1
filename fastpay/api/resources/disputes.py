"""Disputes: charges that cardholders question, the evidence against that, and what they do to the balance."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api.common_params import Identifier, Metadata, NoParams, Params, Part, value_or
from fastpay.api.context import Call
from fastpay.api.layout import Field, Json, Mode, Nested, Shape, When, fields
from fastpay.api.list_params import CreatedListParams
from fastpay.api.lists import List
from fastpay.api.reads import Retrieve
from fastpay.api.resource import ALWAYS_NULL, Included, Reference, Resource
from fastpay.api.resources import enhanced_evidence
from fastpay.api.resources.balances import ADJUSTMENT_SHAPE
from fastpay.api.resources.enhanced_evidence import EnhancedEligibility, EnhancedEvidenceParams
from fastpay.api.routes import Route
from fastpay.api.writes import Write
from fastpay.domain import kinds, money
from fastpay.domain.dispute_objects import Adjustment, Evidence
from fastpay.domain.dispute_responses import CloseDispute, UpdateDispute
from fastpay.domain.disputes import CreateDispute
from fastpay.domain.kinds import presentable
from fastpay.errors import InvalidRequest

EvidenceText = Annotated[str, Meta(min_length=1, max_length=limits.evidence_text_chars_max)]
_OptionalText = EvidenceText | UnsetType | None
_OptionalFile = Identifier | UnsetType | None

# Evidence that would be an uploaded file. There are no files here.
FILES = (
    "cancellation_policy",
    "customer_communication",
    "customer_signature",
    "duplicate_charge_documentation",
    "receipt",
    "refund_policy",
    "service_documentation",
    "shipping_documentation",
    "uncategorized_file",
)


class EvidenceParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What speaks against the dispute. Null removes a text."""

    access_activity_log: _OptionalText = UNSET
    billing_address: _OptionalText = UNSET
    cancellation_policy: _OptionalFile = UNSET
    cancellation_policy_disclosure: _OptionalText = UNSET
    cancellation_rebuttal: _OptionalText = UNSET
    customer_communication: _OptionalFile = UNSET
    customer_email_address: _OptionalText = UNSET
    customer_name: _OptionalText = UNSET
    customer_purchase_ip: _OptionalText = UNSET
    customer_signature: _OptionalFile = UNSET
    duplicate_charge_documentation: _OptionalFile = UNSET
    duplicate_charge_explanation: _OptionalText = UNSET
    duplicate_charge_id: _OptionalText = UNSET
    product_description: _OptionalText = UNSET
    receipt: _OptionalFile = UNSET
    refund_policy: _OptionalFile = UNSET
    refund_policy_disclosure: _OptionalText = UNSET
    refund_refusal_explanation: _OptionalText = UNSET
    service_date: _OptionalText = UNSET
    service_documentation: _OptionalFile = UNSET
    shipping_address: _OptionalText = UNSET
    shipping_carrier: _OptionalText = UNSET
    shipping_date: _OptionalText = UNSET
    shipping_documentation: _OptionalFile = UNSET
    shipping_tracking_number: _OptionalText = UNSET
    enhanced_evidence: EnhancedEvidenceParams | UnsetType = UNSET
    uncategorized_file: _OptionalFile = UNSET
    uncategorized_text: _OptionalText = UNSET


class UpdateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Respond to a dispute. Evidence is submitted at once unless `submit` is false."""

    evidence: EvidenceParams | UnsetType = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    submit: bool | UnsetType = UNSET


class DisputeListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Disputes, those of one charge or one payment intent."""

    charge: Identifier | UnsetType = UNSET
    payment_intent: Identifier | UnsetType = UNSET


class CreateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Dispute a charge in test mode, as a cardholder would."""

    amount: int | UnsetType = UNSET
    case_type: Literal["chargeback", "compliance", "inquiry"] = "chargeback"
    reason: Literal[
        "credit_not_processed",
        "duplicate",
        "fraudulent",
        "general",
        "noncompliant",
        "product_not_received",
        "product_unacceptable",
        "subscription_canceled",
        "unrecognized",
    ] = "fraudulent"


_WITHDRAWAL = Nested("withdrawal", Adjustment, ADJUSTMENT_SHAPE)
_REINSTATEMENT = Nested("reinstatement", Adjustment, ADJUSTMENT_SHAPE)

_SHAPE: Shape = {
    "id": Field("id"),
    "object": "dispute",
    "amount": Field("amount"),
    "balance_transactions": When(
        "reinstatement",
        [_WITHDRAWAL, _REINSTATEMENT],
        otherwise=When("withdrawal", [_WITHDRAWAL], otherwise=[]),
    ),
    **fields("charge", "created", "currency"),
    "enhanced_eligibility_types": Field("enhanced_eligibility_types"),
    "evidence": {
        **{
            name: None if name in FILES else Field(f"evidence.{name}")
            for name in EvidenceParams.__struct_fields__
            if name != "enhanced_evidence"
        },
        "enhanced_evidence": Json("enhanced_evidence", EnhancedEvidenceParams),
    },
    "evidence_details": {
        "due_by": Field("due_by"),
        "enhanced_eligibility": Json("enhanced_eligibility", EnhancedEligibility),
        "has_evidence": Field("has_evidence"),
        # Nothing can be submitted after the day on which a dispute without a response is lost.
        "past_due": False,
        "submission_count": Field("submission_count"),
        "submission_method": When("is_submitted", "manual", otherwise="not_submitted"),
    },
    "intended_submission_method": "manual",
    "is_charge_refundable": Field("is_charge_refundable"),
    "livemode": Mode(),
    **fields("metadata", "network_reason_code", "payment_intent"),
    # A debit has no brand, and the dialect has no details of it here.
    "payment_method_details": When(
        "brand",
        None,
        otherwise={
            "card": {
                "brand": Field("brand"),
                "case_type": Field("case_type"),
                "network": Field("brand"),
                "network_reason_code": Field("network_reason_code"),
            },
            "type": "card",
        },
        equals="",
    ),
    "reason": Field("reason"),
    "status": Field("status"),
}

DISPUTE = Resource(
    kinds.DISPUTE,
    shape=_SHAPE,
    expandable={
        "balance_transactions": Included((kinds.BALANCE_TRANSACTION,)),
        "charge": Reference((kinds.CHARGE,)),
        "payment_intent": Reference((kinds.PAYMENT_INTENT,)),
        **{f"evidence.{name}": ALWAYS_NULL for name in FILES},
    },
)


def update(call: Call, params: UpdateParams) -> UpdateDispute:
    """Respond to a dispute."""
    evidence: dict[str, str | None] = {}
    enhanced: EnhancedEvidenceParams | None = None
    if not isinstance(params.evidence, UnsetType):
        given = {
            name: value
            for name, value in msgspec.structs.asdict(params.evidence).items()
            if value is not UNSET
        }
        for name in FILES:
            if given.pop(name, None) is not None:
                file = presentable(str(getattr(params.evidence, name)))
                raise InvalidRequest(
                    f"No such file upload: '{file}'. Files are not served here: put it into a text.",
                    code="resource_missing",
                    param=f"evidence[{name}]",
                )
        enhanced = given.pop("enhanced_evidence", None)
        evidence = given
    assert evidence.keys() <= set(Evidence.__struct_fields__)
    return UpdateDispute(
        id=call.arguments["id"],
        evidence=evidence,
        metadata=value_or(params.metadata, {}),
        submit=value_or(params.submit, None),
        enhanced=None if enhanced is None else enhanced_evidence.kept(enhanced),
        prior_charges=(
            ()
            if enhanced is None
            else enhanced_evidence.prior_charges(enhanced, param="evidence[enhanced_evidence]")
        ),
    )


def close(call: Call, params: NoParams) -> CloseDispute:
    """Accept a dispute."""
    return CloseDispute(id=call.arguments["id"])


def create(call: Call, params: CreateParams) -> CreateDispute:
    """Dispute a charge. In live mode there is none to dispute."""
    amount = None if isinstance(params.amount, UnsetType) else money.check_amount(params.amount)
    return CreateDispute(
        charge=call.arguments["id"], amount=amount, reason=params.reason, case_type=params.case_type
    )


RESOURCES = (DISPUTE,)
ROUTES = (
    Route(
        "GET",
        "/v1/disputes",
        List(
            DISPUTE,
            DisputeListParams,
            filters={"charge": kinds.CHARGE, "payment_intent": kinds.PAYMENT_INTENT},
        ),
    ),
    Route("GET", "/v1/disputes/{id}", Retrieve(DISPUTE, NoParams)),
    Route("POST", "/v1/disputes/{id}", Write(DISPUTE, UpdateParams, update, path_kind=kinds.DISPUTE)),
    Route("POST", "/v1/disputes/{id}/close", Write(DISPUTE, NoParams, close, path_kind=kinds.DISPUTE)),
    Route(
        "POST",
        "/v1/test_helpers/charges/{id}/dispute",
        Write(DISPUTE, CreateParams, create, path_kind=kinds.CHARGE),
    ),
)
