"""Requests with API keys that nobody has: what they take from those who have one."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from fastpay.clock import SystemClock
from fastpay.store import keys
from fastpay.store.connections import connected
from fastpay.store.random_values import random_text
from tests.attacks.requests import Answer, Request, send, statuses, until, until_blocked
from tests.support.servers import RunningServer, running_server
from tests.support.tenants import Tenant, make_tenant

CLOCK = SystemClock()
PAYMENT = "amount=500&currency=usd&payment_method=pm_card_visa&confirm=true"


@pytest.fixture(scope="module")
def running(cluster: Path) -> Iterator[RunningServer]:
    """A server of these tests' own, whose known keys are good for a while."""
    environment = {"FASTPAY_KEY_CACHE_MS": "60000"}
    with running_server("unknown-keys", cluster, environment=environment) as running:
        yield running


@pytest.fixture
def tenant(running: RunningServer) -> Tenant:
    """An honest tenant."""
    return make_tenant(running.database_url)


def unknown(count: int) -> list[Request]:
    """Return requests with well-formed keys that nobody has, each another one."""
    return [Request("/v1/customers", f"sk_test_{random_text(CLOCK)}") for _ in range(count)]


def payments(key: str, count: int) -> list[Request]:
    """Return requests that pay."""
    return [Request("/v1/payment_intents", key, PAYMENT) for _ in range(count)]


@asynccontextmanager
async def flood(url: str, answers: list[Answer]) -> AsyncIterator[None]:
    """Send unknown keys as fast as the server answers, from the address of everybody else."""

    is_over = False

    async def work() -> None:
        while not is_over:
            # Enough on each connection that new ones do not come faster than an address may open them.
            answers.extend(await send(url, unknown(2_000), connections=100))

    task = asyncio.create_task(work())
    try:
        await until(lambda: bool(answers))
        yield
    finally:
        is_over = True
        await task


@asynccontextmanager
async def slow_lookups(database_url: str) -> AsyncIterator[Any]:
    """Have no look-up of an API key end during the block."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute("lock table api_key in access exclusive mode")
            yield connection
    finally:
        await connection.close()


async def test_look_ups_of_unknown_keys_take_no_connection_from_known_ones(
    running: RunningServer, tenant: Tenant
) -> None:
    assert statuses(await send(running.url, payments(tenant.secret, 1))) == {200: 1}
    async with slow_lookups(running.database_url) as connection:
        attack = asyncio.create_task(send(running.url, unknown(64), connections=64))
        await until_blocked(connection, 1)
        lists = [Request(f"/v1/customers?limit={limit}", tenant.secret) for limit in range(1, 17)]
        assert statuses(await send(running.url, lists, connections=16)) == {200: 16}
        assert statuses(await send(running.url, payments(tenant.secret, 16), connections=16)) == {200: 16}
    assert set(statuses(await attack)) <= {401, 429, 503}


async def test_a_flood_of_unknown_keys_is_limited_and_refuses_no_known_one(
    running: RunningServer, tenant: Tenant
) -> None:
    assert statuses(await send(running.url, payments(tenant.secret, 1))) == {200: 1}
    answers: list[Answer] = []
    async with flood(running.url, answers):
        assert statuses(await send(running.url, payments(tenant.secret, 400), connections=8)) == {200: 400}
        await until(lambda: len(answers) >= 2_000)
    # On a busy machine a look-up may take longer than a client is to wait for it.
    assert {401, 429} <= set(statuses(answers)) <= {401, 429, 503}
    refused = next(answer for answer in answers if answer.status == 429)
    assert (refused.header("retry-after"), refused.header("stripe-should-retry")) == ("1", "true")
    assert b'"rate_limit"' in refused.body


async def test_a_new_key_gets_in_during_a_flood_from_its_own_address(
    running: RunningServer, tenant: Tenant
) -> None:
    answers: list[Answer] = []
    async with flood(running.url, answers), connected(running.database_url) as connection:
        await until(lambda: any(answer.status == 429 for answer in answers))
        paid = 0
        for _ in range(20):
            made = await keys.create_key(connection, tenant.tenant_id, livemode=False, clock=CLOCK)
            (answer,) = await send(running.url, payments(made.key, 1))
            assert answer.status in {200, 503}
            paid += answer.status == 200
    # As above: what is never said to it is 429.
    assert paid > 10


async def test_guessed_client_secrets_refuse_nothing_to_others(
    running: RunningServer, tenant: Tenant
) -> None:
    """A publishable key is anybody's, so that anybody may ask for payments that are not there."""
    assert statuses(await send(running.url, payments(tenant.secret, 1))) == {200: 1}
    guesses = []
    for number in range(2_000):
        identifier = f"pi_{CLOCK.random_bytes(16).hex()}"
        target = f"/v1/payment_intents/{identifier}?client_secret={identifier}_secret_{number}"
        guesses.append(Request(target, tenant.publishable))
    lists = [Request(f"/v1/customers?limit={limit}", tenant.secret) for limit in range(1, 65)]
    guessed, listed, paid = await asyncio.gather(
        send(running.url, guesses, connections=200),
        send(running.url, lists, connections=8),
        send(running.url, payments(tenant.secret, 64), connections=8),
    )
    assert (statuses(listed), statuses(paid)) == ({200: 64}, {200: 64})
    assert set(statuses(guessed)) == {404}
