"""Payments from customers' cash balances: what is refused, and what may change while one waits."""

from typing import Any

import pytest

from fastpay import limits
from fastpay.domain.captures import CancelPaymentIntent
from fastpay.domain.cash_balances import ApplyCashBalance, FundCashBalance, UpdateCashBalance
from fastpay.domain.charging import Terms
from fastpay.domain.customers import CreateCustomer, DeleteCustomer
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.options import CashOptions
from fastpay.domain.payment_intents import (
    AuthenticatePaymentIntent,
    ConfirmPaymentIntent,
    CreatePaymentIntent,
    UpdatePaymentIntent,
)
from fastpay.domain.payment_methods import AttachPaymentMethod, CreatePaymentMethod
from fastpay.domain.refunds import CreateRefund
from tests.support.world import BY_CASH, TRANSFERABLE, World, card, of_type
from tests.unit.domain.test_transfers import connect

WRONG_STATE = "payment_intent_unexpected_state"
INCOMPATIBLE = "payment_intent_incompatible_payment_method"


class Payer:
    """A customer in a world of their own."""

    def __init__(self, **rules: Any) -> None:
        self.world = World(fee_basis_points=0, fee_fixed=0, **rules)
        self.id = self.world.do(CreateCustomer(fields={})).id

    def command(self, amount: int = 1000, **changes: Any) -> CreatePaymentIntent:
        """Return what pays by cash, or waits for it."""
        fields: dict[str, Any] = {
            "currency": "usd",
            "customer": self.id,
            "extras": TRANSFERABLE,
            "payment_method": BY_CASH,
            "confirm": True,
            **changes,
        }
        return CreatePaymentIntent(amount=amount, secret="s", **fields)

    def pay(self, amount: int = 1000, **changes: Any) -> PaymentIntent:
        return of_type(self.world.do(self.command(amount, **changes)), PaymentIntent)

    def fund(self, amount: int, currency: str = "usd") -> None:
        self.world.do(FundCashBalance(customer=self.id, amount=amount, currency=currency))

    def available(self, currency: str = "usd") -> int:
        cash = self.world.customer(self.id).cash
        return 0 if cash is None else cash.available.get(currency, 0)

    def remaining(self, intent: PaymentIntent) -> int:
        extras = self.world.intent(intent.id).extras
        assert extras is not None
        assert extras.awaited is not None
        return extras.awaited.amount_remaining


def passed_on_to(seller: str) -> dict[str, object]:
    """Return the options of a payment that goes on to a seller, less a fee of 100."""
    return {**TRANSFERABLE, "destination": seller, "application_fee_amount": 100}


@pytest.fixture
def payer() -> Payer:
    return Payer()


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"customer": None}, "parameter_missing", "customer"),
        ({"currency": "chf"}, INCOMPATIBLE, "currency"),
        ({"extras": {"cash": CashOptions(funding_type="bank_transfer", type="gb_bank_transfer")}},
         INCOMPATIBLE, "currency"),
        ({"fields": {"capture_method": "manual"}}, INCOMPATIBLE, "capture_method"),
        ({"fields": {"setup_future_usage": "off_session"}}, INCOMPATIBLE, "setup_future_usage"),
        ({"extras": {}}, INCOMPATIBLE, "payment_method_options[customer_balance][funding_type]"),
        ({"terms": Terms(error_on_requires_action=True)}, "payment_intent_payment_attempt_failed", None),
        ({"fields": {"automatic_payment_methods": False}}, INCOMPATIBLE, "payment_method"),
    ],
)  # fmt: skip
def test_a_payment_that_cannot_be_one_by_cash_is_refused(
    payer: Payer, changes: dict[str, Any], code: str, param: str | None
) -> None:
    error = payer.world.refused(payer.command(**changes))
    assert (error.code, error.param) == (code, param)


def test_a_balance_that_is_enough_needs_no_funding_type(payer: Payer) -> None:
    payer.fund(1000)
    assert payer.pay(extras={}, terms=Terms(error_on_requires_action=True)).status == "succeeded"


