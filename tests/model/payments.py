"""The rules of payments once more, said plainly: what a request must answer, and what stands after it."""

from collections import Counter
from dataclasses import dataclass, field

from tests.model.cash import Customers, Return
from tests.model.connected import NO_FUNDS, Balances, Sellers
from tests.model.payment import CHARGED_BACK, Dispute, Payment, Payout
from tests.model.steps import (
    IBANS,
    MISSING,
    TOO_LARGE,
    WRONG_STATE,
    Expected,
    Method,
    Refused,
    Step,
    part_of,
)
from tests.support.fees import fee

# What a response makes of a dispute.
DECIDED = {"winning_evidence": "won", "losing_evidence": "lost", "Something else.": "under_review"}
DISPUTES_MAX = 10
INCREMENTS_MAX = 10
OPEN = frozenset(("requires_payment_method", "requires_confirmation", "requires_action"))
# A capture that is not the final one, where several were not asked for.
NOT_SEVERAL = "capture_must_be_final"
NOT_CANCELABLE = "payout_not_cancelable"
NOT_BY_METHOD = "payment_intent_incompatible_payment_method"


@dataclass
class Books:
    """A tenant: its payments, and what it has in each currency, pending and available."""

    may_overdraw: bool = True
    payments: list[Payment] = field(default_factory=list)
    payouts: list[Payout] = field(default_factory=list)
    balances: Balances = field(default_factory=Counter)
    customers: Customers = field(default_factory=Customers)
    sellers: Sellers = field(default_factory=Sellers)
    # The payment that the last step was about, None if it was about none, or made none.
    subject: Payment | None = None

    def take(self, step: Step) -> Expected:
        """Do what the step asks for, and return what must be answered."""
        self.subject = None
        try:
            return self._take(step)
        except Refused as refused:
            return refused.expected

    def _take(self, step: Step) -> Expected:
        match step.verb:
            case "create":
                return self._create(step)
            case "fund" | "set_mode":
                return self._bring_cash(step)
            case "return_cash":
                return self._return_cash(step)
            case "cancel_return":
                return self._cancel_return(self.customers.returns[step.place])
            case "pay_out":
                return self._pay_out(step)
            case "cancel_payout":
                return self._cancel_payout(step)
            case "reverse_payout":
                return self._reverse_payout(step)
        payment = self.subject = self.payments[step.place]
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
            case "apply":
                return self._apply(payment, step)
            case "dispute":
                return self._dispute(payment, step)
            case "respond" | "close":
                return self._decide(payment, "lost" if step.verb == "close" else DECIDED[step.text])
            case "transfer":
                return self.sellers.transfer(payment, step, self.balances)
            case "reverse":
                return self.sellers.reverse(payment, step, self.balances)
            case "return_fee":
                return self.sellers.return_fee(payment, step, self.balances, self.may_overdraw)
            case _:
                return self._refund(payment, step)

    def settle(self, payment: Payment) -> None:
        """Write what the bank says of a debit that is processing."""
        if payment.method == "badDebit":
            payment.status, payment.method, payment.charge = "requires_payment_method", None, "failed"
            return
        payment.status = "succeeded"
        self._receive(payment, payment.amount)
        if payment.method == "disputedDebit":
            payment.disputes.append(Dispute(payment.amount, status="lost"))
            self.balances[payment.currency, "available"] -= payment.amount

    def keep_payout(self, payout: Payout) -> None:
        """Write that a payout was sent before it could be canceled."""
        payout.is_canceled = False
        self.balances[payout.currency, "available"] -= payout.amount

    def end_payout(self, payout: Payout) -> None:
        """Write that a payout has failed, or a reversal has arrived."""
        payout.comes_back = False
        self.balances[payout.currency, "available"] += payout.amount

    def _create(self, step: Step) -> Expected:
        assert step.amount is not None
        payment = Payment(
            step.amount,
            step.currency,
            step.manual,
            step.flexible,
            payer=step.payer,
            seller=step.seller,
            fee=step.fee,
            part=step.part,
            may_wait=step.method == "cash" and step.may_wait,
        )
        if not payment.fits(payment.amount):
            raise Refused(TOO_LARGE)
        if step.method is not None:
            payment.method, payment.status = step.method, "requires_confirmation"
            if step.confirm:
                self._check_attempt(payment, step.method, may_wait=payment.may_wait)
        self.payments.append(payment)
        self.subject = payment
        is_confirmed = step.method is not None and step.confirm
        return self._attempt(payment) if is_confirmed else Expected(200, payment.status)

    def _confirm(self, payment: Payment, step: Step) -> Expected:
        method = step.method or payment.method
        if payment.status not in OPEN or method is None:
            raise Refused(WRONG_STATE)
        if method != "cash" and payment.applied:
            raise Refused(WRONG_STATE)
        may_wait = payment.may_wait or (step.method == "cash" and step.may_wait)
        self._check_attempt(payment, method, may_wait=may_wait)
        payment.method, payment.may_wait = method, may_wait
        if method != "cash":
            payment.awaited = None
        return self._attempt(payment)

    def _check_attempt(self, payment: Payment, method: Method, *, may_wait: bool) -> None:
        """Raise Refused if the payment method cannot pay this."""
        if method in IBANS and (payment.currency != "eur" or payment.manual):
            raise Refused(NOT_BY_METHOD)
        if method == "cash":
            if payment.payer is None:
                raise Refused("parameter_missing")
            missing = payment.amount if payment.awaited is None else payment.awaited
            waits = self.customers.usable(payment.payer, payment.currency) < missing
            if payment.manual or (waits and not may_wait):
                raise Refused(NOT_BY_METHOD)

    def _attempt(self, payment: Payment, *, authenticated: bool = False) -> Expected:
        if payment.method == "chargeDeclined":
            payment.status, payment.method = "requires_payment_method", None
            payment.charge, payment.undisputable = "failed", False
            return Expected(402, "card_declined")
        if payment.method in IBANS:
            payment.status, payment.charge, payment.undisputable = "processing", "pending", False
        elif payment.method == "cash":
            payment.status = "requires_action"
            if payment.awaited is None:
                payment.awaited = payment.amount
            assert payment.payer is not None
            usable = self.customers.usable(payment.payer, payment.currency)
            self._pay_by_cash(payment, min(usable, payment.awaited))
        elif payment.method == "authenticationRequired" and not authenticated:
            payment.status = "requires_action"
        else:
            payment.undisputable = False
            if payment.manual:
                payment.status, payment.charge = "requires_capture", "held"
            else:
                payment.status = "succeeded"
                self._receive(payment, payment.amount)
        return Expected(200, payment.status)

    def _receive(self, payment: Payment, amount: int) -> None:
        payment.charge = "taken"
        payment.captured += amount
        # Several captures cost what one would.
        cost = fee(payment.captured) - payment.fees
        payment.fees += cost
        self.balances[payment.currency, payment.side] += amount - cost
        self.sellers.pass_on(payment, amount, self.balances)

    def _pay_by_cash(self, payment: Payment, amount: int) -> None:
        if self.customers.apply(payment, amount):
            payment.status, payment.awaited, payment.undisputable = "succeeded", None, True
            self._receive(payment, payment.amount)

    def _reconcile(self, payer: int) -> None:
        """Pay what waits for a customer's money, the oldest first."""
        for currency in {currency for _, currency in self.customers.available}:
            while (payment := self.customers.next_paid(payer, currency, self.payments)) is not None:
                assert payment.awaited is not None
                self._pay_by_cash(payment, min(self.customers.usable(payer, currency), payment.awaited))

    def _bring_cash(self, step: Step) -> Expected:
        assert step.payer is not None
        if step.verb == "set_mode":
            self.customers.automatic[step.payer] = not step.manual
        else:
            assert step.amount is not None
            self.customers.available[step.payer, step.currency] += step.amount
        self._reconcile(step.payer)
        return Expected(200, None, step.amount if step.verb == "fund" else None)

    def _return_cash(self, step: Step) -> Expected:
        assert step.payer is not None
        assert step.amount is not None
        if self.customers.available[step.payer, step.currency] < step.amount:
            raise Refused(NO_FUNDS, 402)
        self.customers.available[step.payer, step.currency] -= step.amount
        self.customers.returns.append(Return(step.payer, step.amount, step.currency, step.may_wait))
        return Expected(200, "requires_action" if step.may_wait else "pending", step.amount)

    def _cancel_return(self, returned: Return) -> Expected:
        if not returned.waits:
            raise Refused(None)
        returned.waits = False
        self.customers.available[returned.payer, returned.currency] += returned.amount
        self._reconcile(returned.payer)
        return Expected(200, "canceled", returned.amount)

    def _apply(self, payment: Payment, step: Step) -> Expected:
        if payment.awaited is None:
            raise Refused(WRONG_STATE)
        amount = part_of(payment.awaited, step.amount)
        assert payment.payer is not None
        if self.customers.available[payment.payer, payment.currency] < amount:
            raise Refused(NO_FUNDS, 402)
        self._pay_by_cash(payment, amount)
        return Expected(200, payment.status)

    def _authenticate(self, payment: Payment, step: Step) -> Expected:
        if payment.status != "requires_action" or payment.awaited is not None:
            raise Refused(WRONG_STATE)
        if step.succeeds:
            return self._attempt(payment, authenticated=True)
        payment.status, payment.method = "requires_payment_method", None
        return Expected(200, payment.status)

    @staticmethod
    def _update(payment: Payment, step: Step) -> Expected:
        assert step.amount is not None
        if payment.status not in OPEN or payment.applied:
            raise Refused(WRONG_STATE)
        if not payment.fits(step.amount):
            raise Refused(TOO_LARGE)
        payment.amount, payment.awaited = step.amount, None
        if payment.status == "requires_action":
            payment.status = "requires_confirmation"
        return Expected(200, payment.status)

    def _capture(self, payment: Payment, step: Step) -> Expected:
        if payment.status != "requires_capture":
            raise Refused(WRONG_STATE)
        most = payment.most_capturable if step.final else payment.capturable
        amount = payment.capturable if step.amount is None else part_of(most, step.amount)
        if not step.final and not payment.flexible:
            raise Refused(NOT_SEVERAL)
        is_final = step.final or amount == payment.capturable
        payment.in_parts = payment.in_parts or not is_final or payment.captured > 0
        if is_final:
            payment.status = "succeeded"
        self._receive(payment, amount)
        return Expected(200, payment.status)

    @staticmethod
    def _increment(payment: Payment, step: Step) -> Expected:
        assert step.amount is not None
        may = payment.flexible and not payment.captured and payment.increments < INCREMENTS_MAX
        if payment.status != "requires_capture" or not may:
            raise Refused(WRONG_STATE)
        if step.amount <= payment.amount:
            raise Refused("amount_too_small")
        payment.amount = step.amount
        payment.increments += 1
        return Expected(200, payment.status)

    def _cancel(self, payment: Payment) -> Expected:
        if payment.status not in OPEN and payment.status != "requires_capture":
            raise Refused(WRONG_STATE)
        if payment.captured:
            # It keeps what it has received.
            payment.status = "succeeded"
            return Expected(200, payment.status)
        if payment.status == "requires_capture":
            payment.charge = "released"
        payment.status = "canceled"
        if payment.awaited is not None:
            assert payment.payer is not None
            self.customers.available[payment.payer, payment.currency] += payment.applied
            payment.awaited = None
            self._reconcile(payment.payer)
        return Expected(200, payment.status)

    def _refund(self, payment: Payment, step: Step) -> Expected:
        if payment.is_charged_back:
            raise Refused("charge_disputed")
        match payment.charge:
            case "none":
                raise Refused(WRONG_STATE)
            case "failed":
                raise Refused("charge_not_refundable")
            case "held" | "released":
                raise Refused("charge_not_captured")
        if payment.captured == payment.refunded:
            raise Refused("charge_already_refunded")
        amount = part_of(payment.captured - payment.refunded, step.amount)
        shares = self.sellers.share_refund(payment, amount, step) if step.reverses else []
        left = self.balances[payment.place] + sum(taken - returned for _, taken, returned in shares)
        if not self.may_overdraw and left < amount:
            raise Refused(NO_FUNDS, 402)
        self.sellers.take_shares(payment, shares, self.balances)
        payment.refunded += amount
        self.balances[payment.place] -= amount
        if payment.method == "cash":
            assert payment.payer is not None
            self.customers.available[payment.payer, payment.currency] += amount
            self._reconcile(payment.payer)
        return Expected(200, "succeeded", amount)

    def _dispute(self, payment: Payment, step: Step) -> Expected:
        if payment.charge == "none":
            raise Refused(MISSING, 404)
        if payment.undisputable:
            raise Refused(None)
        if payment.charge != "taken":
            raise Refused("charge_not_captured")
        if len(payment.disputes) == DISPUTES_MAX:
            raise Refused(None)
        gone = sum(one.amount for one in payment.disputes if one.status in CHARGED_BACK)
        left = max(payment.captured - payment.refunded - gone, 0)
        amount = left if step.amount is None else step.amount
        if amount > left or amount == 0:
            raise Refused(TOO_LARGE)
        # The bank of a debited account asks nobody.
        status = "lost" if payment.method in IBANS else "needs_response"
        payment.disputes.append(Dispute(amount, status=status))
        self.balances[payment.currency, "available"] -= amount
        return Expected(200, status, amount)

    def _decide(self, payment: Payment, status: str) -> Expected:
        if not payment.disputes:
            raise Refused(MISSING, 404)
        if not payment.awaits_response:
            raise Refused(None)
        dispute = payment.disputes[-1]
        dispute.status = status
        if status == "won":
            self.balances[payment.currency, "available"] += dispute.amount
        return Expected(200, status, dispute.amount)

    def _pay_out(self, step: Step) -> Expected:
        assert step.amount is not None
        if self.balances[step.currency, "available"] < step.amount:
            raise Refused(NO_FUNDS, 402)
        self.balances[step.currency, "available"] -= step.amount
        self.payouts.append(Payout(step.amount, step.currency, step.succeeds))
        return Expected(200, "pending", step.amount)

    def _cancel_payout(self, step: Step) -> Expected:
        """Cancel a payout. Time may have sent one that still can be: see `keep_payout`."""
        payout = self.payouts[step.place]
        if payout.is_reversal or payout.is_reversed or payout.is_canceled or not payout.succeeds:
            raise Refused(NOT_CANCELABLE)
        payout.is_canceled = True
        self.balances[payout.currency, "available"] += payout.amount
        return Expected(200, "canceled", payout.amount)

    def _reverse_payout(self, step: Step) -> Expected:
        payout = self.payouts[step.place]
        if payout.is_reversal or payout.is_reversed or payout.is_canceled or not payout.succeeds:
            raise Refused("payout_reversal_not_allowed")
        payout.is_reversed = True
        self.payouts.append(Payout(payout.amount, payout.currency, succeeds=True, is_reversal=True))
        return Expected(200, "pending", -payout.amount)
