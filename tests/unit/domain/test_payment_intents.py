"""The life cycle of a payment intent: every command in every state."""

import msgspec
import pytest

from fastpay.domain.attempts import AUTHORIZATION_VALID_S
from fastpay.domain.captures import CancelPaymentIntent, CapturePaymentIntent, ExpirePaymentIntent
from fastpay.domain.customers import CreateCustomer, DeleteCustomer
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.payment_intents import ConfirmPaymentIntent, CreatePaymentIntent, UpdatePaymentIntent
from fastpay.domain.payment_methods import AttachPaymentMethod
from fastpay.domain.plan import Command
from tests.support.world import SCOPE, World, card, of_type

UNEXPECTED = "payment_intent_unexpected_state"

# status: what each command leads to; None is refused for the state, "same" leaves the state as it is.
_OPEN: dict[str, str | None] = {
    "update amount": "same",
    "update description": "same",
    "update method": "requires_confirmation",
    "clear method": "requires_payment_method",
    "confirm": None,
    "confirm with a good card": "succeeded",
    "confirm with a bad card": "requires_payment_method",
    "confirm with a card that asks": "requires_action",
    "capture": None,
    "cancel": "canceled",
}
_OVER = dict.fromkeys(_OPEN) | {"update description": "same"}
TABLE: dict[str, dict[str, str | None]] = {
    "requires_payment_method": _OPEN,
    "requires_confirmation": _OPEN | {"confirm": "succeeded"},
    "requires_action": _OPEN | {"update amount": "requires_confirmation", "confirm": "requires_action"},
    "requires_capture": _OVER | {"capture": "succeeded", "cancel": "canceled"},
    "succeeded": _OVER,
    "canceled": _OVER,
}


def arrive(world: World, status: str) -> PaymentIntent:
    """Make a payment intent of 1000 in the state wanted."""
    create = CreatePaymentIntent(amount=1000, currency="usd", secret="s" * 24)
    if status == "requires_payment_method":
        intent = world.do(create)
    elif status == "requires_confirmation":
        intent = world.do(msgspec.structs.replace(create, payment_method=card()))
    elif status == "requires_action":
        intent = world.pay(name="authenticationRequired")
    elif status == "requires_capture":
        intent = world.hold()
    elif status == "succeeded":
        intent = world.pay()
    else:
        intent = world.do(CancelPaymentIntent(id=world.hold().id))
    assert isinstance(intent, PaymentIntent)
    assert intent.status == status
    return intent


def command_named(name: str, identifier: str) -> Command:
    """Return the command that the table means."""
    commands: dict[str, Command] = {
        "update amount": UpdatePaymentIntent(id=identifier, fields={"amount": 500}),
        "update description": UpdatePaymentIntent(id=identifier, fields={"description": "shoes"}),
        "update method": UpdatePaymentIntent(id=identifier, payment_method=card()),
        "clear method": UpdatePaymentIntent(id=identifier, clears_payment_method=True),
        "confirm": ConfirmPaymentIntent(id=identifier),
        "confirm with a good card": ConfirmPaymentIntent(id=identifier, payment_method=card()),
        "confirm with a bad card": ConfirmPaymentIntent(id=identifier, payment_method=card("chargeDeclined")),
        "confirm with a card that asks": ConfirmPaymentIntent(
            id=identifier, payment_method=card("threeDSecure2Required")
        ),
        "capture": CapturePaymentIntent(id=identifier),
        "cancel": CancelPaymentIntent(id=identifier, reason="requested_by_customer"),
    }
    return commands[name]


@pytest.mark.parametrize(
    ("status", "name", "leads_to"),
    [(status, name, leads_to) for status, row in TABLE.items() for name, leads_to in row.items()],
)
def test_each_command_in_each_state_leads_where_the_table_says(
    status: str, name: str, leads_to: str | None
) -> None:
    world = World()
    intent = arrive(world, status)
    command = command_named(name, intent.id)
    if leads_to is None:
        refusal = world.refused(command)
        assert (refusal.status, refusal.code) == (400, UNEXPECTED)
        assert refusal.payment_intent == intent.id
        return
    world.run(command)
    assert world.intent(intent.id).status == (status if leads_to == "same" else leads_to)


@pytest.mark.parametrize("name", TABLE["succeeded"])
def test_no_command_finds_a_payment_intent_that_is_not_there(name: str) -> None:
    world = World()
    refusal = world.refused(command_named(name, "pi_" + "0" * 32))
    assert (refusal.status, refusal.code, refusal.param) == (404, "resource_missing", "intent")


