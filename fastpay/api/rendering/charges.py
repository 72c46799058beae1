"""Charges as the dialect shows them."""

from fastpay.api.rendering.parts import render_billing_details, render_checks, render_shipping
from fastpay.domain.objects import Charge

_NETWORK_STATUSES = {
    "authorized": "approved_by_network",
    "issuer_declined": "declined_by_network",
    "blocked": "not_sent_to_network",
}

# What a merchant reads about an attempt; buyers are never shown this.
_DECLINED_BY_ISSUER = "The card issuer declined this payment."
_SELLER_MESSAGES = {
    "authentication_required": "The card issuer wants the cardholder to authenticate this payment first.",
    "card_velocity_exceeded": "The card issuer declined this payment: the card was used too often lately.",
    "expired_card": "The card issuer declined this payment: the card has expired.",
    "generic_decline": "The card issuer declined this payment and gave no reason.",
    "highest_risk_level": "This payment was blocked before it reached the card issuer: too high a risk.",
    "incorrect_cvc": "The card issuer declined this payment: the security code does not match.",
    "insufficient_funds": "The card issuer declined this payment: there is not enough money on the account.",
    "lost_card": "The card issuer declined this payment: the card was reported lost.",
    "processing_error": "The card issuer declined this payment: something failed while processing it.",
    "stolen_card": "The card issuer declined this payment: the card was reported stolen.",
}


def render_charge(charge: Charge, livemode: bool) -> dict[str, object]:
    """Return the charge. `refunds` is null; expansion fills it in when asked."""
    return {
        "id": charge.id,
        "object": "charge",
        "amount": charge.amount,
        "amount_captured": charge.amount_captured,
        # A released authorization counts as given back in full, although nothing was ever taken.
        "amount_refunded": charge.amount if charge.released else charge.amount_refunded,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": charge.balance_transaction,
        "billing_details": render_billing_details(charge.billing_details),
        "calculated_statement_descriptor": charge.statement_descriptor,
        "captured": charge.captured,
        "created": charge.created,
        "currency": charge.currency,
        "customer": charge.customer,
        "description": charge.description,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": charge.failure_code,
        "failure_message": charge.failure_message,
        "fraud_details": {},
        "livemode": livemode,
        "metadata": charge.metadata,
        "on_behalf_of": None,
        "outcome": _outcome(charge),
        "paid": charge.status == "succeeded",
        "payment_intent": charge.payment_intent,
        "payment_method": charge.payment_method,
        "payment_method_details": _payment_method_details(charge),
        "receipt_email": charge.receipt_email,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": charge.released or _is_refunded_in_full(charge),
        "refunds": None,
        "review": None,
        "shipping": render_shipping(charge.shipping),
        "source": None,
        "source_transfer": None,
        "statement_descriptor": charge.statement_descriptor,
        "statement_descriptor_suffix": charge.statement_descriptor_suffix,
        "status": charge.status,
        "transfer_data": None,
        "transfer_group": charge.transfer_group,
    }


def _is_refunded_in_full(charge: Charge) -> bool:
    return charge.captured and charge.amount_refunded == charge.amount_captured


def _outcome(charge: Charge) -> dict[str, object]:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": _NETWORK_STATUSES[charge.outcome_type],
        "reason": charge.outcome_reason,
        "risk_level": charge.risk_level,
        "risk_score": charge.risk_score,
        "seller_message": _seller_message(charge),
        "type": charge.outcome_type,
    }


def _seller_message(charge: Charge) -> str:
    if charge.outcome_type == "authorized":
        return "The card issuer approved this payment."
    return _SELLER_MESSAGES.get(charge.outcome_reason or "", _DECLINED_BY_ISSUER)


def _payment_method_details(charge: Charge) -> dict[str, object]:
    card = charge.card
    return {
        "card": {
            "amount_authorized": charge.amount if charge.status == "succeeded" else None,
            "authorization_code": None,
            "brand": card.brand,
            "capture_before": charge.capture_before,
            "checks": render_checks(card),
            "country": card.country,
            "exp_month": card.exp_month,
            "exp_year": card.exp_year,
            "extended_authorization": {"status": "disabled"},
            "fingerprint": card.fingerprint,
            "funding": card.funding,
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "last4": card.last4,
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": card.brand,
            "network_token": {"used": False},
            "network_transaction_id": None,
            "overcapture": {"maximum_amount_capturable": charge.amount, "status": "unavailable"},
            "regulated_status": None,
            "three_d_secure": None,
            "transaction_link_id": None,
            "wallet": None,
        },
        "type": "card",
    }
