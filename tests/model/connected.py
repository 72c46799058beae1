"""Connected accounts in the model: what payments pass on to them, and what they give back."""

from collections import Counter
from dataclasses import dataclass, field

from tests.model.payment import Passed, Payment
from tests.model.steps import MISSING, TOO_LARGE, Expected, Refused, Step, part_of

NO_FUNDS = "balance_insufficient"
REVERSED = "transfer_already_reversed"
FEE_REFUNDED = "application_fee_already_refunded"

# What a platform has in each currency, pending and available.
Balances = Counter[tuple[str, str]]


@dataclass
class Sellers:
    """What connected accounts have in each currency. They never have less than nothing."""

    balances: Counter[tuple[int, str]] = field(default_factory=Counter)
    identifiers: list[str] = field(default_factory=list)

    def pass_on(self, payment: Payment, captured: int, balances: Balances) -> None:
        """Send on what was just captured. Several captures share what is agreed."""
        if payment.seller is None:
            return
        before = [one for one in payment.passed if one.by_capture]
        amount = captured
        if payment.part is not None:
            amount = min(amount, payment.part - sum(one.amount for one in before))
        if amount < 1:
            return
        fee = min(amount, (payment.fee or 0) - sum(one.fee for one in before))
        self._send(
            payment, Passed(payment.seller, amount, max(fee, 0)), (payment.currency, payment.side), balances
        )

    def transfer(self, payment: Payment, step: Step, balances: Balances) -> Expected:
        """Send on a part of what a payment has brought."""
        assert step.seller is not None
        if payment.charge == "none":
            raise Refused(MISSING, 404)
        if payment.charge != "taken":
            raise Refused(None)
        left = payment.captured - payment.refunded - sum(one.left for one in payment.passed)
        if left < 1:
            raise Refused(TOO_LARGE)
        amount = part_of(left, step.amount)
        if payment.place[1] == "available" and balances[payment.place] < amount:
            raise Refused(NO_FUNDS, 402)
        self._send(payment, Passed(step.seller, amount, by_capture=False), payment.place, balances)
        return Expected(200, None, amount)

    def reverse(self, payment: Payment, step: Step, balances: Balances) -> Expected:
        """Take back the last transfer, or a part of it, and return its share of the fee."""
        if not payment.passed:
            raise Refused(MISSING, 404)
        last = payment.passed[-1]
        amount = _reversible(last, step.amount)
        returned = 0
        if step.returns_fee:
            if not last.fee:
                raise Refused(None)
            returned = _share(last.fee, amount, last.reversed, last.amount, _refundable(last, None))
        self._check(last, payment, amount - returned)
        self._take_back(payment, last, amount, returned, balances)
        return Expected(200, None, amount)

    def return_fee(self, payment: Payment, step: Step, balances: Balances, may_overdraw: bool) -> Expected:
        """Return the last fee, or a part of it."""
        last = payment.last_fee()
        if last is None:
            raise Refused(MISSING, 404)
        amount = _refundable(last, step.amount)
        if not may_overdraw and balances[payment.place] < amount:
            raise Refused(NO_FUNDS, 402)
        self._take_back(payment, last, 0, amount, balances)
        return Expected(200, None, amount)

    def share_refund(self, payment: Payment, amount: int, step: Step) -> list[tuple[Passed, int, int]]:
        """Return what a refund takes back of each transfer of a payment, and returns of its fee."""
        passed = [one for one in payment.passed if one.by_capture]
        if not passed or (len(passed) > 1 and amount != payment.captured):
            raise Refused(None)
        shares = []
        owed: Counter[int] = Counter()
        for one in passed:
            terms = amount, payment.refunded, payment.captured
            returned = 0
            if step.returns_fee and one.fee:
                returned = _share(one.fee, *terms, _refundable(one, None))
            taken = _share(one.amount, *terms, _reversible(one, None))
            owed[one.seller] += taken - returned
            self._check(one, payment, owed[one.seller] if taken else 0)
            shares.append((one, taken, returned))
        return shares

    def take_shares(
        self, payment: Payment, shares: list[tuple[Passed, int, int]], balances: Balances
    ) -> None:
        """Take back what a refund does."""
        for one, taken, returned in shares:
            self._take_back(payment, one, taken, returned, balances)

    def _check(self, passed: Passed, payment: Payment, amount: int) -> None:
        if self.balances[passed.seller, payment.currency] < amount:
            raise Refused(NO_FUNDS, 402)

    def _send(self, payment: Payment, passed: Passed, place: tuple[str, str], balances: Balances) -> None:
        payment.passed.append(passed)
        self.balances[passed.seller, payment.currency] += passed.left
        balances[place] -= passed.left

    def _take_back(self, payment: Payment, passed: Passed, amount: int, fee: int, balances: Balances) -> None:
        passed.reversed += amount
        passed.fee_refunded += fee
        self.balances[passed.seller, payment.currency] += fee - amount
        balances[payment.place] += amount - fee


def _reversible(passed: Passed, amount: int | None) -> int:
    if passed.reversed == passed.amount:
        raise Refused(REVERSED)
    return part_of(passed.amount - passed.reversed, amount)


def _refundable(passed: Passed, amount: int | None) -> int:
    if passed.fee_refunded == passed.fee:
        raise Refused(FEE_REFUNDED)
    return part_of(passed.fee - passed.fee_refunded, amount)


def _share(of: int, amount: int, before: int, whole: int, left: int) -> int:
    """Return a share that makes all shares together the whole, at most what is left."""
    return min(of * (before + amount) // whole - of * before // whole, left)