def test_metadata_can_be_changed_in_a_state_that_is_final() -> None:
    world = World()
    intent = world.pay()
    world.do(UpdatePaymentIntent(id=intent.id, metadata={"order": "1"}))
    assert world.intent(intent.id).metadata == {"order": "1"}


def test_a_refused_update_names_the_field_that_may_not_change() -> None:
    world = World()
    command = UpdatePaymentIntent(id=world.pay().id, fields={"description": "x", "setup_future_usage": None})
    assert world.refused(command).param == "setup_future_usage"


def test_a_payment_is_received_in_one_step() -> None:
    world = World()
    intent = world.pay(1000)
    charge = world.charge_of(intent)
    assert (intent.amount_received, intent.amount_capturable) == (1000, 0)
    assert (charge.status, charge.captured, charge.amount_captured, charge.fee) == (
        "succeeded",
        True,
        1000,
        59,
    )
    assert [(transfer.kind, transfer.phase, transfer.amount) for transfer in world.transfers] == [
        ("capture", "posted", 1000),
        ("fee", "posted", 59),
    ]
    assert charge.balance_transaction == "txn_" + world.transfers[0].id[-32:]
    assert (world.balance("processor"), world.balance("pending"), world.balance("fees")) == (1000, 941, 59)


def test_a_hold_moves_nothing_yet() -> None:
    world = World()
    intent = world.hold(1000)
    charge = world.charge_of(intent)
    assert intent.amount_capturable == 1000
    assert (charge.captured, charge.capture_before) == (False, world.moment_s + AUTHORIZATION_VALID_S)
    assert (world.balance("processor"), world.balance("pending")) == (0, 0)
    assert (world.account("processor").debits_pending, world.account("pending").credits_pending) == (
        1000,
        1000,
    )


@pytest.mark.parametrize("amount", [1, 400, 999, 1000, None])
def test_a_capture_posts_its_part_and_releases_the_rest(amount: int | None) -> None:
    world = World(fee_basis_points=0, fee_fixed=0)
    intent = world.hold(1000)
    world.do(CapturePaymentIntent(id=intent.id, amount=amount))
    taken = amount or 1000
    assert (world.intent(intent.id).amount_received, world.intent(intent.id).amount_capturable) == (taken, 0)
    assert world.charge_of(intent).amount_captured == taken
    assert (world.balance("processor"), world.balance("pending")) == (taken, taken)
    assert (world.account("processor").debits_pending, world.account("pending").credits_pending) == (0, 0)
    assert [transfer.phase for transfer in world.transfers] == ["hold", "post"]


def test_a_capture_above_what_was_authorized_is_refused() -> None:
    world = World()
    refusal = world.refused(CapturePaymentIntent(id=world.hold(1000).id, amount=1001))
    assert (refusal.code, refusal.param) == ("amount_too_large", "amount_to_capture")


def test_a_capture_takes_fields_and_metadata_with_it() -> None:
    world = World()
    intent = world.hold()
    fields = {"statement_descriptor": "SHOES"}
    world.do(CapturePaymentIntent(id=intent.id, fields=fields, metadata={"shipped": "yes"}))
    captured = world.intent(intent.id)
    assert (captured.statement_descriptor, captured.metadata) == ("SHOES", {"shipped": "yes"})


def test_an_authorization_can_be_captured_until_its_last_second() -> None:
    world = World()
    intent = world.hold()
    world.moment_s += AUTHORIZATION_VALID_S
    world.do(CapturePaymentIntent(id=intent.id))


def test_an_expired_authorization_cannot_be_captured_but_released() -> None:
    world = World()
    intent = world.hold()
    world.moment_s += AUTHORIZATION_VALID_S + 1
    assert world.refused(CapturePaymentIntent(id=intent.id)).code == "charge_expired_for_capture"
    world.do(CancelPaymentIntent(id=intent.id))


