"""Test cards: what each published card number and magic payment method does.

This table is the processor of test mode. The card alone decides the outcome, so a confirmation in test mode
needs no call and is one commit. Source: the dialect's testing documentation.
"""

import datetime as dt
import functools
import hashlib
import re
from typing import Literal

import msgspec

from fastpay import limits
from fastpay.domain.card_table import BY_COUNTRY, PLAIN
from fastpay.domain.options import Authentication
from fastpay.errors import CardDeclined

# 12 digits or more, with up to two separators between two digits. Digits inside an identifier do not match.
_NUMBER_WITHIN = re.compile(r"(?<![0-9a-f_])\d(?:[\W_]{0,2}\d){11,}(?![0-9a-f])")

# The sum of the digits of each digit's double.
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")
_DAY_S = 24 * 3600
_FIRST_DAY = dt.date(1970, 1, 1).toordinal()


DisputeCase = Literal["chargeback", "compliance", "inquiry"]
# A refund that "fails" succeeds first, and one that is "pending" succeeds later.
RefundOutcome = Literal["succeed", "fail", "pending", "require_action"]
# What becomes of the answer of a processor that has charged the card.
AnswerFault = Literal["lost", "late", "repeated", "contradicted"]


class Behaviour(msgspec.Struct, frozen=True, gc=False):
    """What happens when a card is charged.

    `code` None means success. `needs_authentication` is "always", "unless_set_up", which lets payments
    without the cardholder pass if the card was set up for them, or "on_session", which lets all of them
    pass. A card with a code and `needs_authentication` is declined after the authentication. A card that
    `is_enrolled` authenticates if the merchant asks for it; of any other the result is `unenrolled`.
    `funds_available` skips the pending account. A card that is not `attachable` cannot be saved to a
    customer. If there is a `dispute_reason`, the cardholder disputes what is captured, `disputes` times;
    one who `has_compelling_history` did not dispute earlier ones. `refunds` says what becomes of a refund.
    A card with an `answer` goes the way of live payments, to a processor whose answer fails in this way.
    """

    code: str | None = None
    decline_code: str | None = None
    message: str = ""
    param: str | None = None
    reason: str | None = None
    outcome_type: str = "authorized"
    risk_level: str = "normal"
    risk_score: int = 20
    needs_authentication: str | None = None
    is_enrolled: bool = False
    unenrolled: Authentication | None = Authentication(
        result="attempt_acknowledged", electronic_commerce_indicator="06", version="2.2.0"
    )
    funds_available: bool = False
    attachable: bool = True
    cvc_check: str = "pass"
    address_line1_check: str | None = None
    address_postal_code_check: str | None = None
    dispute_reason: str | None = None
    dispute_case: DisputeCase = "chargeback"
    disputes: int = 1
    has_compelling_history: bool = False
    refunds: RefundOutcome = "succeed"
    answer: AnswerFault | None = None


