"""The kinds of object that requests name: their prefixes, and how an error speaks of one that is missing."""

from typing import NamedTuple

from fastpay import limits
from fastpay.domain import cards
from fastpay.domain.identifiers import is_well_formed
from fastpay.domain.plan import missing
from fastpay.errors import NotFound


class Kind(NamedTuple):
    """A kind of object. `param` is what an error calls the identifier in the path."""

    prefix: str
    noun: str
    param: str = "id"


BALANCE_TRANSACTION = Kind("txn", "balance transaction")
CHARGE = Kind("ch", "charge")
CUSTOMER = Kind("cus", "customer")
LEDGER_ACCOUNT = Kind("lacc", "ledger account")
LEDGER_BALANCE = Kind("lbal", "ledger balance")
LEDGER_BATCH = Kind("lbat", "ledger batch")
LEDGER_ENTRY = Kind("lent", "ledger entry")
LEDGER_TRANSFER = Kind("ltr", "ledger transfer")
PAYMENT_INTENT = Kind("pi", "payment_intent", "intent")
PAYMENT_METHOD = Kind("pm", "PaymentMethod", "payment_method")
REFUND = Kind("re", "refund")


def check(kind: Kind, identifier: str, *, param: str | None = None) -> str:
    """Return an identifier that could be one of this kind.

    Raises: NotFound for any other, with the very words of one that is missing.
    """
    if not could_be(kind, identifier):
        raise absent(kind, identifier, param=param)
    return identifier


def could_be(kind: Kind, identifier: str) -> bool:
    """Tell whether an identifier could be one of this kind."""
    return is_well_formed(identifier, kind.prefix)


def absent(kind: Kind, identifier: str, *, param: str | None = None) -> NotFound:
    """Return the error for an object that is not there."""
    shown = identifier if could_be(kind, identifier) else presentable(identifier)
    return missing(kind.noun, shown, param=param or kind.param)


def presentable(text: str) -> str:
    """Return what an answer may say of a text that should have been a name of ours: any text could come.

    It comes out short, in characters that can be sent, and without a card number that strayed into it.
    """
    if cards.holds_number(text):
        return f"({len(text)} characters)"
    return text[: limits.identifier_chars_max].encode("utf-8", "replace").decode()
