"""Customers as the dialect shows them, and the little that is left of a deleted one."""

from fastpay.api.rendering.layout import Field, Mode, Shape, When, template
from fastpay.api.rendering.parts import ADDRESS, SHIPPING
from fastpay.domain.objects import Customer

_DELETED: Shape = {"id": Field("id"), "object": "customer", "deleted": True}

_KNOWN: Shape = {
    "id": Field("id"),
    "object": "customer",
    "address": ADDRESS,
    "balance": Field("balance"),
    "created": Field("created"),
    "currency": None,
    "default_source": None,
    "delinquent": False,
    "description": Field("description"),
    "discount": None,
    "email": Field("email"),
    "invoice_prefix": Field("invoice_prefix"),
    "invoice_settings": {
        "custom_fields": None,
        "default_payment_method": Field("invoice_settings.default_payment_method"),
        "footer": Field("invoice_settings.footer"),
        "rendering_options": None,
    },
    "livemode": Mode(),
    "metadata": Field("metadata"),
    "name": Field("name"),
    "next_invoice_sequence": Field("next_invoice_sequence"),
    "phone": Field("phone"),
    "preferred_locales": Field("preferred_locales"),
    "shipping": SHIPPING,
    "tax_exempt": Field("tax_exempt"),
    "test_clock": None,
}

CUSTOMER = template(Customer, When("deleted", _DELETED, otherwise=_KNOWN))
