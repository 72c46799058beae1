"""Customers as the dialect shows them."""

from fastpay.api.rendering.envelopes import render_deleted
from fastpay.api.rendering.parts import render_address, render_shipping
from fastpay.domain.objects import Customer


def render_customer(customer: Customer, livemode: bool) -> dict[str, object]:
    """Return the customer, or the little that is left of a deleted one."""
    if customer.deleted:
        return render_deleted(customer.id, "customer")
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