def test_in_live_mode_nobody_funds_a_balance() -> None:
    payer = Payer(scope=Scope("0" * 31 + "1", True))
    error = payer.world.refused(FundCashBalance(customer=payer.id, amount=1, currency="usd"))
    assert error.code == "processor_not_configured"


def test_there_are_no_transfers_in_other_currencies(payer: Payer) -> None:
    error = payer.world.refused(FundCashBalance(customer=payer.id, amount=1, currency="chf"))
    assert error.param == "currency"


def test_money_goes_from_the_bank_through_the_customer_to_the_merchant(payer: Payer) -> None:
    world = payer.world
    payer.pay(1000)
    payer.fund(400)
    assert (world.balance("processor"), world.balance(payer.id), world.balance("applied_cash")) == (
        400,
        0,
        400,
    )
    payer.fund(700)
    assert (world.balance("processor"), world.balance(payer.id), world.balance("applied_cash")) == (
        1100,
        100,
        0,
    )
    assert (world.balance("pending"), payer.available()) == (1000, 100)
    world.check()


def test_fees_are_those_of_any_payment() -> None:
    payer = Payer()
    payer.world = World(fee_basis_points=100, fee_fixed=5)
    payer.id = payer.world.do(CreateCustomer(fields={})).id
    payer.fund(1000)
    payer.pay(1000)
    assert (payer.world.balance("pending"), payer.world.balance("fees")) == (985, 15)


@pytest.mark.parametrize(
    "command",
    [
        lambda intent: UpdatePaymentIntent(id=intent, fields={"amount": 5}),
        lambda intent: UpdatePaymentIntent(id=intent, fields={"currency": "eur"}),
        lambda intent: UpdatePaymentIntent(id=intent, payment_method=card()),
        lambda intent: UpdatePaymentIntent(id=intent, clears_payment_method=True),
        lambda intent: ConfirmPaymentIntent(id=intent, payment_method=card()),
    ],
)
def test_what_money_was_applied_to_keeps_its_terms(payer: Payer, command: Any) -> None:
    intent = payer.pay(1000)
    payer.fund(400)
    assert payer.world.refused(command(intent.id)).code == WRONG_STATE
    payer.fund(600)
    assert payer.world.intent(intent.id).status == "succeeded"


def test_a_payment_without_money_may_change_and_waits_no_longer(payer: Payer) -> None:
    intent = payer.pay(1000)
    payer.world.do(UpdatePaymentIntent(id=intent.id, fields={"amount": 300}))
    assert payer.world.intent(intent.id).status == "requires_confirmation"
    payer.fund(500)
    assert payer.available() == 500
    assert of_type(payer.world.do(ConfirmPaymentIntent(id=intent.id)), PaymentIntent).status == "succeeded"
    assert payer.available() == 200


def test_a_card_may_pay_what_waits_for_a_transfer(payer: Payer) -> None:
    intent = payer.pay(1000)
    paid = of_type(payer.world.do(ConfirmPaymentIntent(id=intent.id, payment_method=card())), PaymentIntent)
    assert paid.status == "succeeded"
    payer.fund(1000)
    assert payer.available() == 1000
    payer.world.check()


def test_a_description_changes_while_a_payment_waits(payer: Payer) -> None:
    intent = payer.pay(1000)
    payer.fund(1)
    payer.world.do(UpdatePaymentIntent(id=intent.id, fields={"description": "Order 1"}))
    assert payer.remaining(intent) == 999


def test_a_second_confirmation_continues_with_what_is_missing(payer: Payer) -> None:
    intent = payer.pay(1000)
    payer.fund(400)
    payer.world.do(ConfirmPaymentIntent(id=intent.id))
    assert payer.remaining(intent) == 600
    payer.fund(600)
    assert payer.world.intent(intent.id).status == "succeeded"
    payer.world.check()


