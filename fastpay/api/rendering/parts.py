"""The parts that several objects show alike."""

from fastpay.domain.cards import Card
from fastpay.domain.objects import Address, BillingDetails, Shipping


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
