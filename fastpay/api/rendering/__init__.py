"""What clients see: each stored object in the dialect's shape, as JSON.

Rendering is a function of the snapshot alone: the same snapshot gives the same keys in the same order,
and so the same bytes, whenever it is asked. Every key of the dialect's object is there, null where fastpay
has nothing to say; other objects are named by identifier (see `api/expansion`).
"""

import msgspec

from fastpay._native.rendering import Template
from fastpay.api.rendering.balances import render_balance, render_balance_transaction
from fastpay.api.rendering.charges import CHARGE
from fastpay.api.rendering.customers import CUSTOMER
from fastpay.api.rendering.envelopes import render_list, render_search_result
from fastpay.api.rendering.ledger import LEDGER_TRANSFER, render_from_ledger, render_ledger_balance
from fastpay.api.rendering.payment_intents import PAYMENT_INTENT
from fastpay.api.rendering.payment_methods import PAYMENT_METHOD
from fastpay.api.rendering.refunds import REFUND
from fastpay.domain.ledger_objects import LedgerAccount, LedgerBatch, LedgerTransfer
from fastpay.domain.objects import Charge, Customer, PaymentIntent, PaymentMethod, Refund, StoredObject

__all__ = [
    "render",
    "render_balance",
    "render_balance_transaction",
    "render_bytes",
    "render_ledger_balance",
    "render_list",
    "render_search_result",
]

_TEMPLATES: dict[type[StoredObject], Template] = {
    PaymentIntent: PAYMENT_INTENT,
    Charge: CHARGE,
    Refund: REFUND,
    Customer: CUSTOMER,
    PaymentMethod: PAYMENT_METHOD,
    LedgerTransfer: LEDGER_TRANSFER,
}


def render_bytes(stored: StoredObject, livemode: bool, whole: bytes | None = None) -> bytes:
    """Return the object as the dialect writes it, in JSON.

    `whole` is the object, rendered, that it shows whole without being asked (see `expansion.shown_whole`).
    """
    template = _TEMPLATES.get(type(stored))
    if template is not None:
        return template.render(stored, livemode, whole)
    # What payments seldom ask for comes last, so that they need not ask what they are not.
    assert isinstance(stored, LedgerAccount | LedgerBatch)
    return msgspec.json.encode(render_from_ledger(stored, livemode))


def render(stored: StoredObject, livemode: bool) -> dict[str, object]:
    """Return the object as the dialect writes it, for more to be put in: what `render_bytes` says."""
    rendered: dict[str, object] = msgspec.json.decode(render_bytes(stored, livemode))
    return rendered
