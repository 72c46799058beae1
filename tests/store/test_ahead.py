"""Batches that are decided while another one is at a real database."""

import asyncio

import pytest

from fastpay.clock import SystemClock
from fastpay.domain.payment_intents import CancelPaymentIntent, CreatePaymentIntent
from fastpay.engine.writer import Writer
from tests.faults.checker import check_database
from tests.store.support import engine, make_tenant
from tests.unit.domain.world import card

pytestmark = pytest.mark.anyio

PAY = CreatePaymentIntent(amount=1000, currency="usd", secret="s", payment_method=card(), confirm=True)


@pytest.mark.parametrize("session_state", [True, False])
async def test_what_is_read_for_one_batch_does_not_disturb_what_is_read_for_another(
    database_url: str, session_state: bool, caplog: pytest.LogCaptureFixture
) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url, session_state=session_state) as instance:
        writer = Writer(instance.batches, clock=SystemClock(), batch_commands_max=2)
        writer.start()
        # Refusals without a key write nothing: they are held against the books by a read of their own, while
        # the next batch, which asks for things that nobody asked for yet, is loaded.
        commands = [CancelPaymentIntent(id=f"pi_{number:032x}") for number in range(60)]
        outcomes = await asyncio.gather(
            *(writer.submit(instance.submission(command, scope)) for command in commands),
            *(writer.submit(instance.submission(PAY, scope, key=f"key {number}")) for number in range(6)),
        )
        await writer.close()
    assert [outcome.answer.error is None for outcome in outcomes] == [False] * 60 + [True] * 6
    assert "retried" not in caplog.text
    await check_database(database_url)
