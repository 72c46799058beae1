"""Customers' cash in the model: bank transfers bring it, and it pays what waits for it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.model.payment import Payment
from tests.model.steps import PAYERS


@dataclass
class Return:
    """Cash on its way back to a customer, which can be canceled while it `waits` for them."""

    payer: int
    amount: int
    currency: str
    waits: bool
    identifier: str = ""


@dataclass
class Customers:
    """What customers have in each currency, and whether it pays by itself."""

    available: Counter[tuple[int, str]] = field(default_factory=Counter)
    automatic: list[bool] = field(default_factory=lambda: [True] * PAYERS)
    identifiers: list[str] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)

    def usable(self, payer: int, currency: str) -> int:
        """Return what pays without being asked to."""
        return self.available[payer, currency] if self.automatic[payer] else 0

    def next_paid(self, payer: int, currency: str, payments: Iterable[Payment]) -> Payment | None:
        """Return the oldest payment that waits for this money, None if there is none, or no money."""
        if not self.usable(payer, currency):
            return None
        waiting = (one for one in payments if one.awaited is not None)
        return next((one for one in waiting if (one.payer, one.currency) == (payer, currency)), None)

    def apply(self, payment: Payment, amount: int) -> bool:
        """Pay an amount of a payment, and tell whether that is all of it now."""
        assert payment.payer is not None
        assert payment.awaited is not None
        self.available[payment.payer, payment.currency] -= amount
        payment.awaited -= amount
        return payment.awaited == 0