class Card(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """What is stored of a card. The number is not."""

    brand: str
    last4: str
    exp_month: int
    exp_year: int
    fingerprint: str
    behaviour: str
    funding: str = "credit"
    # None for a live card: only its issuer knows.
    country: str | None = "US"
    cvc_check: str | None = None
    address_line1_check: str | None = None
    address_postal_code_check: str | None = None


# Stands for the card of a payment method that is none.
NO_CARD = Card(brand="", last4="", exp_month=0, exp_year=0, fingerprint="", behaviour="success")


def _declined(
    decline_code: str, message: str, code: str = "card_declined", param: str | None = None
) -> Behaviour:
    return Behaviour(
        code=code,
        decline_code=decline_code,
        message=message,
        param=param,
        reason=decline_code,
        outcome_type="issuer_declined",
        attachable=False,
    )


_PLAIN_DECLINE = "Your card was declined."

BEHAVIOURS: dict[str, Behaviour] = {
    "success": Behaviour(),
    "bypass_pending": Behaviour(funds_available=True),
    "generic_decline": _declined("generic_decline", _PLAIN_DECLINE),
    "insufficient_funds": _declined("insufficient_funds", "Your card has insufficient funds."),
    "lost_card": _declined("lost_card", _PLAIN_DECLINE),
    "stolen_card": _declined("stolen_card", _PLAIN_DECLINE),
    "velocity_exceeded": _declined(
        "card_velocity_exceeded", "Your card was declined for making repeated attempts too often."
    ),
    "expired_card": _declined("expired_card", "Your card has expired.", "expired_card", "exp_month"),
    "incorrect_cvc": msgspec.structs.replace(
        _declined("incorrect_cvc", "Your card's security code is incorrect.", "incorrect_cvc", "cvc"),
        cvc_check="fail",
    ),
    "processing_error": _declined(
        "processing_error",
        "An error occurred while processing your card. Try again later.",
        "processing_error",
    ),
    "charge_declined": msgspec.structs.replace(_declined("generic_decline", _PLAIN_DECLINE), attachable=True),
    "always_blocked": Behaviour(
        code="card_declined",
        decline_code="fraudulent",
        message=_PLAIN_DECLINE,
        reason="highest_risk_level",
        outcome_type="blocked",
        risk_level="highest",
        risk_score=95,
    ),
    "elevated_risk": Behaviour(risk_level="elevated", risk_score=60),
    "cvc_check_fails": Behaviour(cvc_check="fail"),
    "address_checks_fail": Behaviour(address_line1_check="fail", address_postal_code_check="fail"),
    "postal_code_check_fails": Behaviour(address_postal_code_check="fail"),
    "address_line1_check_fails": Behaviour(address_line1_check="fail"),
    "address_unavailable": Behaviour(
        address_line1_check="unavailable", address_postal_code_check="unavailable"
    ),
    "authentication_required": Behaviour(needs_authentication="always"),
    "authentication_on_setup": Behaviour(needs_authentication="unless_set_up"),
    "authentication_on_session": Behaviour(needs_authentication="on_session"),
    "authentication_optional": Behaviour(is_enrolled=True),
    "authentication_fails_optional": Behaviour(
        unenrolled=Authentication(result="processing_error", version="2.2.0")
    ),
    "authentication_unsupported": Behaviour(unenrolled=None),
    "authentication_lookup_fails": _declined("generic_decline", _PLAIN_DECLINE),
    "authenticated_then_declined": msgspec.structs.replace(
        _declined("generic_decline", _PLAIN_DECLINE), needs_authentication="always", attachable=True
    ),
    "authenticated_then_insufficient_funds": msgspec.structs.replace(
        _declined("insufficient_funds", "Your card has insufficient funds."),
        needs_authentication="always",
        attachable=True,
    ),
    "cvc_check_fails_at_risk": Behaviour(cvc_check="fail", risk_level="elevated", risk_score=60),
    "postal_code_check_fails_at_risk": Behaviour(
        address_postal_code_check="fail", risk_level="elevated", risk_score=60
    ),
    "two_networks": Behaviour(),
    "disputed_fraudulent": Behaviour(dispute_reason="fraudulent"),
    "disputed_with_history": Behaviour(dispute_reason="fraudulent", has_compelling_history=True),
    "disputed_not_received": Behaviour(dispute_reason="product_not_received"),
    "disputed_inquiry": Behaviour(dispute_reason="general", dispute_case="inquiry"),
    "disputed_noncompliant": Behaviour(dispute_reason="noncompliant", dispute_case="compliance"),
    "disputed_twice": Behaviour(dispute_reason="fraudulent", disputes=2),
    "refund_fails": Behaviour(refunds="fail"),
    "refund_pending": Behaviour(refunds="pending"),
    "refund_requires_action": Behaviour(refunds="require_action"),
    "answer_lost": Behaviour(answer="lost"),
    "answer_late": Behaviour(answer="late"),
    "answer_repeated": Behaviour(answer="repeated"),
    "answer_contradicted": Behaviour(answer="contradicted"),
}

# number: (brand, funding, country, behaviour)
NUMBERS: dict[str, tuple[str, str, str, str]] = {
    **{number: (*kind, "success") for number, kind in PLAIN.items()},
    "378282246310005": ("amex", "credit", "US", "authentication_unsupported"),
    "4000000000000077": ("visa", "credit", "US", "bypass_pending"),
    "4000003720000278": ("visa", "credit", "IE", "bypass_pending"),
    "4000000000000002": ("visa", "credit", "US", "generic_decline"),
    "4000000000009995": ("visa", "credit", "US", "insufficient_funds"),
    "4000000000009987": ("visa", "credit", "US", "lost_card"),
    "4000000000009979": ("visa", "credit", "US", "stolen_card"),
    "4000000000006975": ("visa", "credit", "US", "velocity_exceeded"),
    "4000000000000069": ("visa", "credit", "US", "expired_card"),
    "4000000000000127": ("visa", "credit", "US", "incorrect_cvc"),
    "4000000000000119": ("visa", "credit", "US", "processing_error"),
    "4000000000000341": ("visa", "credit", "US", "charge_declined"),
    "4100000000000019": ("visa", "credit", "US", "always_blocked"),
    "4000000000004954": ("visa", "credit", "US", "always_blocked"),
    "4000000000009235": ("visa", "credit", "US", "elevated_risk"),
    "4000000000000101": ("visa", "credit", "US", "cvc_check_fails"),
    "4000000000000010": ("visa", "credit", "US", "address_checks_fail"),
    "4000000000000028": ("visa", "credit", "US", "address_line1_check_fails"),
    "4000000000000036": ("visa", "credit", "US", "postal_code_check_fails"),
    "4000000000000044": ("visa", "credit", "US", "address_unavailable"),
    "4000002500003155": ("visa", "credit", "FR", "authentication_on_setup"),
    "4000002760003184": ("visa", "credit", "DE", "authentication_required"),
    "4000000000003220": ("visa", "credit", "US", "authentication_required"),
    "4000000000003063": ("visa", "credit", "US", "authentication_required"),
    "4000003800000446": ("visa", "credit", "IT", "authentication_on_session"),
    "4000008260003178": ("visa", "credit", "GB", "authenticated_then_insufficient_funds"),
    "4000008400001629": ("visa", "credit", "US", "authenticated_then_declined"),
    "4000008400001280": ("visa", "credit", "US", "authentication_lookup_fails"),
    "4000000000003055": ("visa", "credit", "US", "authentication_optional"),
    "4000000000003097": ("visa", "credit", "US", "authentication_fails_optional"),
    "4000058400307872": ("visa", "credit", "US", "cvc_check_fails_at_risk"),
    "4000058400306072": ("visa", "credit", "US", "postal_code_check_fails_at_risk"),
    "4000002500001001": ("visa", "credit", "FR", "two_networks"),
    "5555552500001001": ("mastercard", "credit", "FR", "two_networks"),
    "4000000000000259": ("visa", "credit", "US", "disputed_fraudulent"),
    "4000000000002685": ("visa", "credit", "US", "disputed_not_received"),
    "4000000000001976": ("visa", "credit", "US", "disputed_inquiry"),
    "4000000404000038": ("visa", "credit", "US", "disputed_with_history"),
    "4000000404000079": ("visa", "credit", "US", "disputed_twice"),
    "4000008400000779": ("visa", "credit", "US", "disputed_noncompliant"),
    # The issuer warns of fraud. There are no early fraud warnings here, so this is an ordinary payment.
    "4000000000005423": ("visa", "credit", "US", "success"),
    "4000000000005126": ("visa", "credit", "US", "refund_fails"),
    "4000000000007726": ("visa", "credit", "US", "refund_pending"),
    # Ours: nobody publishes a card of which a refund waits for the cardholder.
    "4000000000007734": ("visa", "credit", "US", "refund_requires_action"),
    # Ours too: nobody publishes cards whose processor does not answer in order.
    "4000000000008807": ("visa", "credit", "US", "answer_lost"),
    "4000000000008815": ("visa", "credit", "US", "answer_late"),
    "4000000000008823": ("visa", "credit", "US", "answer_repeated"),
    "4000000000008831": ("visa", "credit", "US", "answer_contradicted"),
}

_MAGIC_NUMBERS: dict[str, str] = {
    **BY_COUNTRY,
    "visa": "4242424242424242",
    "visa_debit": "4000056655665556",
    "mastercard": "5555555555554444",
    "mastercard_debit": "5200828282828210",
    "mastercard_prepaid": "5105105105105100",
    "amex": "378282246310005",
    "amex_threeDSecureNotSupported": "378282246310005",
    "discover": "6011111111111117",
    "diners": "3056930009020004",
    "jcb": "3566002020360505",
    "unionpay": "6200000000000005",
    "visa_cartesBancaires": "4000002500001001",
    "mastercard_cartesBancaires": "5555552500001001",
    "bypassPending": "4000000000000077",
    "bypassPendingInternational": "4000003720000278",
    "visa_chargeDeclined": "4000000000000002",
    "chargeDeclined": "4000000000000002",
    "chargeDeclinedInsufficientFunds": "4000000000009995",
    "visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "chargeDeclinedLostCard": "4000000000009987",
    "visa_chargeDeclinedLostCard": "4000000000009987",
    "chargeDeclinedStolenCard": "4000000000009979",
    "visa_chargeDeclinedStolenCard": "4000000000009979",
    "chargeDeclinedVelocityLimitExceeded": "4000000000006975",
    "visa_chargeDeclinedVelocityLimitExceeded": "4000000000006975",
    "chargeDeclinedExpiredCard": "4000000000000069",
    "visa_chargeDeclinedExpiredCard": "4000000000000069",
    "chargeDeclinedIncorrectCvc": "4000000000000127",
    "visa_chargeDeclinedIncorrectCvc": "4000000000000127",
    "chargeDeclinedProcessingError": "4000000000000119",
    "visa_chargeDeclinedProcessingError": "4000000000000119",
    "chargeDeclinedFraudulent": "4100000000000019",
    "visa_chargeDeclinedFraudulent": "4100000000000019",
    "chargeCustomerFail": "4000000000000341",
    "radarBlock": "4100000000000019",
    "riskLevelHighest": "4000000000004954",
    "riskLevelElevated": "4000000000009235",
    "cvcCheckFail": "4000000000000101",
    "avsFail": "4000000000000010",
    "avsLine1Fail": "4000000000000028",
    "avsZipFail": "4000000000000036",
    "avsUnchecked": "4000000000000044",
    "authenticationRequired": "4000002760003184",
    "authenticationRequiredOnSetup": "4000002500003155",
    "authenticationRequiredSetupForOffSession": "4000003800000446",
    "authenticationRequiredChargeDeclinedInsufficientFunds": "4000008260003178",
    "threeDSecureRequired": "4000000000003063",
    "threeDSecure2Required": "4000000000003220",
    "threeDSecureRequiredChargeDeclined": "4000008400001629",
    "threeDSecureRequiredProcessingError": "4000008400001280",
    "threeDSecureOptional": "4000000000003055",
    "threeDSecureOptionalProcessingError": "4000000000003097",
    "cvcCheckFailElevatedRisk": "4000058400307872",
    "avsZipFailElevatedRisk": "4000058400306072",
    "createDispute": "4000000000000259",
    "createDisputeProductNotReceived": "4000000000002685",
    "createDisputeInquiry": "4000000000001976",
    "createCe3EligibleDispute": "4000000404000038",
    "createMultipleDisputes": "4000000404000079",
    "createComplianceDispute": "4000008400000779",
    "createIssuerFraudRecord": "4000000000005423",
    "refundFail": "4000000000005126",
    "pendingRefund": "4000000000007726",
    "refundRequiresAction": "4000000000007734",
    "answerLost": "4000000000008807",
    "answerLate": "4000000000008815",
    "answerRepeated": "4000000000008823",
    "answerContradicted": "4000000000008831",
}

# Cards whose payments the cardholder disputes: their captures move the account of disputes as well.
DISPUTED = frozenset(name for name, behaviour in BEHAVIOURS.items() if behaviour.dispute_reason is not None)
# Cards whose payments move one account more: that of disputes, or that of what is in doubt.
MOVES_MORE = DISPUTED | {name for name, behaviour in BEHAVIOURS.items() if behaviour.answer is not None}

# How many percent more than was authorized a capture may take, where it was asked for. The networks' own
# limits also depend on the merchant's trade. Networks that are not here allow nothing.
_OVERCAPTURE_PERCENT = {"amex": 15, "discover": 20, "mastercard": 20, "visa": 15}
assert max(_OVERCAPTURE_PERCENT.values()) <= limits.overcapture_percent_max

MAGIC_PAYMENT_METHODS: dict[str, str] = {f"pm_card_{name}": number for name, number in _MAGIC_NUMBERS.items()}
MAGIC_TOKENS: dict[str, str] = {f"tok_{name}": number for name, number in _MAGIC_NUMBERS.items()}


def test_card(number: str, *, exp_month: int, exp_year: int, cvc_given: bool, fingerprint_key: bytes) -> Card:
    """Describe a published test card. Raises: KeyError for a number that is not one."""
    brand, funding, country, behaviour_name = NUMBERS[number]
    behaviour = BEHAVIOURS[behaviour_name]
    return Card(
        brand=brand,
        last4=number[-4:],
        exp_month=exp_month,
        exp_year=exp_year,
        fingerprint=fingerprint(number, fingerprint_key),
        behaviour=behaviour_name,
        funding=funding,
        country=country,
        cvc_check=behaviour.cvc_check if cvc_given else None,
        address_line1_check=behaviour.address_line1_check,
        address_postal_code_check=behaviour.address_postal_code_check,
    )


def overcapture_max(card: Card, amount: int) -> int | None:
    """Return how much can be captured of an authorized amount, None if no more than that."""
    percent = _OVERCAPTURE_PERCENT.get(card.brand)
    return None if percent is None else min(amount + amount * percent // 100, limits.amount_max)


def check_valid(card: Card, *, moment_s: int, param: str) -> None:
    """Raise CardDeclined if the card has expired. `param` is the parameter that held month and year, or "".

    Commands check this, not the decoding of parameters: a replay must not depend on the day it arrives.
    """
    year, month = _month_of(moment_s // _DAY_S)
    if card.exp_year > year or (card.exp_year == year and card.exp_month >= month):
        return
    part = "year" if card.exp_year < year else "month"
    raise expiry_refused(part, param=param)


def expiry_refused(part: str, *, param: str) -> CardDeclined:
    """Return the error for an invalid expiry "month" or "year"."""
    name = f"exp_{part}"
    return CardDeclined(
        f"Your card's expiration {part} is invalid.",
        code=f"invalid_expiry_{part}",
        param=f"{param}[{name}]" if param else name,
    )


def fingerprint(number: str, key: bytes) -> str:
    """Return 16 characters that are equal for equal numbers under one key, and reveal nothing else."""
    return hashlib.blake2b(number.encode(), key=key, digest_size=8).hexdigest()


def year_and_month(moment_s: int) -> tuple[int, int]:
    """Return the year and the month (from 1) of a time."""
    return _month_of(moment_s // _DAY_S)


def holds_number(text: str) -> bool:
    """Tell whether a text may contain a card number, with or without separators."""
    return _NUMBER_WITHIN.search(text) is not None


def hide_numbers(text: str) -> str:
    """Return a text in which a note replaces everything that may be a card number."""
    return _NUMBER_WITHIN.sub(lambda found: f"({len(found[0])} characters)", text)


def passes_luhn(number: str) -> bool:
    """Tell whether the check digit is right. Source: ISO/IEC 7812-1 annex B."""
    # Every second digit from the end is doubled. A sum over bytes takes a tenth of a loop over digits.
    digits = number.encode("ascii")
    total = sum(digits[-1::-2]) + sum(digits[-2::-2].translate(_DOUBLED))
    return (total - ord("0") * len(digits)) % 10 == 0


# Nearly all calls are about today.
@functools.lru_cache(maxsize=2)
def _month_of(day: int) -> tuple[int, int]:
    """Return the year and month of a day, counted from 1 January 1970."""
    date = dt.date.fromordinal(_FIRST_DAY + day)
    return date.year, date.month
