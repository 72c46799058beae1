"""What is stored of a dispute. `objects.py` has the rules for these structs."""

from typing import ClassVar

import msgspec

from fastpay.domain.objects import StoredObject

# The dispute holds the money that it withdrew.
HOLDS_FUNDS = frozenset(("needs_response", "under_review"))
# The money is withdrawn, so the charge cannot be refunded as well.
CHARGED_BACK = HOLDS_FUNDS | {"lost"}
INQUIRIES = frozenset(("warning_needs_response", "warning_under_review"))
OPEN = HOLDS_FUNDS | INQUIRIES
AWAITS_EVIDENCE = frozenset(("needs_response", "warning_needs_response"))


class Evidence(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """What a merchant says against a dispute, in texts. There are no files here."""

    access_activity_log: str | None = None
    billing_address: str | None = None
    cancellation_policy_disclosure: str | None = None
    cancellation_rebuttal: str | None = None
    customer_email_address: str | None = None
    customer_name: str | None = None
    customer_purchase_ip: str | None = None
    duplicate_charge_explanation: str | None = None
    duplicate_charge_id: str | None = None
    product_description: str | None = None
    refund_policy_disclosure: str | None = None
    refund_refusal_explanation: str | None = None
    service_date: str | None = None
    shipping_address: str | None = None
    shipping_carrier: str | None = None
    shipping_date: str | None = None
    shipping_tracking_number: str | None = None
    uncategorized_text: str | None = None


class Adjustment(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """What a dispute did to the balance: a balance transaction. A withdrawal has a negative amount.

    `net` is the amount minus the fee. A fee that is given back is negative.
    """

    id: str
    created: int
    currency: str
    amount: int
    fee: int
    net: int
    has_fee: bool
    reporting_category: str
    description: str
    source: str


class Dispute(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """A charge that the cardholder questions. `earlier` are the disputes of the same charge before it.

    `amount` is what is disputed, and `fee` what the dispute costs while it is not won.
    """

    prefix: ClassVar[str] = "du"
    noun: ClassVar[str] = "dispute"
    param: ClassVar[str] = "dispute"

    amount: int
    currency: str
    charge: str
    payment_intent: str
    status: str
    reason: str
    brand: str
    case_type: str
    due_by: int
    # When nobody can respond any more, None once it is decided or under review.
    changes_at: int | None
    earlier: tuple[str, ...] = ()
    evidence: Evidence = Evidence()
    fee: int = 0
    has_evidence: bool = False
    is_charge_refundable: bool = False
    is_submitted: bool = False
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    network_reason_code: str | None = None
    reinstatement: Adjustment | None = None
    submission_count: int = 0
    withdrawal: Adjustment | None = None
    # Programs of the network that it is eligible for; as JSON what they still ask for, and their evidence.
    enhanced_eligibility_types: tuple[str, ...] = ()
    enhanced_eligibility: str = "{}"
    enhanced_evidence: str = "{}"
