"""What is tried for an attempt once its processor was inquired in vain, on a real database."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from fastpay import limits
from fastpay.domain.refunds import CreateRefund
from fastpay.domain.setup_intents import CreateSetupIntent
from fastpay.domain.setup_objects import SetupIntent
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.processors.actions import CardholderActions
from fastpay.engine.processors.configuration_ports import SavedCard
from fastpay.engine.processors.ports import Declaration, Idempotency, Order, Outcome
from fastpay.engine.processors.routed import Routed
from tests.support.engine import CLOCK
from tests.support.fake_processor import FakeProcessor, approved, saying
from tests.support.live_shop import CARD, Shop, shop
from tests.support.world import card

KEPT = Declaration(idempotency=Idempotency(kept="responses", lifetime_s=86_400))
ACTION = saying("requires_action", redirect_url="https://processor.example/page")


async def inquired_in_vain(own: Shop) -> None:
    """Let the janitor ask as often as it does before it tries anything else."""
    for _ in range(len(limits.inquiry_factors)):
        await own.janitor.inquire()


def only(operation: str, otherwise: Callable[[Order], Outcome]) -> Callable[[Order], Outcome]:
    """Return what approves orders of one operation alone."""
    return lambda order: approved(order) if order.operation == operation else otherwise(order)


async def test_an_authorization_ends_once_its_void_is_answered(database_url: str) -> None:
    processor = FakeProcessor()
    processor.knows, processor.outcome = False, saying("unknown")
    async with shop(database_url, acquirer=processor) as own:
        await own.pay()
        await inquired_in_vain(own)
        # Neither silence nor a refusal says that nothing is reserved any more.
        for outcome in (saying("unknown"), saying("not_sent"), saying("refused"), saying("declined")):
            processor.outcome = outcome
            await own.janitor.inquire()
            assert (await own.attempt()).status == "open"
            assert await own.in_doubt() == 1000
        processor.outcome = only("void", saying("unknown"))
        await own.janitor.inquire()
        assert ((await own.attempt()).status, await own.in_doubt()) == ("not_found", 0)
        assert (await own.intent()).status == "requires_payment_method"
        first, *voids = processor.orders
        # One key, so that it is one void however often it comes, and not the key of the authorization.
        assert {(one.operation, one.reference) for one in voids} == {("void", f"void_{first.reference[4:]}")}
        assert {one.authorization for one in voids} == {first.reference}


async def test_a_refund_is_sent_again_with_its_key_to_its_processor_alone(database_url: str) -> None:
    processor, other = FakeProcessor(KEPT), FakeProcessor(KEPT)
    async with shop(database_url, acquirer=processor, other=other) as own:
        await own.pay()
        processor.knows, processor.outcome = False, saying("unknown")
        await own.follow_up(CreateRefund(payment_intent=(await own.intent()).id))
        await inquired_in_vain(own)
        # What becomes of the second order is no answer about the first one.
        for outcome in (saying("unknown"), saying("not_sent"), saying("refused")):
            processor.outcome = outcome
            await own.janitor.inquire()
            assert (await own.attempt("refund")).status == "open"
        processor.outcome = approved
        await own.janitor.inquire()
        assert (await own.attempt("refund")).status == "approved"
        sent = [one for one in processor.orders if one.operation == "refund"]
        assert len(sent) == 5
        assert len({one.reference for one in sent}) == 1
        assert other.orders == []


async def set_up(own: Shop) -> None:
    """Do what a request does that sets up a card."""
    routed = await own.calls.route_setup(own.scope, method="card", card=CARD)
    assert routed is not None
    command = CreateSetupIntent(secret="s", payment_method=card(), confirm=True, route=routed.route)
    submission = own.instance.submission(command, own.scope)
    await own.calls.follow(routed, submission, await own.instance.writer.submit(submission))


@pytest.mark.parametrize("outcome", [saying("unknown"), ACTION], ids=["silent", "asks"])
async def test_a_setup_that_nobody_tells_of_is_given_up_and_never_sent_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch, outcome: Callable[[Order], Outcome]
) -> None:
    processor = FakeProcessor(KEPT)
    processor.outcome = processor.found = outcome
    async with shop(database_url, acquirer=processor) as own:
        await set_up(own)
        await inquired_in_vain(own)
        assert (await own.attempt("setup")).status == "open"
        # Who waits for the cardholder waits for a day.
        monkeypatch.setattr(limits, "action_valid_s", 0)
        await own.janitor.inquire()
        assert ((await own.attempt("setup")).status, await own.in_doubt()) == ("not_found", 0)
        (setup,) = await own.objects(SetupIntent)
        assert isinstance(setup, SetupIntent)
        assert setup.status == "requires_payment_method"
    assert [one.operation for one in processor.orders] == ["setup"]


async def saved_card(own: Shop, keeper: str) -> Routed:
    """Return the route of a payment with a card that a processor keeps, whose cardholder is absent."""
    own.processors.cards = AnyCard(SavedCard(processor=keeper, token="theirs/card"))
    routed = await own.calls.route_saved(own.scope, "pm_1", is_absent=True)
    assert routed is not None
    return routed


class AnyCard(dict[str, SavedCard]):
    """One card, whatever it is called here."""

    def __init__(self, card: SavedCard) -> None:
        super().__init__()
        self._card = card

    def get(self, key: str, default: object = None) -> Any:
        return self._card


async def test_a_saved_card_is_charged_once_by_an_order_that_is_sent_again(database_url: str) -> None:
    processor = FakeProcessor(KEPT)
    processor.knows, processor.outcome = False, saying("unknown")
    async with shop(database_url, acquirer=processor) as own:
        await own.pay(
            routed=await saved_card(own, "acquirer"), return_url="https://shop.example/", description="d"
        )
        await inquired_in_vain(own)
        for outcome in (saying("unknown"), saying("not_sent"), saying("refused")):
            processor.outcome = outcome
            await own.janitor.inquire()
            assert ((await own.attempt()).status, await own.in_doubt()) == ("open", 1000)
        processor.outcome = approved
        await own.janitor.inquire()
        assert ((await own.attempt()).status, await own.in_doubt()) == ("approved", 0)
        assert (await own.intent()).status == "succeeded"
    # Each is the first one, to the last byte: the same key must not have another body.
    first, *again = processor.orders
    assert (first.token, first.return_url, first.description) == ("theirs/card", None, "d")
    assert again == [first] * 4


async def test_a_saved_card_whose_token_is_gone_is_voided(database_url: str) -> None:
    processor, other = FakeProcessor(KEPT), FakeProcessor(KEPT)
    processor.knows, processor.outcome = False, saying("unknown")
    async with shop(database_url, acquirer=processor, other=other) as own:
        await own.pay(routed=await saved_card(own, "acquirer"))
        await inquired_in_vain(own)
        # A token is of one processor.
        own.processors.cards = AnyCard(SavedCard(processor="other", token="another"))
        processor.outcome = only("void", saying("unknown"))
        await own.janitor.inquire()
        assert ((await own.attempt()).status, await own.in_doubt()) == ("not_found", 0)
    assert [one.operation for one in processor.orders] == ["authorize", "void"]
    assert other.orders == []


async def test_a_refund_is_left_to_a_person_where_no_answer_is_kept(database_url: str) -> None:
    processor = FakeProcessor()
    async with shop(database_url, acquirer=processor) as own:
        await own.pay()
        processor.knows, processor.outcome = False, saying("unknown")
        await own.follow_up(CreateRefund(payment_intent=(await own.intent()).id))
        await inquired_in_vain(own)
        await own.janitor.inquire()
        assert (await own.attempt("refund")).status == "review"
        assert len([one for one in processor.orders if one.operation == "refund"]) == 1


async def test_a_cardholder_who_never_comes_back_is_voided_after_a_day(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor = FakeProcessor()
    processor.outcome = processor.found = ACTION
    async with shop(database_url, acquirer=processor) as own:
        await own.pay()
        assert (await own.intent()).status == "requires_action"
        for _ in range(2 + len(limits.inquiry_factors)):
            await own.janitor.inquire()
        # However often it was inquired, nobody has to look, and nothing was voided.
        assert ((await own.attempt()).status, len(processor.orders)) == ("open", 1)
        monkeypatch.setattr(limits, "action_valid_s", 0)
        processor.outcome = saying("unknown")
        await own.janitor.inquire()
        assert ((await own.intent()).status, await own.in_doubt()) == ("requires_action", 1000)
        processor.outcome = only("void", ACTION)
        await own.janitor.inquire()
        assert ((await own.intent()).status, await own.in_doubt()) == ("requires_payment_method", 0)


async def test_a_payment_that_waits_ends_only_if_the_processor_answers(database_url: str) -> None:
    processor = FakeProcessor()
    processor.outcome = processor.found = ACTION
    async with shop(database_url, acquirer=processor) as own:
        await own.pay()
        actions = CardholderActions(
            own.processors, own.instance.reader, own.instance.writer, identifiers=IdentifierFactory(CLOCK)
        )
        payment = (await own.intent()).id
        for outcome in (saying("unknown"), saying("not_sent"), saying("refused")):
            processor.outcome = outcome
            await actions.void(own.scope, payment)
            assert (await own.intent()).status == "requires_action"
        # The cardholder was faster than the void.
        processor.found = approved
        await actions.void(own.scope, payment)
        assert (await own.intent()).status == "succeeded"
        assert not await actions.look(own.scope, payment)


async def test_who_asks_for_a_client_keeps_the_card(database_url: str) -> None:
    processor = FakeProcessor()
    processor.outcome = processor.found = ACTION
    async with shop(database_url, acquirer=processor) as own:
        await own.pay()
        actions = CardholderActions(
            own.processors, own.instance.reader, own.instance.writer, identifiers=IdentifierFactory(CLOCK)
        )
        processor.found = lambda order: msgspec.structs.replace(approved(order), token="theirs/card")
        intent = await own.intent()
        assert await actions.look(own.scope, intent.id)
        assert own.processors.cards == {
            intent.payment_method: SavedCard(processor="acquirer", token="theirs/card")
        }


@pytest.mark.parametrize(
    "page", [None, "javascript:alert(1)", "/page", "https://a b", "https://" + "a" * 2_000]
)
async def test_nobody_is_sent_to_what_is_no_page(database_url: str, page: str | None) -> None:
    processor = FakeProcessor()
    processor.outcome = saying("requires_action", redirect_url=page)
    async with shop(database_url, acquirer=processor) as own:
        await own.pay()
        assert (await own.intent()).status == "processing"
