"""Payment methods as the dialect shows them."""

from fastpay.api.rendering.parts import render_billing_details, render_checks
from fastpay.domain.objects import PaymentMethod

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
