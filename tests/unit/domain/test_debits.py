"""Direct debits: processing first, settled or failed by time."""

import msgspec
import pytest

from fastpay.domain import bank_accounts
from fastpay.domain.bank_accounts import DEBITS
from fastpay.domain.captures import CancelPaymentIntent
from fastpay.domain.charging import Terms
from fastpay.domain.customers import CreateCustomer
from fastpay.domain.debits import SettleDebit
from fastpay.domain.dispute_objects import Dispute
from fastpay.domain.dispute_responses import CloseDispute, UpdateDispute
from fastpay.domain.disputes import CreateDispute
from fastpay.domain.iban_table import IBANS, MAGIC_PAYMENT_METHODS
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.payment_intents import ConfirmPaymentIntent, CreatePaymentIntent
from fastpay.domain.payment_methods import CreatePaymentMethod
from fastpay.domain.refunds import CreateRefund
from fastpay.domain.setup_objects import Mandate
from tests.support.world import ACCEPTED, World, account, card, of_type

DELAY_S = 5
DISPUTED = ["charge.dispute.created", "charge.dispute.funds_withdrawn", "charge.dispute.closed"]


PAY = CreatePaymentIntent(
    amount=1000,
    currency="eur",
    secret="s",
    fields={"payment_method_types": ("sepa_debit",), "automatic_payment_methods": False},
    payment_method=account(),
    confirm=True,
    terms=ACCEPTED,
)


def pay(world: World, behaviour: str = "success") -> PaymentIntent:
    command = msgspec.structs.replace(PAY, payment_method=account(behaviour))
    return of_type(world.do(command), PaymentIntent)


def settle(world: World, intent: PaymentIntent) -> PaymentIntent:
    world.run(SettleDebit(id=intent.id, delay_s=DELAY_S))
    world.check()
    return world.intent(intent.id)


def types(world: World) -> list[str]:
    return [event.type for event in world.events]


@pytest.mark.parametrize("behaviour", sorted(DEBITS))
def test_a_debit_is_processing_until_the_bank_answers(behaviour: str) -> None:
    world = World()
    intent = pay(world, behaviour)
    charge = world.charge_of(intent)
    assert (intent.status, charge.status, charge.captured) == ("processing", "pending", False)
    assert types(world) == ["payment_intent.created", "charge.pending", "payment_intent.processing"]
    assert world.account("processor", "eur").debits_pending == 1000
    debit = DEBITS[behaviour]
    world.moment_s += DELAY_S * debit.delay_factor - 1
    assert settle(world, intent).status == "processing"
    world.moment_s += 1
    settled, charge = settle(world, intent), world.charge_of(intent)
    assert world.account("processor", "eur").debits_pending == 0
    if debit.failure_code is None:
        assert (settled.status, settled.amount_received, charge.captured) == ("succeeded", 1000, True)
        disputed = DISPUTED if debit.is_disputed else []
        assert types(world)[3:] == ["charge.succeeded", *disputed, "payment_intent.succeeded"]
        assert world.balance("pending", "eur") == 1000 - charge.fee
    else:
        assert (settled.status, charge.status) == ("requires_payment_method", "failed")
        assert types(world)[-2:] == ["charge.failed", "payment_intent.payment_failed"]
        assert settled.last_payment_error is not None
        assert settled.last_payment_error.code == "payment_intent_payment_attempt_failed"
        assert charge.failure_code == debit.failure_code
        assert world.balance("pending", "eur") == 0


@pytest.mark.parametrize("asks", [False, True])
def test_a_disputed_debit_is_lost_at_once(asks: bool) -> None:
    world = World()
    intent = pay(world, "success" if asks else "disputed")
    world.moment_s += DELAY_S
    charge = world.charge_of(settle(world, intent))
    if asks:
        world.do(CreateDispute(charge=charge.id, reason="general"))
        charge = world.charge_of(intent)
    dispute = of_type(world.objects[charge.dispute or ""].object, Dispute)
    assert (dispute.status, dispute.amount, dispute.due_by, dispute.changes_at) == ("lost", 1000, 0, None)
    assert dispute.withdrawal is not None
    assert world.balance("available", "eur") == -1000 - dispute.fee
    assert world.balance("disputes", "eur") == 0
    assert world.refused(UpdateDispute(id=dispute.id, evidence={"customer_name": "Ada"})).status == 400
    assert world.refused(CloseDispute(id=dispute.id)).status == 400
    assert world.refused(CreateRefund(charge=charge.id)).code == "charge_disputed"
    world.check()