def test_no_cardholder_can_authenticate_a_payment_that_waits_for_a_transfer(payer: Payer) -> None:
    intent = payer.pay(1000)
    for succeeds in (True, False):
        error = payer.world.refused(AuthenticatePaymentIntent(id=intent.id, succeeds=succeeds))
        assert error.code == WRONG_STATE


def test_money_is_applied_by_hand_within_what_is_there_and_what_is_missing(payer: Payer) -> None:
    world = payer.world
    world.do(UpdateCashBalance(customer=payer.id, reconciliation_mode="manual"))
    payer.fund(500)
    intent = payer.pay(1000)
    assert (payer.remaining(intent), payer.available()) == (1000, 500)
    assert world.refused(ApplyCashBalance(id=intent.id)).code == "balance_insufficient"
    assert world.refused(ApplyCashBalance(id=intent.id, amount=1001)).code == "amount_too_large"
    assert world.refused(ApplyCashBalance(id=intent.id, amount=5, currency="eur")).param == "currency"
    world.do(ApplyCashBalance(id=intent.id, amount=500))
    payer.fund(600)
    assert (payer.remaining(intent), payer.available()) == (500, 600)
    assert of_type(world.do(ApplyCashBalance(id=intent.id)), PaymentIntent).status == "succeeded"
    assert world.refused(ApplyCashBalance(id=intent.id)).code == WRONG_STATE


def test_a_refund_pays_what_waits_for_money(payer: Payer) -> None:
    payer.fund(1000)
    paid = payer.pay(1000)
    waits = payer.pay(300)
    payer.world.do(CreateRefund(payment_intent=paid.id, amount=500))
    assert payer.world.intent(waits.id).status == "succeeded"
    assert payer.available() == 200
    payer.world.check()


def test_a_customer_with_cash_or_a_waiting_payment_is_not_deleted(payer: Payer) -> None:
    intent = payer.pay(1000)
    payer.world.refused(DeleteCustomer(id=payer.id))
    payer.world.do(CancelPaymentIntent(id=intent.id))
    other = Payer()
    other.fund(1)
    other.world.refused(DeleteCustomer(id=other.id))
    payer.world.do(DeleteCustomer(id=payer.id))


def test_so_many_payments_of_a_customer_wait_and_no_more(
    payer: Payer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "cash_waiting_max", 2)
    first = payer.pay()
    payer.pay()
    assert payer.world.refused(payer.command()).param == "customer"
    payer.world.do(CancelPaymentIntent(id=first.id))
    payer.pay()


def test_cash_is_not_attached_to_a_customer(payer: Payer) -> None:
    method = payer.world.do(CreatePaymentMethod(card=BY_CASH)).id
    error = payer.world.refused(AttachPaymentMethod(payment_method=method, customer=payer.id))
    assert error.code == "payment_method_unexpected_state"


@pytest.mark.parametrize(
    "change",
    [
        {"fields": {"capture_method": "manual"}},
        {"fields": {"payment_method_types": ("card",)}},
        {"extras": {"cash": CashOptions()}},
    ],
)
def test_a_change_of_what_an_attempt_looks_at_needs_a_new_attempt(
    payer: Payer, change: dict[str, Any]
) -> None:
    intent, other = payer.pay(), payer.pay()
    changed = of_type(payer.world.do(UpdatePaymentIntent(id=intent.id, **change)), PaymentIntent)
    assert changed.status == "requires_confirmation"
    payer.fund(500)
    assert payer.remaining(other) == 500
    assert payer.world.refused(UpdatePaymentIntent(id=other.id, **change)).code == WRONG_STATE
    payer.world.check()


def test_options_for_cards_do_not_concern_a_bank_transfer(payer: Payer) -> None:
    for_cards = {"capture_method": "manual", "setup_future_usage": "off_session"}
    payer.fund(1000)
    assert payer.pay(1000, extras={**TRANSFERABLE, "card": for_cards}).status == "succeeded"


