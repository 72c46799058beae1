"""Whatever commands come in whatever order, the books stay right."""

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from fastpay.domain.captures import CancelPaymentIntent, CapturePaymentIntent
from fastpay.domain.cash_balances import ApplyCashBalance, FundCashBalance, UpdateCashBalance
from fastpay.domain.charges import CaptureCharge
from fastpay.domain.connected_accounts import CreateConnectedAccount
from fastpay.domain.customers import CreateCustomer, DeleteCustomer
from fastpay.domain.dispute_responses import CloseDispute, UpdateDispute
from fastpay.domain.disputes import CreateDispute
from fastpay.domain.objects import Customer
from fastpay.domain.payment_intents import ConfirmPaymentIntent, CreatePaymentIntent, UpdatePaymentIntent
from fastpay.domain.payment_methods import AttachPaymentMethod, DetachPaymentMethod
from fastpay.domain.plan import Command
from fastpay.domain.refunds import CancelRefund, CreateRefund, ExpireRefund, SettleRefund
from fastpay.errors import FastpayError
from tests.support.world import BY_CASH, TRANSFERABLE, World, card

CARDS = (
    *("visa", "bypassPending", "chargeDeclined", "authenticationRequired", "chargeCustomerFail"),
    *("createDispute", "createDisputeInquiry", "createMultipleDisputes"),
    *("refundFail", "pendingRefund", "refundRequiresAction"),
)
EVIDENCE = ("winning_evidence", "losing_evidence", "escalate_inquiry_evidence", "Something else.")
AMOUNTS = st.one_of(st.integers(1, 60), st.integers(1, 99_999_999))
NAMES = st.sampled_from(CARDS)


