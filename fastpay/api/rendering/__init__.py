"""What clients see: each stored object in the dialect's shape, ready for JSON.

Rendering is a function of the snapshot alone: the same snapshot gives the same keys in the same order,
and so the same bytes, whenever it is asked. Every key of the dialect's object is there, null where fastpay
has nothing to say; other objects are named by identifier (see `api/expansion`).
"""

from typing import assert_never

from fastpay.api.rendering.balances import render_balance, render_balance_transaction
from fastpay.api.rendering.charges import render_charge
from fastpay.api.rendering.customers import render_customer
from fastpay.api.rendering.envelopes import render_deleted, render_list, render_search_result
from fastpay.api.rendering.payment_intents import render_payment_intent
from fastpay.api.rendering.payment_methods import render_payment_method
from fastpay.api.rendering.refunds import render_refund
from fastpay.domain.objects import Charge, Customer, PaymentIntent, PaymentMethod, Refund, StoredObject

__all__ = [
    "render",
    "render_balance",
    "render_balance_transaction",
    "render_deleted",
    "render_list",
    "render_search_result",
]


def render(stored: StoredObject, livemode: bool) -> dict[str, object]:
    """Return the object as the dialect writes it. Its metadata is the snapshot's own: not to be changed."""
    # An isinstance chain, the kinds of the hot path first: no slower than a table, and checked for totality.
    if isinstance(stored, PaymentIntent):
        return render_payment_intent(stored, livemode)
    if isinstance(stored, Charge):
        return render_charge(stored, livemode)
    if isinstance(stored, Refund):
        return render_refund(stored)
    if isinstance(stored, Customer):
        return render_customer(stored, livemode)
    if isinstance(stored, PaymentMethod):
        return render_payment_method(stored, livemode)
    assert_never(stored)