def test_settings_that_are_not_given_do_not_change(payer: Payer) -> None:
    before = payer.world.customer(payer.id)
    payer.world.do(UpdateCashBalance(customer=payer.id, is_given=False))
    assert payer.world.customer(payer.id) is before


def test_transfers_in_parts_pay_and_pass_the_money_on_once_all_of_it_is_there(payer: Payer) -> None:
    world, seller = payer.world, connect(payer.world)
    intent = payer.pay(1000, extras=passed_on_to(seller))
    payer.fund(400)
    assert (world.balance(seller), world.balance("applied_cash")) == (0, 400)
    payer.fund(600)
    assert (world.balance(seller), world.balance("pending"), payer.available()) == (900, 100, 0)
    charge = world.charge_of(world.intent(intent.id))
    assert world.intent(intent.id).transfer_group == charge.transfer_group == f"group_{intent.id}"
    world.check()


def test_a_refund_takes_back_what_was_passed_on_and_passes_on_what_waits(payer: Payer) -> None:
    world, seller, other = payer.world, connect(payer.world), connect(payer.world)
    payer.fund(1000)
    paid = payer.pay(1000, extras=passed_on_to(seller))
    waits = payer.pay(300, extras=passed_on_to(other))
    world.do(
        CreateRefund(payment_intent=paid.id, amount=500, reverse_transfer=True, refund_application_fee=True)
    )
    assert world.intent(waits.id).status == "succeeded"
    assert (world.balance(seller), world.balance(other), payer.available()) == (450, 200, 200)
    world.check()


@pytest.mark.parametrize("by", ["charge", "payment_intent"])
def test_a_refund_by_any_name_finds_what_waits_for_its_money(payer: Payer, by: str) -> None:
    world, seller = payer.world, connect(payer.world)
    payer.fund(1000)
    paid = payer.pay(1000)
    waits = payer.pay(300, extras=passed_on_to(seller))
    charge = world.charge_of(paid).id
    world.do(CreateRefund(charge=charge) if by == "charge" else CreateRefund(payment_intent=paid.id))
    assert world.intent(waits.id).status == "succeeded"
    assert (world.balance(seller), payer.available()) == (200, 700)


def test_a_payment_in_parts_takes_the_split_as_it_is_at_the_last_part(payer: Payer) -> None:
    world, seller = payer.world, connect(payer.world)
    intent = payer.pay(1000, extras=passed_on_to(seller))
    payer.fund(400)
    world.do(UpdatePaymentIntent(id=intent.id, extras={"application_fee_amount": 300}))
    too_much = UpdatePaymentIntent(id=intent.id, extras={"application_fee_amount": 1001})
    assert world.refused(too_much).param == "application_fee_amount"
    assert (world.intent(intent.id).status, payer.remaining(intent)) == ("requires_action", 600)
    payer.fund(600)
    assert world.balance(seller) == 700
    world.check()


def test_a_canceled_payment_passes_nothing_on_and_its_money_pays_the_next(payer: Payer) -> None:
    world, seller, other = payer.world, connect(payer.world), connect(payer.world)
    first = payer.pay(1000, extras=passed_on_to(seller))
    payer.pay(300, extras=passed_on_to(other))
    payer.fund(400)
    world.do(CancelPaymentIntent(id=first.id))
    assert (world.balance(seller), world.balance(other), payer.available()) == (0, 200, 100)
    world.check()


def test_money_that_is_applied_by_hand_is_passed_on(payer: Payer) -> None:
    world, seller = payer.world, connect(payer.world)
    world.do(UpdateCashBalance(customer=payer.id, reconciliation_mode="manual"))
    intents = [payer.pay(1000, extras=passed_on_to(seller)) for _ in range(2)]
    payer.fund(2000)
    world.do(ApplyCashBalance(id=intents[0].id))
    assert world.balance(seller) == 900
    world.do(UpdateCashBalance(customer=payer.id, reconciliation_mode="automatic"))
    assert world.balance(seller) == 1800
    world.check()
