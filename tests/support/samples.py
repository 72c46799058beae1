"""Objects in every state that the domain can bring about, made by hand."""

from typing import Any

from fastpay.domain.cards import Card
from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger import Transfer, account_id
from fastpay.domain.objects import (
    Address,
    BillingDetails,
    Charge,
    Customer,
    InvoiceSettings,
    PaymentError,
    PaymentIntent,
    PaymentMethod,
    Refund,
    Shipping,
    StoredObject,
)
from fastpay.domain.options import Authentication, Capture, CardOptions, ChargeExtras, PaymentExtras
from fastpay.domain.payouts import Payout
from fastpay.domain.setup_objects import CustomerAcceptance, Mandate, SetupAttempt, SetupError, SetupIntent

CREATED_S = 1_700_000_000
SETUP_INTENT_ID, SETUP_ATTEMPT_ID, MANDATE_ID = (
    f"{prefix}_018bcfe56800700080000000000001{number:02x}"
    for number, prefix in enumerate(("seti", "setatt", "mandate"))
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

SETUPS: dict[str, StoredObject] = {
    "a new setup": setup_intent(),
    "a setup to confirm": setup_intent("requires_confirmation", payment_method=METHOD_ID),
    "a setup waiting for the cardholder": setup_intent(
        "requires_action",
        latest_attempt=SETUP_ATTEMPT_ID,
        payment_method=METHOD_ID,
        return_url="https://example.com/back",
    ),
    "a declined setup": setup_intent(latest_attempt=SETUP_ATTEMPT_ID, last_setup_error=SETUP_DECLINED),
    "a canceled setup": setup_intent("canceled", cancellation_reason="abandoned"),
    "a finished setup": setup_intent(
        "succeeded",
        attach_to_self=True,
        automatic_payment_methods=False,
        customer=CUSTOMER_ID,
        description="Card",
        flow_directions=("inbound",),
        latest_attempt=SETUP_ATTEMPT_ID,
        mandate=MANDATE_ID,
        metadata={"order": "1"},
        payment_method=METHOD_ID,
        single_use_mandate=MANDATE_ID,
    ),
    "an attempt that waits": setup_attempt("requires_action"),
    "an attempt that succeeded": setup_attempt(customer=CUSTOMER_ID, three_d_secure="authenticated"),
    "an attempt that failed": setup_attempt("failed", setup_error=SETUP_DECLINED, three_d_secure="failed"),
    "a mandate": mandate(),
    "a mandate for one payment": mandate(
        acceptance=CustomerAcceptance(
            type="online", accepted_at=CREATED_S, ip_address="192.0.2.1", user_agent="Browser"
        ),
        amount=500,
        currency="usd",
        type="single_use",
    ),
}

STATES: dict[str, StoredObject] = SETUPS | {
    "a bare customer": customer(),
    "a full customer": customer(
        address=ADDRESS,
        balance=-5,
        description="Regular",
        email="a@example.com",
        invoice_settings=InvoiceSettings(default_payment_method=METHOD_ID, footer="Thanks"),
        metadata={"order": "1"},
        name="Ada",
        phone="+41",
        preferred_locales=("de", "fr"),
        shipping=SHIPPING,
        tax_exempt="exempt",
    ),
    "a payment method of nobody": payment_method(),
    "a payment method of a customer": payment_method(
        allow_redisplay="always", billing_details=BILLING, customer=CUSTOMER_ID, metadata={"a": "b"}
    ),
    "a new intent": payment_intent(),
    "an intent to confirm": payment_intent("requires_confirmation", payment_method=METHOD_ID),
    "an intent waiting for the cardholder": payment_intent("requires_action", payment_method=METHOD_ID),
    "an intent waiting for a redirect": payment_intent(
        "requires_action",
        payment_method=METHOD_ID,
        return_url="https://example.com/back",
        challenge_url="https://pay.example/authenticate/token",
    ),
    "a declined intent": payment_intent(latest_charge=CHARGE_ID, last_payment_error=DECLINED),
    "an authorized intent": payment_intent(
        "requires_capture", amount_capturable=2000, capture_method="manual", latest_charge=CHARGE_ID
    ),
    "a canceled intent": payment_intent(
        "canceled", canceled_at=CREATED_S + 1, cancellation_reason="abandoned", latest_charge=CHARGE_ID
    ),
    "a paid intent": payment_intent(
        "succeeded",
        amount_received=2000,
        allow_redirects="never",
        customer=CUSTOMER_ID,
        description="Order 1",
        latest_charge=CHARGE_ID,
        metadata={"order": "1"},
        payment_method=METHOD_ID,
        receipt_email="a@example.com",
        setup_future_usage="off_session",
        shipping=SHIPPING,
        statement_descriptor="SHOP",
        statement_descriptor_suffix="1",
        transfer_group="G",
    ),
    "an intent with every option": payment_intent(
        "requires_capture",
        amount_capturable=1500,
        amount_received=500,
        capture_method="manual",
        latest_charge=CHARGE_ID,
        extras=PaymentExtras(
            card=CardOptions(
                capture_method="manual",
                network="visa",
                request_extended_authorization="if_available",
                request_incremental_authorization="if_available",
                request_multicapture="if_available",
                request_overcapture="never",
                request_three_d_secure="any",
                require_cvc_recollection=True,
                setup_credential_usage="recurring",
                setup_future_usage="none",
                statement_descriptor_suffix_kana="カナ",
                statement_descriptor_suffix_kanji="漢字",
                stored_credential_usage="recurring",
            ),
            amount_details='{"shipping":{"amount":1},"tip":{}}',
            excluded_payment_method_types=("sepa_debit",),
            payment_details='{"order_reference":"1"}',
        ),
    ),
    "an intent for cards only": payment_intent(automatic_payment_methods=False),
    "a declined charge": charge(
        "failed",
        failure_code="card_declined",
        failure_message="Your card was declined.",
        outcome_reason="generic_decline",
        outcome_type="issuer_declined",
    ),
    "a blocked charge": charge(
        "failed",
        failure_code="card_declined",
        failure_message="Your card was declined.",
        outcome_reason="highest_risk_level",
        outcome_type="blocked",
        risk_level="highest",
        risk_score=95,
    ),
    "an authorized charge": charge(hold=TRANSFER_ID, capture_before=CREATED_S + 604_800),
    "a released charge": charge(hold=TRANSFER_ID, released=True),
    "a captured charge": captured_charge(
        billing_details=BILLING,
        customer=CUSTOMER_ID,
        description="Order 1",
        funds_available=True,
        metadata={"order": "1"},
        receipt_email="a@example.com",
        shipping=SHIPPING,
        statement_descriptor="SHOP",
    ),
    "a charge with every option": captured_charge(
        extras=ChargeExtras(
            authentication=Authentication(
                result="authenticated",
                flow="challenge",
                electronic_commerce_indicator="05",
                exemption_indicator="none",
                transaction_id="t",
                version="2.2.0",
            ),
            captures=(Capture(TRANSACTION_ID, 500, 10),),
            has_extended_authorization=True,
            has_incremental_authorization=True,
            has_multicapture=True,
            increments=1,
            level3='{"merchant_reference":"1","line_items":[]}',
            moto=True,
            network="visa",
            network_transaction_id="1098510912210968",
            radar_options='{"session":"rse_1"}',
        ),
    ),
    "a charge captured in part": captured_charge(amount_captured=1500),
    "a charge refunded in part": captured_charge(amount_refunded=500),
    "a charge refunded": captured_charge(amount_captured=1500, amount_refunded=1500),
    "a pending payout": payout(due_at=CREATED_S + 5),
    "a paid payout": payout(
        automatic=True, balance_transaction=TRANSACTION_ID, description="Payout", status="paid"
    ),
    "a failed payout": payout(
        destination="ba_noAccount",
        failure_balance_transaction=TRANSACTION_ID,
        failure_code="no_account",
        failure_message="No such account.",
        metadata={"a": "1"},
        status="failed",
    ),
    "a bare refund": refund(),
    "a full refund": refund(
        balance_transaction=TRANSACTION_ID,
        customer=CUSTOMER_ID,
        metadata={"why": "late"},
        payment_method=METHOD_ID,
        reason="requested_by_customer",
    ),
}