class Books(RuleBasedStateMachine):
    """Commands of all kinds on payments, cards and customers, in any order."""

    intents: Bundle[str] = Bundle("intents")
    methods: Bundle[str] = Bundle("methods")
    customers: Bundle[str] = Bundle("customers")

    @initialize(basis_points=st.integers(0, 10_000), fixed=st.integers(0, 100), may_overdraw=st.booleans())
    def open(self, basis_points: int, fixed: int, may_overdraw: bool) -> None:
        self.world = World(
            fee_basis_points=basis_points,
            fee_fixed=fixed,
            refunds_may_overdraw=may_overdraw,
            dispute_fee=fixed,
        )
        self.seller = self.world.do(CreateConnectedAccount()).id

    @rule(
        target=intents,
        amount=AMOUNTS,
        currency=st.sampled_from(("usd", "eur")),
        name=st.none() | NAMES,
        manual=st.booleans(),
        confirm=st.booleans(),
    )
    def create(
        self, amount: int, currency: str, name: str | None, manual: bool, confirm: bool
    ) -> MultipleResults[str]:
        command = CreatePaymentIntent(
            amount=amount,
            currency=currency,
            secret="s",
            fields={"capture_method": "manual" if manual else "automatic"},
            payment_method=None if name is None else card(name),
            confirm=confirm,
        )
        return self.attempt(command, "pi")

    @rule(target=customers)
    def create_customer(self) -> MultipleResults[str]:
        return self.attempt(CreateCustomer(fields={}), "cus")

    @rule(customer=consumes(customers))
    def delete_customer(self, customer: str) -> None:
        self.attempt(DeleteCustomer(id=customer))

    @rule(target=methods, name=NAMES, customer=customers)
    def attach(self, name: str, customer: str) -> MultipleResults[str]:
        return self.attempt(AttachPaymentMethod(payment_method=card(name), customer=customer), "pm")

    @rule(method=methods)
    def detach(self, method: str) -> None:
        self.attempt(DetachPaymentMethod(id=method))

    @rule(intent=intents, customer=customers)
    def give_customer(self, intent: str, customer: str) -> None:
        self.attempt(UpdatePaymentIntent(id=intent, fields={"customer": customer}))

    @rule(intent=intents, currency=st.sampled_from(("usd", "eur")), amount=AMOUNTS)
    def change(self, intent: str, currency: str, amount: int) -> None:
        self.attempt(UpdatePaymentIntent(id=intent, fields={"currency": currency, "amount": amount}))

    @rule(intent=intents, name=NAMES)
    def confirm(self, intent: str, name: str) -> None:
        self.attempt(ConfirmPaymentIntent(id=intent, payment_method=card(name)))

    @rule(intent=intents, method=methods)
    def confirm_with_saved(self, intent: str, method: str) -> None:
        self.attempt(ConfirmPaymentIntent(id=intent, payment_method=method))

    @rule(intent=intents, amount=st.none() | AMOUNTS)
    def capture(self, intent: str, amount: int | None) -> None:
        self.attempt(CapturePaymentIntent(id=intent, amount=amount))

    @rule(intent=intents, amount=st.none() | AMOUNTS)
    def capture_charge(self, intent: str, amount: int | None) -> None:
        charge = self.world.intent(intent).latest_charge
        if charge is not None:
            self.attempt(CaptureCharge(id=charge, amount=amount))

    @rule(intent=intents)
    def cancel(self, intent: str) -> None:
        self.attempt(CancelPaymentIntent(id=intent))

    @rule(intent=intents, amount=st.none() | AMOUNTS, reverses=st.booleans(), returns_fee=st.booleans())
    def refund(self, intent: str, amount: int | None, reverses: bool, returns_fee: bool) -> None:
        self.attempt(
            CreateRefund(
                payment_intent=intent,
                amount=amount,
                reverse_transfer=reverses,
                refund_application_fee=returns_fee,
            )
        )

    @rule(data=st.data(), command=st.sampled_from((SettleRefund, CancelRefund, ExpireRefund)))
    def end_a_refund(self, data: st.DataObject, command: type[SettleRefund]) -> None:
        refund = self.any_of(data, "re")
        if refund is not None:
            self.attempt(command(id=refund))

    @rule(intent=intents, amount=st.none() | AMOUNTS, case_type=st.sampled_from(("chargeback", "inquiry")))
    def dispute(self, intent: str, amount: int | None, case_type: str) -> None:
        charge = self.world.intent(intent).latest_charge
        if charge is not None:
            self.attempt(CreateDispute(charge=charge, amount=amount, case_type=case_type))

    @rule(data=st.data(), text=st.none() | st.sampled_from(EVIDENCE))
    def end_a_dispute(self, data: st.DataObject, text: str | None) -> None:
        dispute = self.any_of(data, "du")
        if dispute is not None and text is None:
            self.attempt(CloseDispute(id=dispute))
        elif dispute is not None:
            self.attempt(UpdateDispute(id=dispute, evidence={"uncategorized_text": text}))

    @rule(customer=customers, amount=AMOUNTS, currency=st.sampled_from(("usd", "eur")))
    def fund(self, customer: str, amount: int, currency: str) -> None:
        self.attempt(FundCashBalance(customer=customer, amount=amount, currency=currency))

    @rule(
        target=intents,
        customer=customers,
        amount=AMOUNTS,
        currency=st.sampled_from(("usd", "eur")),
        is_passed_on=st.booleans(),
    )
    def pay_by_cash(
        self, customer: str, amount: int, currency: str, is_passed_on: bool
    ) -> MultipleResults[str]:
        # The platform pays the processor's fee: only its own fee keeps it from being below zero.
        own = amount // 2 if self.world.book.rules.refunds_may_overdraw else amount
        split = {"destination": self.seller, "application_fee_amount": own} if is_passed_on else {}
        command = CreatePaymentIntent(
            amount=amount,
            currency=currency,
            secret="s",
            customer=customer,
            payment_method=BY_CASH,
            confirm=True,
            extras=TRANSFERABLE | split,
        )
        return self.attempt(command, "pi")

    @rule(intent=intents)
    def confirm_by_cash(self, intent: str) -> None:
        self.attempt(ConfirmPaymentIntent(id=intent, payment_method=BY_CASH, extras=TRANSFERABLE))

    @rule(intent=intents, amount=st.none() | AMOUNTS)
    def apply_cash(self, intent: str, amount: int | None) -> None:
        self.attempt(ApplyCashBalance(id=intent, amount=amount))

    @rule(customer=customers, mode=st.sampled_from((None, "manual")))
    def set_mode(self, customer: str, mode: str | None) -> None:
        self.attempt(UpdateCashBalance(customer=customer, reconciliation_mode=mode))

    @invariant()
    def money_does_not_stay_where_a_payment_waits_for_it(self) -> None:
        for versioned in self.world.objects.values():
            customer = versioned.object
            if isinstance(customer, Customer) and customer.cash is not None and customer.cash.is_automatic:
                waiting = {self.world.intent(name).currency for name in customer.cash.waiting}
                assert all(not customer.cash.available.get(currency, 0) for currency in waiting)

    @invariant()
    def books_are_right(self) -> None:
        world = self.world
        world.check()
        if not world.book.rules.refunds_may_overdraw:
            # Nobody asks whether the money is there when a cardholder disputes a payment.
            accounts = [account for account in world.accounts.values() if account.code != "available"]
            assert all(account.balance >= 0 for account in accounts)

    def any_of(self, data: st.DataObject, prefix: str) -> str | None:
        """Return an object of a kind, if there is one."""
        found = [identifier for identifier in self.world.objects if identifier.startswith(f"{prefix}_")]
        return data.draw(st.sampled_from(found)) if found else None

    def attempt(self, command: Command, prefix: str = "") -> MultipleResults[str]:
        """Run the command; return the object that it made of this kind, where it made one."""
        before = msgspec.msgpack.encode([list(self.world.accounts.values()), self.world.transfers])
        try:
            plan = self.world.run(command)
        except FastpayError:
            assert before == msgspec.msgpack.encode(
                [list(self.world.accounts.values()), self.world.transfers]
            )
            return multiple()
        made = [written.object.id for written in plan.versions if written.version == 1]
        own = [identifier for identifier in made if identifier.startswith(f"{prefix}_")]
        return multiple(*own)


Books.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
test_the_books_stay_right_whatever_comes = Books.TestCase
