"""Objects in every state that the domain can bring about, made by hand."""

from typing import Any

from fastpay.domain.cards import Card
from fastpay.domain.confirmation_tokens import ConfirmationToken
from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger import Transfer, account_id
from fastpay.domain.objects import (
    Address,
    BillingDetails,
    Charge,
    Customer,
    PaymentError,
    PaymentIntent,
    PaymentMethod,
    Refund,
    Shipping,
)
from fastpay.domain.payouts import Payout
from fastpay.domain.setup_objects import CustomerAcceptance, Mandate, SetupAttempt, SetupError, SetupIntent
from fastpay.domain.tokens import Token

CREATED_S = 1_700_000_000
SETUP_INTENT_ID, SETUP_ATTEMPT_ID, MANDATE_ID, TOKEN_ID, CONFIRMATION_TOKEN_ID = (
    f"{prefix}_018bcfe56800700080000000000001{number:02x}"
    for number, prefix in enumerate(("seti", "setatt", "mandate", "tok", "ctoken"))
)
SCOPE = Scope("00000000-0000-7000-8000-000000000001", False)
DIGITS = {
    prefix: f"018bcfe56800700080000000000000{number:02x}"
    for number, prefix in enumerate(("cus", "pm", "pi", "ch", "re", "tr", "po"))
}
CUSTOMER_ID = "cus_" + DIGITS["cus"]
METHOD_ID = "pm_" + DIGITS["pm"]
INTENT_ID = "pi_" + DIGITS["pi"]
CHARGE_ID = "ch_" + DIGITS["ch"]
REFUND_ID = "re_" + DIGITS["re"]
PAYOUT_ID = "po_" + DIGITS["po"]
TRANSFER_ID = "tr_" + DIGITS["tr"]
TRANSACTION_ID = "txn_" + DIGITS["tr"]

ADDRESS = Address(city="Bern", country="CH", line1="Gasse 1", line2="Hof", postal_code="3000", state="BE")
BILLING = BillingDetails(address=ADDRESS, email="a@example.com", name="Ada", phone="+41", tax_id="T1")
SHIPPING = Shipping(address=ADDRESS, carrier="Post", name="Ada", phone="+41", tracking_number="T2")
CARD = Card(
    brand="visa",
    last4="4242",
    exp_month=8,
    exp_year=2034,
    fingerprint="0123456789abcdef",
    behaviour="bypass_pending",
    cvc_check="pass",
)


def customer(**changes: Any) -> Customer:
    """Return a customer."""
    return Customer(**{"id": CUSTOMER_ID, "created": CREATED_S, "invoice_prefix": "0000CAFE", **changes})


def payment_method(**changes: Any) -> PaymentMethod:
    """Return a payment method."""
    return PaymentMethod(**{"id": METHOD_ID, "created": CREATED_S, "card": CARD, **changes})


def payment_intent(status: str = "requires_payment_method", **changes: Any) -> PaymentIntent:
    """Return a payment intent."""
    return PaymentIntent(
        **{
            "id": INTENT_ID,
            "created": CREATED_S,
            "amount": 2000,
            "currency": "usd",
            "status": status,
            "client_secret": INTENT_ID + "_secret_x",
            **changes,
        }
    )


def charge(status: str = "succeeded", **changes: Any) -> Charge:
    """Return a charge."""
    return Charge(
        **{
            "id": CHARGE_ID,
            "created": CREATED_S,
            "amount": 2000,
            "currency": "usd",
            "status": status,
            "payment_intent": INTENT_ID,
            "payment_method": METHOD_ID,
            "card": CARD,
            **changes,
        }
    )


def captured_charge(**changes: Any) -> Charge:
    """Return a charge whose money came in."""
    return charge(
        **{
            "amount_captured": 2000,
            "balance_transaction": TRANSACTION_ID,
            "captured": True,
            "fee": 88,
            **changes,
        }
    )


def refund(**changes: Any) -> Refund:
    """Return a refund."""
    return Refund(
        **{
            "id": REFUND_ID,
            "created": CREATED_S,
            "amount": 500,
            "currency": "usd",
            "charge": CHARGE_ID,
            "payment_intent": INTENT_ID,
            "status": "succeeded",
            **changes,
        }
    )


def transfer(kind: str = "capture", **changes: Any) -> Transfer:
    """Return a transfer between two accounts of the tenant."""
    return Transfer(
        **{
            "id": TRANSFER_ID,
            "kind": kind,
            "phase": "posted",
            "debit_account_id": account_id(SCOPE, "usd", "processor"),
            "credit_account_id": account_id(SCOPE, "usd", "pending"),
            "currency": "usd",
            "amount": 2000,
            "source_id": CHARGE_ID,
            **changes,
        }
    )


def setup_intent(status: str = "requires_payment_method", **changes: Any) -> SetupIntent:
    """Return a setup intent."""
    return SetupIntent(
        **{
            "id": SETUP_INTENT_ID,
            "created": CREATED_S,
            "status": status,
            "client_secret": SETUP_INTENT_ID + "_secret_x",
            **changes,
        }
    )


def setup_attempt(status: str = "succeeded", **changes: Any) -> SetupAttempt:
    """Return an attempt to set up a card."""
    return SetupAttempt(
        **{
            "id": SETUP_ATTEMPT_ID,
            "created": CREATED_S,
            "card": CARD,
            "payment_method": METHOD_ID,
            "setup_intent": SETUP_INTENT_ID,
            "status": status,
            **changes,
        }
    )


def token(**changes: Any) -> Token:
    """Return a token of a card."""
    return Token(
        **{
            "id": TOKEN_ID,
            "created": CREATED_S,
            "card": CARD,
            "card_id": "card_" + TOKEN_ID[-32:],
            **changes,
        }
    )


def confirmation_token(**changes: Any) -> ConfirmationToken:
    """Return a confirmation token."""
    return ConfirmationToken(
        **{
            "id": CONFIRMATION_TOKEN_ID,
            "created": CREATED_S,
            "card": CARD,
            "expires_at": CREATED_S + 43_200,
            **changes,
        }
    )


def mandate(**changes: Any) -> Mandate:
    """Return a mandate."""
    return Mandate(
        **{
            "id": MANDATE_ID,
            "created": CREATED_S,
            "acceptance": CustomerAcceptance(type="offline", accepted_at=CREATED_S),
            "payment_method": METHOD_ID,
            **changes,
        }
    )


DECLINED = PaymentError(
    code="card_declined",
    message="Your card was declined.",
    decline_code="generic_decline",
    charge=CHARGE_ID,
    payment_method=METHOD_ID,
)


def payout(**changes: Any) -> Payout:
    """Return a payout."""
    made = {"id": PAYOUT_ID, "created": CREATED_S, "arrival_date": CREATED_S + 10, "amount": 700}
    return Payout(**{**made, "currency": "usd", **changes})


SETUP_DECLINED = SetupError(
    code="card_declined",
    message="Your card was declined.",
    decline_code="generic_decline",
    payment_method=METHOD_ID,
)
