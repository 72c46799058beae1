"""The parts that several objects show alike."""

from collections.abc import Mapping

from fastpay.api.layout import Field, Nested, Shape, When, fields
from fastpay.domain.objects import Address, BillingDetails, Shipping

ADDRESS = Nested(
    "address",
    Address,
    fields("city", "country", "line1", "line2", "postal_code", "state"),
)

# Who pays.
BILLING_DETAILS = Nested(
    "billing_details",
    BillingDetails,
    {
        "address": ADDRESS,
        **fields("email", "name", "phone", "tax_id"),
    },
)

# Where goods go.
SHIPPING = Nested(
    "shipping",
    Shipping,
    {
        "address": ADDRESS,
        **fields("carrier", "name", "phone", "tracking_number"),
    },
)

# What the issuer said of the details that came with the card.
CHECKS: Shape = {
    "address_line1_check": Field("card.address_line1_check"),
    "address_postal_code_check": Field("card.address_postal_code_check"),
    "cvc_check": Field("card.cvc_check"),
}

# How the cardholder authenticates.
_REDIRECT: Shape = {
    "redirect_to_url": {"return_url": Field("return_url"), "url": Field("challenge_url")},
    "type": "redirect_to_url",
}
NEXT_ACTION = When("challenge_url", _REDIRECT, otherwise={"type": "use_stripe_sdk", "use_stripe_sdk": {}})

ALLOW_REDIRECTS = When("allow_redirects", Field("allow_redirects"), otherwise="always")


def options_of_each(options: Mapping[str, Shape]) -> Shape:
    """Return the shape of `payment_method_options`: those of each type in `payment_method_types`."""
    return _options_of(list(options.items()), {})


def _options_of(left: list[tuple[str, Shape]], shown: dict[str, Shape]) -> Shape:
    if not left:
        return shown
    (name, shape), *rest = left
    return When(
        "payment_method_types",
        _options_of(rest, {**shown, name: shape}),
        otherwise=_options_of(rest, shown),
        contains=name,
    )
