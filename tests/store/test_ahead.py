"""Batches that are decided while another one is at a real database."""

import asyncio

import pytest

from fastpay.domain.captures import CancelPaymentIntent, CapturePaymentIntent
from fastpay.domain.plan import Command
from fastpay.domain.refunds import CreateRefund
from fastpay.errors import DatabaseUnavailable
from fastpay.store.connections import connected
from tests.store.test_batches_alike import writing
from tests.support.books import check_database
from tests.support.engine import count, engine, make_tenant, settle
from tests.support.postgres_proxy import CUTS, Manner, Proxy
from tests.support.world import HOLD, PAY


@pytest.mark.parametrize("session_state", [True, False])
async def test_what_is_read_for_one_batch_does_not_disturb_what_is_read_for_another(
    database_url: str, session_state: bool, caplog: pytest.LogCaptureFixture
) -> None:
    scope = await make_tenant(database_url)
    async with (
        engine(database_url, session_state=session_state) as instance,
        writing(instance.batches, 2) as writer,
    ):
        # Refusals without a key write nothing: they are held against the books by a read of their own, while
        # the next batch, which asks for things that nobody asked for yet, is loaded.
        commands = [CancelPaymentIntent(id=f"pi_{number:032x}") for number in range(60)]
        outcomes = await asyncio.gather(
            *(writer.submit(instance.submission(command, scope)) for command in commands),
            *(writer.submit(instance.submission(PAY, scope, key=f"key {number}")) for number in range(6)),
        )
    assert [outcome.answer.error is None for outcome in outcomes] == [False] * 60 + [True] * 6
    assert "retried" not in caplog.text
    await check_database(database_url)


@pytest.mark.parametrize("manner", ["before", "withheld"])
async def test_what_was_decided_and_perhaps_not_committed_is_no_answer_to_a_retry(
    database_url: str, manner: Manner
) -> None:
    scope = await make_tenant(database_url)
    async with Proxy(database_url) as proxy, engine(proxy.url) as instance:
        await instance.do(PAY, scope)
        proxy.arm(manner, name="commit")
        proxy.refuses_once_struck = True
        with pytest.raises(DatabaseUnavailable):
            await instance.submit(PAY, scope, key="key")
        proxy.refuses_once_struck = False
        outcome = await settle(instance, PAY, scope, "key")
    assert (outcome.original_request_id is not None) == (manner == "withheld")
    assert await count(database_url, "payment_intent") == 2
    await check_database(database_url)


async def test_a_refusal_never_follows_from_what_another_instance_has_changed(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as one, engine(database_url) as other:
        held = await one.do(HOLD, scope)
        refund = CreateRefund(payment_intent=held.id, amount=100)
        refused = await one.submit(refund, scope)
        assert refused.answer.error is not None
        assert refused.answer.error.code == "charge_not_captured"
        await other.do(CapturePaymentIntent(id=held.id), scope)
        assert (await one.submit(refund, scope)).answer.error is None
    await check_database(database_url)


async def test_an_answer_given_on_what_another_instance_has_changed_is_not_remembered(
    database_url: str,
) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as one, engine(database_url) as other:
        paid = await one.do(PAY, scope)
        for number in range(10):
            await other.do(PAY, scope)
            refund = CreateRefund(payment_intent=paid.id, amount=10)
            first = await one.submit(refund, scope, key=f"key {number}")
            for instance in (one, other, one):
                again = await instance.submit(refund, scope, key=f"key {number}")
                assert again.answer == first.answer
    assert await count(database_url, "refund") == 10
    await check_database(database_url)


@pytest.mark.parametrize("batch_commands_max", [1, 3])
@pytest.mark.parametrize("manner", [*CUTS, "late"])
async def test_what_stands_on_a_batch_that_failed_is_decided_anew(
    database_url: str, manner: Manner, batch_commands_max: int
) -> None:
    scope = await make_tenant(database_url)
    async with (
        Proxy(database_url) as proxy,
        engine(proxy.url) as instance,
        writing(instance.batches, batch_commands_max) as writer,
    ):
        instance.writer = writer
        for number in range(3):
            held = await instance.do(HOLD, scope)
            commands: list[Command] = [
                CapturePaymentIntent(id=held.id, amount=600),
                *(CreateRefund(payment_intent=held.id, amount=100) for _ in range(7)),
            ]
            proxy.arm(manner, name="commit")
            # All at once: each is decided on what the one before will have made of the payment.
            outcomes = await asyncio.gather(
                *(
                    settle(instance, command, scope, f"{number} {place}")
                    for place, command in enumerate(commands)
                )
            )
            assert proxy.struck == 1
            refunds = [outcome.answer.error is None for outcome in outcomes[1:]]
            # The capture may come after some refunds where it had to be sent again.
            assert outcomes[0].answer.error is None
            async with connected(database_url) as connection:
                assert sum(refunds) == await connection.fetchval(
                    "select count(*) from refund where payment_intent_id = $1", held.id.removeprefix("pi_")
                )
            assert sum(refunds) <= 6
    await check_database(database_url)
