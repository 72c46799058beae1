"""Requests as the model knows them, and what is expected of their answers."""

from dataclasses import dataclass
from typing import Literal, get_args

Verb = Literal[
    "create", "confirm", "authenticate", "update", "capture", "increment", "cancel", "refund",
    "dispute", "respond", "close",
    "fund", "apply", "set_mode", "return_cash", "cancel_return",
    "transfer", "reverse", "return_fee",
    "pay_out", "cancel_payout", "reverse_payout",
]  # fmt: skip
# Cards, bank accounts whose debits are paid, fail or are disputed, and customers' cash, which bank transfers
# fill.
Method = Literal[
    "visa", "bypassPending", "chargeDeclined", "authenticationRequired",
    "debit", "badDebit", "disputedDebit", "cash"
]  # fmt: skip
Text = Literal["winning_evidence", "losing_evidence", "Something else."]

METHODS: tuple[Method, ...] = get_args(Method)
IBANS = {
    "debit": "DE89370400440532013000",
    "badDebit": "DE62370400440532013001",
    "disputedDebit": "DE35370400440532013002",
}
TEXTS: tuple[Text, ...] = get_args(Text)
CURRENCIES = ("usd", "eur")
# Each client has so many customers, and so many connected accounts to sell for: few, so that payments meet.
PAYERS = 1
SELLERS = 2

WRONG_STATE = "payment_intent_unexpected_state"
MISSING = "resource_missing"
TOO_LARGE = "amount_too_large"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One request. `place` says which payment or payout it is about, counted from the first."""

    verb: Verb
    place: int = 0
    amount: int | None = None
    currency: str = "usd"
    method: Method | None = None
    # The customer who pays. Only they have cash.
    payer: int | None = None
    # Whether a payment by cash may wait for a bank transfer, and a return of cash for the customer.
    may_wait: bool = False
    # The connected account that the payment goes on to, all but a fee, or only a part.
    seller: int | None = None
    fee: int | None = None
    part: int | None = None
    manual: bool = False
    # Asks for several captures, for increments of the authorization, and for a capture of more than it.
    flexible: bool = False
    final: bool = True
    confirm: bool = False
    succeeds: bool = True
    text: Text = "winning_evidence"
    # Whether a refund takes back what was passed on, and whether a fee goes back with what is taken back.
    reverses: bool = False
    returns_fee: bool = False


@dataclass(frozen=True)
class Expected:
    """The status of the answer, and the code of the error, if it has one, or the state of what it shows.

    `amount` is what the answer says was moved, None if it says nothing of that.
    """

    status: int
    word: str | None
    amount: int | None = None


class Refused(Exception):
    """The request changes nothing."""

    def __init__(self, word: str | None, status: int = 400) -> None:
        self.expected = Expected(status, word)


def part_of(left: int, amount: int | None) -> int:
    """Return the amount, or all that is left. Raises: Refused above that."""
    if amount is not None and amount > left:
        raise Refused(TOO_LARGE)
    return left if amount is None else amount
