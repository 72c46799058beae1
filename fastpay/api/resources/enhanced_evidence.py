"""Enhanced evidence of disputes: what the programs of card networks take beside texts."""

from typing import Annotated, Any, Literal, TypedDict

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api.common_params import Identifier, Part, Text
from fastpay.domain import kinds

_Text = Text | UnsetType | None
_DeviceId = Annotated[str, Meta(min_length=15, max_length=limits.name_chars_max)] | UnsetType | None
_DeviceFingerprint = Annotated[str, Meta(min_length=20, max_length=limits.name_chars_max)] | UnsetType | None


class EvidenceAddress(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The address that goods were sent to."""

    city: _Text = UNSET
    country: _Text = UNSET
    line1: _Text = UNSET
    line2: _Text = UNSET
    postal_code: _Text = UNSET
    state: _Text = UNSET


class DisputedTransaction(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is disputed, and who bought it."""

    customer_account_id: _Text = UNSET
    customer_device_fingerprint: _DeviceFingerprint = UNSET
    customer_device_id: _DeviceId = UNSET
    customer_email_address: _Text = UNSET
    customer_purchase_ip: _Text = UNSET
    merchandise_or_services: Literal["merchandise", "services"] | UnsetType | None = UNSET
    product_description: _Text = UNSET
    shipping_address: EvidenceAddress | UnsetType | None = UNSET


class PriorTransaction(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An earlier payment of the same cardholder that was not disputed."""

    charge: Identifier
    customer_account_id: _Text = UNSET
    customer_device_fingerprint: _DeviceFingerprint = UNSET
    customer_device_id: _DeviceId = UNSET
    customer_email_address: _Text = UNSET
    customer_purchase_ip: _Text = UNSET
    product_description: _Text = UNSET
    shipping_address: EvidenceAddress | UnsetType | None = UNSET


class CompellingEvidence(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Visa Compelling Evidence 3.0: two earlier payments of the same cardholder."""

    disputed_transaction: DisputedTransaction | UnsetType | None = UNSET
    prior_undisputed_transactions: Annotated[list[PriorTransaction], Meta(max_length=2)] | UnsetType = UNSET


class Compliance(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dispute over a rule of the network: the merchant knows what an answer costs."""

    fee_acknowledged: bool | UnsetType = UNSET


class EnhancedEvidenceParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Evidence by program. What is given takes the place of what was there."""

    mastercard_compliance: Compliance | UnsetType = UNSET
    visa_compelling_evidence_3: CompellingEvidence | UnsetType = UNSET
    visa_compliance: Compliance | UnsetType = UNSET


class _CompellingEligibility(TypedDict):
    required_actions: list[
        Literal[
            "missing_customer_identifiers",
            "missing_disputed_transaction_description",
            "missing_merchandise_or_services",
            "missing_prior_undisputed_transaction_description",
            "missing_prior_undisputed_transactions",
        ]
    ]
    status: Literal["not_qualified", "qualified", "requires_action"]


class _ComplianceEligibility(TypedDict):
    status: Literal["fee_acknowledged", "requires_fee_acknowledgement"]


class EnhancedEligibility(TypedDict, total=False):
    """The programs that a dispute is eligible for, and what they still ask for."""

    visa_compelling_evidence_3: _CompellingEligibility
    visa_compliance: _ComplianceEligibility


def kept(params: EnhancedEvidenceParams) -> str:
    """Return evidence as it is stored and shown: JSON, with null for what is not given."""
    given = {name: part for name in params.__struct_fields__ if (part := getattr(params, name)) is not UNSET}
    return msgspec.json.encode({name: _whole(part) for name, part in given.items()}).decode()


def prior_charges(params: EnhancedEvidenceParams, *, param: str) -> tuple[str, ...]:
    """Return the charges that evidence names. Raises: NotFound for one that cannot be a charge."""
    compelling = params.visa_compelling_evidence_3
    if isinstance(compelling, UnsetType) or isinstance(compelling.prior_undisputed_transactions, UnsetType):
        return ()
    path = f"{param}[visa_compelling_evidence_3][prior_undisputed_transactions]"
    return tuple(
        kinds.check(kinds.CHARGE, one.charge, param=f"{path}[{place}][charge]")
        for place, one in enumerate(compelling.prior_undisputed_transactions)
    )


def _whole(part: msgspec.Struct) -> dict[str, Any]:
    # Any: the values of JSON.
    whole: dict[str, Any] = {}
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if isinstance(value, msgspec.Struct):
            value = _whole(value)
        elif isinstance(value, list):
            value = [_whole(one) for one in value]
        elif value is UNSET:
            value = _ABSENT.get(name)
        whole[name] = value
    return whole


_ABSENT = {"fee_acknowledged": False, "prior_undisputed_transactions": []}
