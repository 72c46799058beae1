"""What orders are in the dialect: paths, forms and headers."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from fastpay.engine.processors.ports import CardData, Order
from fastpay.outbound.processors.dialect_answers import REFERENCE

PAYMENTS = "/v1/payment_intents"
REFUNDS = "/v1/refunds"
SETUPS = "/v1/setup_intents"
METHODS = "/v1/payment_methods"
CUSTOMERS = "/v1/customers"

Form = Mapping[str, str]


def encode(form: Form) -> bytes:
    """Return a form as a request's body."""
    return urlencode(form).encode()


def target(path: str, **query: str | int) -> str:
    """Return a path with its query."""
    return f"{path}?{urlencode(query)}" if query else path


def payment_path(payment_id: str, action: str = "") -> str:
    """Return the path of a payment, or of what is done to it."""
    return f"{PAYMENTS}/{quote(payment_id, safe='')}{action}"


def setup_path(setup_id: str) -> str:
    """Return the path of a setup."""
    return f"{SETUPS}/{quote(setup_id, safe='')}"


def attachment_path(method_id: str) -> str:
    """Return the path that saves a payment method to a customer."""
    return f"{METHODS}/{quote(method_id, safe='')}/attach"


def authorization(order: Order, method: Form) -> Form:
    """Return the form that makes a payment and confirms it. `method` says what it is paid with."""
    form = {
        "amount": str(order.amount),
        "currency": order.currency,
        "confirm": "true",
        "capture_method": "automatic" if order.captures else "manual",
        "payment_method_types[0]": "card",
        **method,
    }
    return {**form, **_metadata(order)}


def setup(order: Order, method: Form) -> Form:
    """Return the form that sets up a card without a payment. `method` is the card, and who has it."""
    form = {"confirm": "true", "usage": "off_session", "payment_method_types[0]": "card", **method}
    given = {"description": order.description, "return_url": order.return_url}
    return {**form, **{name: value for name, value in given.items() if value}, **_metadata(order)}


def texts(order: Order) -> Form:
    """Return what only newer servers take: texts, and where a cardholder who has authenticated comes back."""
    is_absent = order.token is not None and not order.return_url
    given = {
        "off_session": "true" if is_absent else None,
        "description": order.description,
        "statement_descriptor_suffix": order.statement_descriptor,
        "return_url": order.return_url,
        # Without a way back nobody could authenticate.
        "error_on_requires_action": None if order.return_url or is_absent else "true",
    }
    return {name: value for name, value in given.items() if value}


def inline_card(card: CardData) -> Form:
    """Return a card as a part of the payment."""
    form = {f"payment_method_data[card][{name}]": value for name, value in _card(card).items()}
    if card.holder:
        form["payment_method_data[billing_details][name]"] = card.holder
    return {"payment_method_data[type]": "card", **form}


def customer(order: Order) -> Form:
    """Return the form that makes somebody for whom a card is kept."""
    return {f"metadata[{REFERENCE}]": order.reference}


def saved_card(token: str) -> Form:
    """Return a card that is kept for a customer as a part of the payment: see `Payment.token`."""
    owner, _, method = token.rpartition("/")
    return {"payment_method": method, **({"customer": owner} if owner else {})}


def own_card(card: CardData) -> Form:
    """Return the form that makes a payment method of a card."""
    return {"type": "card", **{f"card[{name}]": value for name, value in _card(card).items()}}


def capture(order: Order) -> Form:
    """Return the form of a capture, which is the last one."""
    return {"amount_to_capture": str(order.amount)}


def refund(order: Order, payment_id: str) -> Form:
    """Return the form of a refund."""
    form = {"payment_intent": payment_id, "amount": str(order.amount)}
    return {**form, f"metadata[{REFERENCE}]": order.reference}


def search_query(reference: str) -> str:
    """Return the query that finds a payment by our reference."""
    escaped = reference.replace("\\", "\\\\").replace("'", "\\'")
    return f"metadata['{REFERENCE}']:'{escaped}'"


def _metadata(order: Order) -> Form:
    named = {**order.metadata, REFERENCE: order.reference}
    return {f"metadata[{name}]": value for name, value in named.items()}


def _card(card: CardData) -> Form:
    form = {"number": card.number, "exp_month": str(card.exp_month), "exp_year": str(card.exp_year)}
    if card.cvc is not None:
        form["cvc"] = card.cvc
    return form
