"""What new objects are copies of: a copy with its own values is cheaper than a construction."""

from fastpay.domain.cards import NO_CARD
from fastpay.domain.objects import Charge, PaymentIntent, PaymentMethod

# A copy must replace `metadata`, which it would share with all others.
CHARGE = Charge(
    id="",
    created=0,
    amount=0,
    currency="",
    status="succeeded",
    payment_intent="",
    payment_method="",
    card=NO_CARD,
)
PAYMENT_INTENT = PaymentIntent(
    id="", created=0, amount=0, currency="", status="requires_payment_method", client_secret=""
)
PAYMENT_METHOD = PaymentMethod(id="", created=0)
