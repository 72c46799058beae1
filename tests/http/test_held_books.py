"""Over HTTP: a book that somebody else holds delays its own merchant only."""

import asyncio

import httpx

from benchmarks.samples import BODY, FEES
from fastpay.store.connections import connected
from tests.support.api import TRUST
from tests.support.servers import PATIENCE_SECONDS, RunningServer
from tests.support.tenants import make_tenant


async def test_one_merchants_held_book_delays_no_other_merchant(server: RunningServer) -> None:
    held, free = await asyncio.to_thread(
        lambda: [make_tenant(server.database_url, FEES) for _ in range(2)],
    )
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_SECONDS, verify=TRUST) as client:

        async def pay(key: str, name: str) -> httpx.Response:
            headers = {
                "Authorization": f"Bearer {key}",
                "Content-Type": "application/x-www-form-urlencoded",
                "Idempotency-Key": name,
            }
            return await client.post("/v1/payment_intents", content=BODY, headers=headers)

        async with connected(server.database_url) as connection, connection.transaction():
            await connection.execute("select from book where tenant_id = $1 for update", held.tenant_id)
            parked = [asyncio.create_task(pay(held.secret, name)) for name in ("one", "two", "one")]
            for number in range(5):
                assert (await pay(free.secret, f"{number}")).status_code == 200
            assert not [task for task in parked if task.done()]
        one, two, replay = await asyncio.gather(*parked)
        again = await pay(held.secret, "one")
    assert (one.status_code, two.status_code) == (200, 200)
    assert one.json()["id"] == replay.json()["id"] == again.json()["id"] != two.json()["id"]
    assert again.headers["idempotent-replayed"] == "true"
