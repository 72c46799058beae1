"""Objects rendered slowly and plainly, each as one dict: what `fastpay._native.rendering` must agree with."""

import msgspec

from fastpay.domain.cards import Card
from fastpay.domain.ledger_objects import LedgerTransfer
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
    StoredObject,
)
from tests.reference.rendering_movements import render_ledger_transfer, render_refund


def render_bytes(stored: StoredObject, livemode: bool) -> bytes:
    """Return the JSON of an object."""
    return msgspec.json.encode(render(stored, livemode))


def render(stored: StoredObject, livemode: bool) -> dict[str, object]:
    """Return an object as the dialect writes it."""
    match stored:
        case PaymentIntent():
            return render_payment_intent(stored, livemode)
        case Charge():
            return render_charge(stored, livemode)
        case Refund():
            return render_refund(stored)
        case Customer():
            return render_customer(stored, livemode)
        case PaymentMethod():
            return render_payment_method(stored, livemode)
        case _:
            assert isinstance(stored, LedgerTransfer)
            return render_ledger_transfer(stored, livemode)


def render_payment_intent(intent: PaymentIntent, livemode: bool) -> dict[str, object]:
    """Return the payment intent.

    `last_payment_error.payment_method` is an identifier here; expansion shows it whole without being asked.
    """
    return {
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_capturable": intent.amount_capturable,
        "amount_details": {"tip": {}},
        "amount_received": intent.amount_received,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": _automatic_payment_methods(intent),
        "canceled_at": intent.canceled_at,
        "cancellation_reason": intent.cancellation_reason,
        "capture_method": intent.capture_method,
        "client_secret": intent.client_secret,
        "confirmation_method": intent.confirmation_method,
        "created": intent.created,
        "currency": intent.currency,
        "customer": intent.customer,
        "customer_account": None,
        "description": intent.description,
        "excluded_payment_method_types": None,
        "last_payment_error": _last_payment_error(intent.last_payment_error),
        "latest_charge": intent.latest_charge,
        "livemode": livemode,
        "managed_payments": None,
        "metadata": intent.metadata,
        "next_action": _next_action(intent),
        "on_behalf_of": None,
        "payment_method": intent.payment_method,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": list(intent.payment_method_types),
        "processing": None,
        "receipt_email": intent.receipt_email,
        "review": None,
        "setup_future_usage": intent.setup_future_usage,
        "shipping": render_shipping(intent.shipping),
        "source": None,
        "statement_descriptor": intent.statement_descriptor,
        "statement_descriptor_suffix": intent.statement_descriptor_suffix,
        "status": intent.status,
        "transfer_data": None,
        "transfer_group": intent.transfer_group,
    }


def _automatic_payment_methods(intent: PaymentIntent) -> dict[str, object] | None:
    if not intent.automatic_payment_methods:
        return None
    allow_redirects = "always" if intent.allow_redirects is None else intent.allow_redirects
    return {"allow_redirects": allow_redirects, "enabled": True}


def _last_payment_error(error: PaymentError | None) -> dict[str, object] | None:
    if error is None:
        return None
    return {
        "charge": error.charge,
        "code": error.code,
        "decline_code": error.decline_code,
        "message": error.message,
        "param": error.param,
        "payment_method": error.payment_method,
        "type": error.type,
    }


def _next_action(intent: PaymentIntent) -> dict[str, object] | None:
    """Return how the cardholder is to be asked.

    Where to is not said: an address of this server is not part of a snapshot.
    """
    if intent.status != "requires_action":
        return None
    if intent.return_url is None:
        return {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
    return {"redirect_to_url": {"return_url": intent.return_url, "url": None}, "type": "redirect_to_url"}


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
        "fraud_details": {} if charge.fraud_report is None else {"user_report": charge.fraud_report},
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


def render_customer(customer: Customer, livemode: bool) -> dict[str, object]:
    """Return the customer, or the little that is left of a deleted one."""
    if customer.deleted:
        return {"id": customer.id, "object": "customer", "deleted": True}
    settings = customer.invoice_settings
    return {
        "id": customer.id,
        "object": "customer",
        "address": None if customer.address is None else render_address(customer.address),
        "balance": customer.balance,
        "created": customer.created,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": customer.description,
        "discount": None,
        "email": customer.email,
        "invoice_prefix": customer.invoice_prefix,
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": settings.default_payment_method,
            "footer": settings.footer,
            "rendering_options": None,
        },
        "livemode": livemode,
        "metadata": customer.metadata,
        "name": customer.name,
        "next_invoice_sequence": customer.next_invoice_sequence,
        "phone": customer.phone,
        "preferred_locales": list(customer.preferred_locales),
        "shipping": render_shipping(customer.shipping),
        "tax_exempt": customer.tax_exempt,
        "test_clock": None,
    }


# Where the name on the card differs from the brand's. Source: the dialect's values of card.display_brand.
_DISPLAY_BRANDS = {"amex": "american_express", "diners": "diners_club", "unionpay": "union_pay"}


def render_payment_method(method: PaymentMethod, livemode: bool) -> dict[str, object]:
    """Return the payment method. What a test card will do is nobody's business."""
    card = method.card
    return {
        "id": method.id,
        "object": "payment_method",
        "allow_redisplay": method.allow_redisplay,
        "billing_details": render_billing_details(method.billing_details),
        "card": {
            "brand": card.brand,
            "checks": render_checks(card),
            "country": card.country,
            "display_brand": _DISPLAY_BRANDS.get(card.brand, card.brand),
            "exp_month": card.exp_month,
            "exp_year": card.exp_year,
            "fingerprint": card.fingerprint,
            "funding": card.funding,
            "generated_from": None,
            "last4": card.last4,
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": None,
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": method.created,
        "customer": method.customer,
        "customer_account": None,
        "livemode": livemode,
        "metadata": method.metadata,
        "type": "card",
    }


def render_address(address: Address) -> dict[str, object]:
    """Return a postal address."""
    return {
        "city": address.city,
        "country": address.country,
        "line1": address.line1,
        "line2": address.line2,
        "postal_code": address.postal_code,
        "state": address.state,
    }


def render_billing_details(details: BillingDetails) -> dict[str, object]:
    """Return who pays."""
    return {
        "address": render_address(details.address),
        "email": details.email,
        "name": details.name,
        "phone": details.phone,
        "tax_id": details.tax_id,
    }


def render_shipping(shipping: Shipping | None) -> dict[str, object] | None:
    """Return where goods go."""
    if shipping is None:
        return None
    return {
        "address": render_address(shipping.address),
        "carrier": shipping.carrier,
        "name": shipping.name,
        "phone": shipping.phone,
        "tracking_number": shipping.tracking_number,
    }


def render_checks(card: Card) -> dict[str, object]:
    """Return what the issuer said of the details that came with the card."""
    return {
        "address_line1_check": card.address_line1_check,
        "address_postal_code_check": card.address_postal_code_check,
        "cvc_check": card.cvc_check,
    }