def test_an_authorization_expires_after_its_time_and_not_before() -> None:
    world = World()
    intent = world.hold(1000)
    charge = world.charge_of(intent)
    assert charge.capture_before is not None
    world.moment_s = charge.capture_before
    world.do(ExpirePaymentIntent(id=intent.id))
    assert world.intent(intent.id).status == "requires_capture"
    world.moment_s += 1
    assert world.refused(CapturePaymentIntent(id=intent.id)).code == "charge_expired_for_capture"
    world.do(ExpirePaymentIntent(id=intent.id))
    expired = world.intent(intent.id)
    assert (expired.status, expired.cancellation_reason) == ("canceled", "automatic")
    assert world.account("processor").debits_pending == world.account("pending").credits_pending == 0
    events = [event.type for event in world.events[-2:]]
    assert events == ["charge.expired", "payment_intent.canceled"]
    before = len(world.events)
    world.do(ExpirePaymentIntent(id=intent.id))
    assert len(world.events) == before


def test_a_cancellation_voids_the_hold() -> None:
    world = World()
    intent = world.hold(1000)
    world.do(CancelPaymentIntent(id=intent.id, reason="abandoned"))
    canceled = world.intent(intent.id)
    assert (canceled.canceled_at, canceled.cancellation_reason) == (world.moment_s, "abandoned")
    assert canceled.amount_capturable == 0
    assert world.charge_of(intent).released
    assert (world.account("processor").debits_pending, world.account("pending").credits_pending) == (0, 0)
    assert (world.transfers[-1].phase, world.transfers[-1].hold_id) == ("void", world.transfers[0].id)
    assert world.balance("processor") == 0


def test_a_payment_confirmed_without_a_method_is_refused() -> None:
    world = World()
    command = CreatePaymentIntent(amount=1000, currency="usd", secret="s", confirm=True)
    assert world.refused(command).param == "payment_method"
    assert world.objects == {}


@pytest.mark.parametrize("deletes", [False, True])
def test_a_payment_for_a_customer_that_is_not_there_is_refused(deletes: bool) -> None:
    world = World()
    identifier = "cus_" + "0" * 32
    if deletes:
        identifier = world.do(CreateCustomer(fields={})).id
        world.do(DeleteCustomer(id=identifier))
    create = CreatePaymentIntent(amount=1000, currency="usd", secret="s", customer=identifier)
    update = UpdatePaymentIntent(
        id=arrive(world, "requires_confirmation").id, fields={"customer": identifier}
    )
    for command in (create, update):
        refusal = world.refused(command)
        assert (refusal.status, refusal.param) == (404, "customer")


def test_a_payment_method_of_a_customer_pays_only_for_that_customer() -> None:
    world = World()
    customer = world.do(CreateCustomer(fields={})).id
    other = world.do(CreateCustomer(fields={})).id
    method = world.save_card().id
    world.do(AttachPaymentMethod(payment_method=method, customer=customer))
    command = CreatePaymentIntent(
        amount=1000, currency="usd", secret="s", customer=customer, payment_method=method, confirm=True
    )
    for stranger in (None, other):
        refusal = world.refused(msgspec.structs.replace(command, customer=stranger))
        assert refusal.code == "payment_method_unexpected_state"
    world.do(command)


def test_a_live_payment_without_a_processor_is_refused() -> None:
    world = World(scope=Scope(SCOPE.tenant_id, True))
    command = CreatePaymentIntent(
        amount=1000, currency="usd", secret="s", payment_method=card(), confirm=True
    )
    assert world.refused(command).code == "processor_not_configured"


@pytest.mark.parametrize("usage", ["on_session", "off_session"])
def test_a_payment_for_later_use_saves_the_card_to_the_customer(usage: str) -> None:
    world = World()
    customer = world.do(CreateCustomer(fields={})).id
    command = CreatePaymentIntent(
        amount=1000,
        currency="usd",
        secret="s",
        customer=customer,
        payment_method=card(),
        confirm=True,
        fields={"setup_future_usage": usage},
    )
    intent = of_type(world.do(command), PaymentIntent)
    assert world.method(intent.payment_method).customer == customer


def test_a_declined_card_is_not_saved_to_the_customer() -> None:
    world = World()
    customer = world.do(CreateCustomer(fields={})).id
    plan = world.run(
        CreatePaymentIntent(
            amount=1000,
            currency="usd",
            secret="s",
            customer=customer,
            payment_method=card("chargeDeclined"),
            confirm=True,
            fields={"setup_future_usage": "off_session"},
        )
    )
    assert plan.answer.error is not None
    assert world.method(plan.answer.error.payment_method).customer is None


def test_a_payment_moves_only_the_accounts_of_its_currency() -> None:
    world = World()
    world.pay(1000, currency="usd")
    before = world.account("processor")
    world.pay(500, currency="eur")
    assert world.account("processor") == before
    assert world.balance("processor", "eur") == 500
