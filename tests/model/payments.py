"""The rules of payments once more, said plainly: what a request must answer, and what stands after it."""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.support.fees import fee

Verb = Literal["create", "confirm", "authenticate", "update", "capture", "increment", "cancel", "refund"]
Card = Literal["visa", "bypassPending", "chargeDeclined", "authenticationRequired"]

CARDS: tuple[Card, ...] = ("visa", "bypassPending", "chargeDeclined", "authenticationRequired")
CURRENCIES = ("usd", "eur")
OPEN = frozenset(("requires_payment_method", "requires_confirmation", "requires_action"))
WRONG_STATE = "payment_intent_unexpected_state"
# A capture that is not the final one, where several were not asked for.
NOT_SEVERAL = "capture_must_be_final"
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


@dataclass(frozen=True)
class Expected:
    """The status of the answer, and the code of the error or the state of the payment."""

    status: int
    word: str


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
        return self._attempt(payment) if step.confirm else Expected(200, payment.status)

    def _confirm(self, payment: Payment, step: Step) -> Expected:
        if payment.status not in OPEN or (step.card is None and payment.card is None):
            return Expected(400, WRONG_STATE)
        payment.card = step.card or payment.card
        return self._attempt(payment)

    def _attempt(self, payment: Payment, *, authenticated: bool = False) -> Expected:
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


def random_step(chance: random.Random, payments: int) -> Step:
    """Return any step, most often about one of the last payments."""
    verbs: tuple[Verb, ...] = (
        "confirm",
        "authenticate",
        "update",
        "capture",
        "capture",
        "increment",
        "cancel",
        "refund",
        "refund",
    )
    verb: Verb = "create" if not payments or chance.random() < 0.3 else chance.choice(verbs)
    has_amount = verb in {"create", "update", "increment"} or chance.random() < 0.4
    return Step(
        verb=verb,
        place=max(0, payments - chance.randint(1, 3)),
        amount=chance.randint(1, 2_000) if has_amount else None,
        currency=chance.choice(CURRENCIES),
        card=chance.choice((None, *CARDS, "visa", "visa")),
        manual=chance.random() < 0.4,
        flexible=chance.random() < 0.5,
        final=chance.random() < 0.5,
        confirm=chance.random() < 0.9,
        succeeds=chance.random() < 0.7,
    )


def request_of(step: Step, payment_id: str) -> tuple[str, dict[str, str]]:
    """Return the path and the form of a step."""
    form: dict[str, str] = {}
    if step.card is not None and step.verb in {"create", "confirm"}:
        form["payment_method"] = f"pm_card_{step.card}"
    path = f"/v1/payment_intents/{payment_id}"
    match step.verb:
        case "create":
            form |= {"amount": str(step.amount), "currency": step.currency}
            form["capture_method"] = "manual" if step.manual else "automatic"
            if step.flexible:
                options = "payment_method_options[card]"
                form[f"{options}[request_multicapture]"] = "if_available"
                form[f"{options}[request_incremental_authorization]"] = "if_available"
            if step.confirm and step.card is not None:
                form["confirm"] = "true"
            return "/v1/payment_intents", form
        case "update":
            return path, {"amount": str(step.amount)}
        case "authenticate":
            outcome = "succeeded" if step.succeeds else "failed"
            return f"/v1/test_helpers/payment_intents/{payment_id}/authenticate", {"outcome": outcome}
        case "refund":
            form["payment_intent"] = payment_id
            return "/v1/refunds", form | ({} if step.amount is None else {"amount": str(step.amount)})
        case "increment":
            return f"{path}/increment_authorization", {"amount": str(step.amount)}
        case "capture":
            form["final_capture"] = "true" if step.final else "false"
            if step.amount is not None:
                form["amount_to_capture"] = str(step.amount)
    return f"{path}/{step.verb}", form


def check_answer(expected: Expected, status: int, body: dict[str, Any]) -> None:
    """Hold an answer against what was expected."""
    word = body["error"]["code"] if status != 200 else body["status"]
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


def check_balances(balances: Counter[tuple[str, str]], body: dict[str, Any]) -> None:
    """Hold a balance as it is served against the model's."""
    served = {
        (money["currency"], side): money["amount"]
        for side in ("pending", "available")
        for money in body[side]
    }
    places = served.keys() | balances.keys()
    assert {place: served.get(place, 0) for place in places} == {place: balances[place] for place in places}
