"""Confirmation tokens: made from a card or a payment method, used for one confirmation."""

import pytest

from fastpay import limits
from fastpay.domain.captures import CancelPaymentIntent
from fastpay.domain.confirmation_tokens import ConfirmationToken, CreateConfirmationToken
from fastpay.domain.customers import CreateCustomer
from fastpay.domain.objects import Shipping
from fastpay.domain.payment_intents import ConfirmPaymentIntent, CreatePaymentIntent
from fastpay.domain.payment_methods import AttachPaymentMethod, TokenCard
from fastpay.domain.setup_intents import ConfirmSetupIntent, CreateSetupIntent
from fastpay.domain.setup_objects import SetupIntent
from fastpay.domain.tokens import CreateToken
from tests.support.world import World, card, of_type

SHIPPING = Shipping(name="Ada")


def make(world: World, name: str = "visa", **fields: object) -> str:
    """Return the identifier of a new confirmation token."""
    return world.do(CreateConfirmationToken(payment_method=card(name), fields=fields)).id


def token(world: World, identifier: str) -> ConfirmationToken:
    return of_type(world.objects[identifier].object, ConfirmationToken)


def unpaid(world: World) -> str:
    return world.do(CreatePaymentIntent(amount=500, currency="usd", secret="s")).id


@pytest.mark.parametrize("way", ["create", "confirm"])
def test_a_payment_takes_the_card_and_the_choices_of_its_payer(way: str) -> None:
    world = World()
    made = make(world, return_url="https://shop.example", setup_future_usage="off_session", shipping=SHIPPING)
    assert token(world, made).payment_method is None
    if way == "create":
        command = CreatePaymentIntent(
            amount=500, currency="usd", secret="s", confirm=True, confirmation_token=made
        )
        paid = world.intent(world.do(command).id)
    else:
        paid = world.intent(world.do(ConfirmPaymentIntent(id=unpaid(world), confirmation_token=made)).id)
    assert (paid.status, paid.shipping, paid.return_url) == ("succeeded", SHIPPING, "https://shop.example")
    assert paid.setup_future_usage == "off_session"
    assert world.method(paid.payment_method).card == card().card
    assert token(world, made).payment_intent == paid.id
    world.check()


@pytest.mark.parametrize("way", ["create", "confirm"])
def test_a_setup_takes_it_too(way: str) -> None:
    world = World()
    made = make(world, setup_future_usage="on_session")
    if way == "create":
        done = world.do(CreateSetupIntent(secret="s", confirm=True, confirmation_token=made))
        assert of_type(done, SetupIntent).usage == "on_session"
    else:
        new = world.do(CreateSetupIntent(secret="s")).id
        done = world.do(ConfirmSetupIntent(id=new, confirmation_token=made))
    assert of_type(done, SetupIntent).status == "succeeded"
    assert token(world, made).setup_intent == done.id


def test_a_payment_method_that_exists_is_used_itself() -> None:
    world = World()
    owner = world.do(CreateCustomer(fields={})).id
    method = world.do(AttachPaymentMethod(payment_method=card(), customer=owner)).id
    made = world.do(CreateConfirmationToken(payment_method=method)).id
    assert (token(world, made).payment_method, token(world, made).customer) == (method, owner)
    command = CreatePaymentIntent(
        amount=500, currency="usd", secret="s", customer=owner, confirm=True, confirmation_token=made
    )
    assert world.intent(world.do(command).id).payment_method == method


def test_a_token_of_a_card_is_used_up_by_a_confirmation_token() -> None:
    world = World()
    choice = TokenCard(token=world.do(CreateToken(card=card().card)).id, token_param="card")
    world.do(CreateConfirmationToken(payment_method=choice))
    assert world.refused(CreateConfirmationToken(payment_method=choice)).code == "token_already_used"


def test_a_token_is_used_once_also_if_the_card_is_declined() -> None:
    world = World()
    made = make(world, "chargeDeclined")
    intent = unpaid(world)
    assert world.run(ConfirmPaymentIntent(id=intent, confirmation_token=made)).answer.error is not None
    assert token(world, made).payment_intent == intent
    for command in (
        ConfirmPaymentIntent(id=intent, confirmation_token=made),
        CreateSetupIntent(secret="s", confirm=True, confirmation_token=made),
    ):
        refusal = world.refused(command)
        assert (refusal.code, refusal.param) == ("confirmation_token_already_used", "confirmation_token")


def test_a_confirmation_that_changes_nothing_does_not_use_the_token() -> None:
    world = World()
    made, intent = make(world), unpaid(world)
    world.do(CancelPaymentIntent(id=intent))
    refusal = world.refused(ConfirmPaymentIntent(id=intent, confirmation_token=made))
    assert refusal.code == "payment_intent_unexpected_state"
    assert token(world, made).payment_intent is None


def test_a_token_ends_at_its_time() -> None:
    world = World()
    made = make(world)
    world.moment_s += limits.confirmation_token_s
    late = make(world)
    world.moment_s += 1
    intent = unpaid(world)
    refusal = world.refused(ConfirmPaymentIntent(id=intent, confirmation_token=made))
    assert refusal.code == "confirmation_token_expired"
    world.do(ConfirmPaymentIntent(id=intent, confirmation_token=late))


def test_a_token_that_does_not_exist_is_missing() -> None:
    world = World()
    nobodys = "ctoken_" + "0" * 32
    refusal = world.refused(ConfirmPaymentIntent(id=unpaid(world), confirmation_token=nobodys))
    assert (refusal.status, refusal.param) == (404, "confirmation_token")
