"""The rules of payments once more, said plainly: what a request must answer, and what stands after it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from tests.support.fees import fee

Verb = Literal[
    "create", "confirm", "authenticate", "update", "capture", "increment", "cancel", "refund",
    "dispute", "respond", "close",
]  # fmt: skip
# Cards, and bank accounts whose debits are paid or fail.
Card = Literal["visa", "bypassPending", "chargeDeclined", "authenticationRequired", "debit", "badDebit"]
Text = Literal["winning_evidence", "losing_evidence", "Something else."]

CARDS: tuple[Card, ...] = get_args(Card)
IBANS = {"debit": "DE89370400440532013000", "badDebit": "DE62370400440532013001"}
TEXTS: tuple[Text, ...] = get_args(Text)
# What a response makes of a dispute.
DECIDED = {"winning_evidence": "won", "losing_evidence": "lost", "Something else.": "under_review"}
CHARGED_BACK = frozenset(("needs_response", "under_review", "lost"))
DISPUTES_MAX = 10
CURRENCIES = ("usd", "eur")
OPEN = frozenset(("requires_payment_method", "requires_confirmation", "requires_action"))
WRONG_STATE = "payment_intent_unexpected_state"
# A capture that is not the final one, where several were not asked for.
NOT_SEVERAL = "capture_must_be_final"
NOT_BY_DEBIT = "payment_intent_incompatible_payment_method"
INCREMENTS_MAX = 10


@dataclass(frozen=True, kw_only=True)
class Step:
    """One request. `place` says which payment it is about, counted from the first."""

    verb: Verb
    place: int = 0
    amount: int | None = None
    currency: str = "usd"
    card: Card | None = None
    manual: bool = False
    # Asks for several captures and for increments of the authorization.
    flexible: bool = False
    final: bool = True
    confirm: bool = False
    succeeds: bool = True
    text: Text = "winning_evidence"


@dataclass(frozen=True)
class Expected:
    """The status of the answer, and the code of the error, if it has one, or the state of what it shows."""

    status: int
    word: str | None


@dataclass
class Dispute:
    """What a cardholder says is not theirs."""

    amount: int
    identifier: str = ""
    status: str = "needs_response"


@dataclass
class Payment:
    """A payment as it stands."""

    amount: int
    currency: str
    manual: bool
    flexible: bool = False
    identifier: str = ""
    status: str = "requires_payment_method"
    card: Card | None = None
    # none, failed, held, taken or released: what became of the last attempt to take money.
    charge: str = "none"
    captured: int = 0
    fees: int = 0
    increments: int = 0
    refunded: int = 0
    charge_id: str = ""
    disputes: list[Dispute] = field(default_factory=list)
    # The last attempt was a debit, of which there are no disputes.
    debited: bool = False
    # Captured in parts: each becomes available by itself, so refunds debit what is available.
    in_parts: bool = False

    @property
    def capturable(self) -> int:
        """What is still authorized."""
        return self.amount - self.captured if self.status == "requires_capture" else 0


@dataclass
class Books:
    """A tenant: its payments, and what it has in each currency, pending and available."""

    may_overdraw: bool = True
    payments: list[Payment] = field(default_factory=list)
    balances: Counter[tuple[str, str]] = field(default_factory=Counter)

    def take(self, step: Step) -> Expected:
        """Do what the step asks for, and return what must be answered."""
        if step.verb == "create":
            return self._create(step)
        payment = self.payments[step.place]
        match step.verb:
            case "confirm":
                return self._confirm(payment, step)
            case "authenticate":
                return self._authenticate(payment, step)
            case "update":
                return self._update(payment, step)
            case "capture":
                return self._capture(payment, step)
            case "increment":
                return self._increment(payment, step)
            case "cancel":
                return self._cancel(payment)
            case "dispute":
                return self._dispute(payment, step)
            case "respond" | "close":
                return self._decide(payment, "lost" if step.verb == "close" else DECIDED[step.text])
            case _:
                return self._refund(payment, step)

    def _create(self, step: Step) -> Expected:
        assert step.amount is not None
        payment = Payment(step.amount, step.currency, step.manual, step.flexible)
        self.payments.append(payment)
        if step.card is None:
            return Expected(200, payment.status)
        payment.card = step.card
        payment.status = "requires_confirmation"
        if not step.confirm:
            return Expected(200, payment.status)
        expected = self._attempt(payment)
        if expected.status == 400:
            self.payments.pop()
        return expected

    def _confirm(self, payment: Payment, step: Step) -> Expected:
        if payment.status not in OPEN or (step.card is None and payment.card is None):
            return Expected(400, WRONG_STATE)
        before, payment.card = payment.card, step.card or payment.card
        expected = self._attempt(payment)
        if expected.status == 400:
            payment.card = before
        return expected

    def _attempt(self, payment: Payment, *, authenticated: bool = False) -> Expected:
        if payment.card in IBANS:
            return self._debit(payment)
        payment.debited = False
        if payment.card == "chargeDeclined":
            payment.status, payment.card, payment.charge = "requires_payment_method", None, "failed"
            return Expected(402, "card_declined")
        if payment.card == "authenticationRequired" and not authenticated:
            payment.status = "requires_action"
        elif payment.manual:
            payment.status, payment.charge = "requires_capture", "held"
        else:
            payment.status = "succeeded"
            self._take(payment, payment.amount)
        return Expected(200, payment.status)

    @staticmethod
    def _debit(payment: Payment) -> Expected:
        if payment.currency != "eur" or payment.manual:
            return Expected(400, NOT_BY_DEBIT)
        payment.status, payment.charge, payment.debited = "processing", "pending", True
        return Expected(200, payment.status)

    def settle(self, payment: Payment) -> None:
        """Write what the bank says of a debit that is processing."""
        if payment.card == "debit":
            payment.status = "succeeded"
            self._take(payment, payment.amount)
        else:
            payment.status, payment.card, payment.charge = "requires_payment_method", None, "failed"

    def _dispute(self, payment: Payment, step: Step) -> Expected:
        if payment.charge == "none":
            return Expected(404, "resource_missing")
        if payment.debited:
            return Expected(400, None)
        if payment.charge != "taken":
            return Expected(400, "charge_not_captured")
        if len(payment.disputes) == DISPUTES_MAX:
            return Expected(400, None)
        gone = sum(one.amount for one in payment.disputes if one.status in CHARGED_BACK)
        left = max(payment.captured - payment.refunded - gone, 0)
        amount = left if step.amount is None else step.amount
        if amount > left or amount == 0:
            return Expected(400, "amount_too_large")
        payment.disputes.append(Dispute(amount))
        self.balances[payment.currency, "available"] -= amount
        return Expected(200, "needs_response")

    def _decide(self, payment: Payment, status: str) -> Expected:
        if not payment.disputes:
            return Expected(404, "resource_missing")
        dispute = payment.disputes[-1]
        if dispute.status != "needs_response":
            return Expected(400, None)
        dispute.status = status
        if status == "won":
            self.balances[payment.currency, "available"] += dispute.amount
        return Expected(200, status)

    def _take(self, payment: Payment, amount: int) -> None:
        payment.charge = "taken"
        payment.captured += amount
        # Several captures cost what one would.
        cost = fee(payment.captured) - payment.fees
        payment.fees += cost
        self.balances[payment.currency, self._side(payment)] += amount - cost

    def _authenticate(self, payment: Payment, step: Step) -> Expected:
        if payment.status != "requires_action":
            return Expected(400, WRONG_STATE)
        if step.succeeds:
            return self._attempt(payment, authenticated=True)
        payment.status, payment.card = "requires_payment_method", None
        return Expected(200, payment.status)

    def _update(self, payment: Payment, step: Step) -> Expected:
        assert step.amount is not None
        if payment.status not in OPEN:
            return Expected(400, WRONG_STATE)
        payment.amount = step.amount
        if payment.status == "requires_action":
            payment.status = "requires_confirmation"
        return Expected(200, payment.status)

    def _capture(self, payment: Payment, step: Step) -> Expected:
        if payment.status != "requires_capture":
            return Expected(400, WRONG_STATE)
        amount = payment.capturable if step.amount is None else step.amount
        if amount > payment.capturable:
            return Expected(400, "amount_too_large")
        if not step.final and not payment.flexible:
            return Expected(400, NOT_SEVERAL)
        is_final = step.final or amount == payment.capturable
        payment.in_parts = payment.in_parts or not is_final or payment.captured > 0
        if is_final:
            payment.status = "succeeded"
        self._take(payment, amount)
        return Expected(200, payment.status)

    @staticmethod
    def _increment(payment: Payment, step: Step) -> Expected:
        assert step.amount is not None
        may = payment.flexible and not payment.captured and payment.increments < INCREMENTS_MAX
        if payment.status != "requires_capture" or not may:
            return Expected(400, WRONG_STATE)
        if step.amount <= payment.amount:
            return Expected(400, "amount_too_small")
        payment.amount = step.amount
        payment.increments += 1
        return Expected(200, payment.status)

    @staticmethod
    def _cancel(payment: Payment) -> Expected:
        if payment.status not in OPEN and payment.status != "requires_capture":
            return Expected(400, WRONG_STATE)
        if payment.captured:
            # It keeps what it has received.
            payment.status = "succeeded"
            return Expected(200, payment.status)
        if payment.status == "requires_capture":
            payment.charge = "released"
        payment.status = "canceled"
        return Expected(200, payment.status)

    def _refund(self, payment: Payment, step: Step) -> Expected:
        if any(one.status in CHARGED_BACK for one in payment.disputes):
            return Expected(400, "charge_disputed")
        match payment.charge:
            case "none":
                return Expected(400, WRONG_STATE)
            case "failed":
                return Expected(400, "charge_not_refundable")
            case "held" | "released":
                return Expected(400, "charge_not_captured")
        left = payment.captured - payment.refunded
        amount = left if step.amount is None else step.amount
        if left == 0:
            return Expected(400, "charge_already_refunded")
        if amount > left:
            return Expected(400, "amount_too_large")
        place = payment.currency, "available" if payment.in_parts else self._side(payment)
        if not self.may_overdraw and self.balances[place] < amount:
            return Expected(402, "balance_insufficient")
        payment.refunded += amount
        self.balances[place] -= amount
        return Expected(200, "succeeded")

    @staticmethod
    def _side(payment: Payment) -> str:
        return "available" if payment.card == "bypassPending" else "pending"


def check_answer(expected: Expected, status: int, body: dict[str, Any]) -> None:
    """Hold an answer against what was expected."""
    word = body["error"].get("code") if status != 200 else body["status"]
    assert (status, word) == (expected.status, expected.word), body


def check_payment(payment: Payment, body: dict[str, Any]) -> None:
    """Hold a payment as it is served, its charge expanded, against the model's."""
    charge = body["latest_charge"]
    assert body["status"] == payment.status
    assert (body["amount"], body["currency"]) == (payment.amount, payment.currency)
    assert body["amount_received"] == payment.captured
    assert body["amount_capturable"] == payment.capturable
    assert (charge is None) == (payment.charge == "none")
    if charge is not None:
        assert charge["amount_captured"] == payment.captured
        # What was held and never taken is shown as given back.
        assert charge["amount_refunded"] == (
            payment.amount if payment.charge == "released" else payment.refunded
        )
        assert charge["status"] == ("failed" if payment.charge == "failed" else "succeeded")
        assert charge["disputed"] == bool(payment.disputes)


def check_balances(balances: Counter[tuple[str, str]], body: dict[str, Any]) -> None:
    """Hold a balance as it is served against the model's."""
    served = {
        (money["currency"], side): money["amount"]
        for side in ("pending", "available")
        for money in body[side]
    }
    places = served.keys() | balances.keys()
    assert {place: served.get(place, 0) for place in places} == {place: balances[place] for place in places}
