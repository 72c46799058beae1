"""Payment intents as the dialect shows them."""

from fastpay.api.rendering.parts import render_shipping
from fastpay.domain.objects import PaymentError, PaymentIntent


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
    return {"allow_redirects": intent.allow_redirects or "always", "enabled": True}


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
