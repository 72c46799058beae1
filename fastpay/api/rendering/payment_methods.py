"""Payment methods as the dialect shows them. What a test card will do is nobody's business."""

from fastpay.api.rendering.layout import Choice, Field, Mode, template
from fastpay.api.rendering.parts import BILLING_DETAILS, CHECKS
from fastpay.domain.objects import PaymentMethod

# Where the name on the card differs from the brand's. Source: the dialect's values of card.display_brand.
_DISPLAY_BRANDS = {"amex": "american_express", "diners": "diners_club", "unionpay": "union_pay"}

PAYMENT_METHOD = template(
    PaymentMethod,
    {
        "id": Field("id"),
        "object": "payment_method",
        "allow_redisplay": Field("allow_redisplay"),
        "billing_details": BILLING_DETAILS,
        "card": {
            "brand": Field("card.brand"),
            "checks": CHECKS,
            "country": Field("card.country"),
            "display_brand": Choice("card.brand", _DISPLAY_BRANDS, otherwise=Field("card.brand")),
            "exp_month": Field("card.exp_month"),
            "exp_year": Field("card.exp_year"),
            "fingerprint": Field("card.fingerprint"),
            "funding": Field("card.funding"),
            "generated_from": None,
            "last4": Field("card.last4"),
            "networks": {"available": [Field("card.brand")], "preferred": None},
            "regulated_status": None,
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": Field("created"),
        "customer": Field("customer"),
        "customer_account": None,
        "livemode": Mode(),
        "metadata": Field("metadata"),
        "type": "card",
    },
)
