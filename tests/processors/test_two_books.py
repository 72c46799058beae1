"""Live payments through a network that fails, while both sides and their databases are killed.

In the end each payment is where the books of the processor say, nobody was charged twice, nothing is in doubt
and both books verify. `make soak` does it with ten thousand payments.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import httpx
import pytest

from fastpay.engine.processors.configuration_ports import Kind, Secrets
from tests.processors.two_books import TIMEOUT_MS, TIMES, Installation, Shop, list_charges, list_refunds
from tests.processors.two_books_checker import find_faults
from tests.processors.unreliable_network import (
    FAULTS,
    WITHOUT_COPIES,
    UnreliableNetwork,
    unreliable_network,
)
from tests.support import localstripe
from tests.support.api import client_options, open_client, post
from tests.support.books import check_database
from tests.support.seeds import size
from tests.support.tenants import Tenant, make_tenant

ORDERS = size(64, soak=600)
ROUNDS = size(1, soak=17)
# localstripe looks through all that it has for each payment, and an inquiry reads its whole list. With four
# rounds of orders it was busy for more than all of its time: one round, but often.
BASIC_TIMES = size(1, soak=16)
SLOW_ANSWER_S = 1.5 * TIMEOUT_MS / 1000
Disaster = Callable[[], Awaitable[None]]


class World(contextlib.AsyncExitStack):
    """A front installation, its clients, and a processor behind a network."""

    def __init__(self, cluster: Path, scratch: Path) -> None:
        super().__init__()
        self.cluster, self.scratch = cluster, Path(tempfile.mkdtemp(prefix="books-", dir=scratch))
        self.local = self.enter_context(contextlib.ExitStack())

    def install(self, name: str, **environment: str) -> Installation:
        """Start an installation."""
        return Installation(self.scratch / name, self.cluster, self.local, **environment)

    async def shop(self, front: Installation, kind: Kind) -> Shop:
        """Return clients of an installation."""
        shop = await asyncio.to_thread(Shop, front, kind)
        self.push_async_callback(shop.close)
        return shop

    async def network(self, upstream: str, *, recognizes: bool) -> UnreliableNetwork:
        """Return a network before a server, without copies if that does not recognize them."""
        faults = FAULTS if recognizes else WITHOUT_COPIES
        return await self.enter_async_context(
            unreliable_network(
                # A payment at one that does not recognize requests is two of them.
                upstream,
                faults,
                every=3 if recognizes else 6,
                slow_answer_s=SLOW_ANSWER_S,
            )
        )


@pytest.fixture
async def world(cluster: Path, scratch: Path) -> AsyncIterator[World]:
    async with World(cluster, scratch) as made:
        yield made


async def play(shop: Shop, network: UnreliableNetwork, disasters: Sequence[Disaster]) -> None:
    """Have orders paid while one disaster happens after the other, and wait until all is known."""
    network.is_calm = False
    shop.begin()
    for disaster in disasters:
        await shop.wait_sent(ORDERS // (len(disasters) + 1))
        await disaster()
        # A processor that has failed is tried again after ever longer pauses.
        network.is_calm = True
        await shop.wait_sent(1)
        network.is_calm = False
    await shop.wait_sent(ORDERS // (len(disasters) + 1))
    network.is_calm = True
    await network.wait_delivered()
    await shop.finish()


async def play_and_check(
    shop: Shop,
    network: UnreliableNetwork,
    disasters: Sequence[Disaster],
    url: str,
    secret: str,
    *,
    rounds: int,
) -> None:
    """Play all rounds, and find nothing wrong."""
    async with httpx.AsyncClient(**client_options(url, secret, {})) as http:
        for _ in range(rounds):
            await play(shop, network, disasters)
            ours, theirs, refunds = await shop.payments(), await list_charges(http), await list_refunds(http)
            assert find_faults(shop.told, ours, theirs, refunds) == []
    await check_database(shop.front.database_url)
    assert await shop.problems() == []
    # All of it has happened.
    assert len(network.happened) >= len(WITHOUT_COPIES)
    assert refunds != []
    assert {payment.status for payment in ours} >= {"succeeded", "canceled", "requires_payment_method"}
    assert "not_found" in {status for payment in ours for status in payment.attempts.values()}


async def test_both_books_agree_whatever_was_killed(world: World) -> None:
    upstream = world.install("upstream", FASTPAY_OUTBOUND_ALLOWED_NETWORKS="127.0.0.0/8")
    front = world.install("front", **TIMES)
    theirs = await asyncio.to_thread(make_tenant, upstream.database_url)
    shop = await world.shop(front, "stripe")
    network = await world.network(upstream.url, recognizes=True)
    notices = await world.network(front.url, recognizes=True)
    secret = await asyncio.to_thread(_subscribe, upstream, theirs, notices)
    await shop.configure(network.url, Secrets(secret=theirs.secret, webhook_secret=secret))
    disasters = [
        front.kill_instance,
        upstream.kill_instance,
        front.kill_postgres,
        upstream.kill_postgres,
    ]
    await play_and_check(shop, network, disasters, upstream.url, theirs.secret, rounds=ROUNDS)
    await check_database(upstream.database_url)


@pytest.mark.parametrize("time", range(BASIC_TIMES))
async def test_inquiries_alone_keep_books_right_without_idempotency(world: World, time: int) -> None:
    front = world.install(f"front2-{time}", **TIMES)
    url = world.local.enter_context(localstripe.running(world.scratch / "localstripe-books"))
    shop = await world.shop(front, "localstripe")
    network = await world.network(url, recognizes=False)
    secret = "sk_test_12345"
    await shop.configure(network.url, Secrets(secret=secret))
    disasters = [front.kill_instance, front.kill_postgres]
    await play_and_check(shop, network, disasters, url, secret, rounds=1)


def _subscribe(upstream: Installation, tenant: Tenant, notices: UnreliableNetwork) -> str:
    """Have the processor send its webhooks through a network, and return their secret."""
    with open_client(upstream.url, tenant.secret) as http:
        hook = f"{notices.url}/v1/processors/acquirer/webhook"
        made = post(http, "/v1/webhook_endpoints", **{"url": hook, "enabled_events[]": "payment_intent.*"})
        return str(made["secret"])