def test_a_debit_settles_once() -> None:
    world = World()
    intent = pay(world)
    world.moment_s += DELAY_S
    settle(world, intent)
    count = len(world.events)
    settle(world, intent)
    assert len(world.events) == count


def test_a_payment_can_be_tried_again_after_a_failed_debit() -> None:
    world = World()
    intent = pay(world, "failure")
    world.moment_s += DELAY_S
    settle(world, intent)
    world.do(ConfirmPaymentIntent(id=intent.id, payment_method=account(), terms=ACCEPTED))
    world.moment_s += DELAY_S
    assert settle(world, intent).status == "succeeded"


def test_what_is_processing_can_be_neither_canceled_nor_refunded() -> None:
    world = World()
    intent = pay(world)
    assert world.refused(CancelPaymentIntent(id=intent.id)).code == "payment_intent_unexpected_state"
    assert world.refused(CreateRefund(payment_intent=intent.id)).code == "charge_not_refundable"
    world.moment_s += DELAY_S
    settle(world, intent)
    world.do(CreateRefund(payment_intent=intent.id))
    world.check()


def test_only_debits_are_settled_by_time() -> None:
    world = World()
    world.moment_s += DELAY_S
    for intent in (world.hold(), world.pay(name="authenticationRequired")):
        assert settle(world, intent).status == intent.status
    world.run(SettleDebit(id="pi_" + "0" * 32, delay_s=0))


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"currency": "usd"}, "currency"),
        ({"fields": {"capture_method": "manual"}}, "capture_method"),
        ({"fields": {"automatic_payment_methods": False}}, "payment_method"),
        ({"fields": {}, "extras": {"excluded_payment_method_types": ("sepa_debit",)}}, "payment_method"),
        ({"payment_method": card()}, "payment_method"),
        ({"terms": Terms()}, "mandate_data"),
    ],
)
def test_a_debit_that_cannot_be_is_refused(changes: dict[str, object], param: str) -> None:
    assert World().refused(msgspec.structs.replace(PAY, **changes)).param == param


def test_automatic_payment_methods_take_a_bank_account_and_show_its_type() -> None:
    world = World()
    intent = of_type(world.do(msgspec.structs.replace(PAY, fields={})), PaymentIntent)
    assert intent.payment_method_types == ("card", "sepa_debit")


def test_a_mandate_is_for_one_payment_unless_the_account_is_saved() -> None:
    world = World()
    customer = world.do(CreateCustomer(fields={}))
    saving = {**PAY.fields, "setup_future_usage": "off_session"}
    first = world.charge_of(pay(world))
    second = world.charge_of(
        of_type(world.do(msgspec.structs.replace(PAY, customer=customer.id, fields=saving)), PaymentIntent)
    )
    mandates = []
    for charge in (first, second):
        assert charge.extras is not None
        mandates.append(of_type(world.objects[charge.extras.mandate or ""].object, Mandate))
    assert [(one.type, one.amount, one.method) for one in mandates] == [
        ("single_use", 1000, "sepa_debit"),
        ("multi_use", None, "sepa_debit"),
    ]
    # From now on neither the customer nor another mandate is needed.
    again = msgspec.structs.replace(
        PAY,
        customer=customer.id,
        payment_method=second.payment_method,
        terms=Terms(off_session=True, mandate=mandates[1].id),
    )
    assert of_type(world.do(again), PaymentIntent).status == "processing"
    world.do(msgspec.structs.replace(again, terms=Terms(off_session=True)))
    other = msgspec.structs.replace(again, terms=Terms(mandate=mandates[0].id))
    assert world.refused(other).code == "payment_intent_mandate_invalid"


def test_a_bank_account_does_not_expire() -> None:
    world = World()
    method = world.method(world.do(CreatePaymentMethod(card=account())).id)
    assert (method.type, method.sepa_debit) == ("sepa_debit", account().sepa_debit)


def test_every_test_account_is_a_valid_iban_and_a_changed_one_is_not() -> None:
    for number, behaviour in IBANS.items():
        assert bank_accounts.is_iban(number)
        assert behaviour in DEBITS
        digit = (int(number[-1], 36) + 1) % 10
        assert not bank_accounts.is_iban(f"{number[:-1]}{digit}")
    assert not bank_accounts.is_iban("DE89")
    assert MAGIC_PAYMENT_METHODS["pm_disputed_de"] == "DE35370400440532013002"
    assert IBANS[MAGIC_PAYMENT_METHODS["pm_exceedsWeeklyVolumeLimit_fr"]] == "source_limit"
