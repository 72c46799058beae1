"""Two processes on one database: the home of a tenant is asked through the other, and taken away from it."""

import asyncio
import re
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

from fastpay.domain.identifiers import Scope
from fastpay.engine.homes.choice import choose_home, homes_among
from fastpay.operations.embedded import children
from tests.support.api import open_async_client, open_client
from tests.support.books import check_database
from tests.support.servers import PATIENCE_SECONDS, RunningServer, SpawnServer, fetch, run_fastpay
from tests.support.tenants import Tenant, make_tenant

PAY = {"amount": "2000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
CLIENTS = 12
Pair = tuple[RunningServer, RunningServer]


@pytest.fixture
def tenant(database_url: str) -> Tenant:
    return make_tenant(database_url)


@pytest.fixture
def pair(spawn_server: SpawnServer, database_url: str, tenant: Tenant) -> Pair:
    """The home of the tenant, and another instance."""
    environment = {"FASTPAY_DATABASE_URL": database_url}
    servers = [spawn_server(environment=environment, wait=False) for _ in range(2)]
    for server in servers:
        server.wait_ready()
    return home_of(tenant, *servers)


def home_of(tenant: Tenant, *servers: RunningServer) -> Pair:
    """Return the home of a tenant, and another instance, once all know each other."""
    for server in servers:
        wait_for(lambda server=server: f"members={len(servers)}" in server.output)  # type: ignore[misc]
    by_id = {re.findall(r"homes_changed member=(\w+)", server.output)[-1]: server for server in servers}
    home = by_id[choose_home(Scope(tenant.tenant_id.hex, livemode=False), homes_among(by_id, 1))]
    return home, next(server for server in servers if server is not home)


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once it holds: no measurement, but a guard against a hang."""
    assert children.wait_until(condition, timeout_ms=PATIENCE_SECONDS * 1000)


def counted(server: RunningServer) -> dict[str, int]:
    """Return the counters that a server wrote when it stopped."""
    (line,) = (line for line in server.output.splitlines() if " counters_reported " in line)
    return {name: int(value) for name, value in re.findall(r"homes_(\w+)=(\d+)", line)}


def test_server_timing_has_the_way_to_the_home_in_place_of_queue_and_commit(
    pair: Pair, tenant: Tenant
) -> None:
    home, asked = pair
    asks = {"Fastpay-Server-Timing": "1"}

    def stages(url: str) -> dict[str, float]:
        with open_client(url, tenant.secret) as client:
            answer = client.post("/v1/payment_intents", data=PAY, headers=asks).raise_for_status()
        return {
            name: float(duration)
            for name, duration in re.findall(r"(\w+);dur=([0-9.]+)", answer.headers["server-timing"])
        }

    # Until it is connected, an instance writes by itself.
    wait_for(lambda: "home" in stages(asked.url))
    through, direct = stages(asked.url), stages(home.url)
    assert list(through) == ["auth", "decode", "home", "render"]
    assert list(direct) == ["auth", "decode", "queue", "commit", "render"]
    assert through["home"] > 0


def pay_meanwhile(
    url: str, tenant: Tenant, disturb: Callable[[], Coroutine[Any, Any, None]]
) -> list[httpx.Response]:
    """Pay by several clients, half of them with keys, until they have paid before and after a disturbance."""
    answers: list[httpx.Response] = []

    async def work() -> None:
        async with open_async_client(url, tenant.secret) as http:
            over = asyncio.Event()

            async def pay(client: int) -> None:
                number = 0
                while not over.is_set():
                    number += 1
                    key = {"Idempotency-Key": f"{url} {client} {number}"} if client % 2 else {}
                    answers.append(await http.post("/v1/payment_intents", data=PAY, headers=key))

            clients = [asyncio.create_task(pay(client)) for client in range(CLIENTS)]
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len(answers) < 2 * CLIENTS:  # noqa: ASYNC110  clients pay by themselves
                    await asyncio.sleep(0.01)
            await disturb()
            count = len(answers)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len(answers) < count + 3 * CLIENTS:  # noqa: ASYNC110  clients pay by themselves
                    await asyncio.sleep(0.01)
            over.set()
            await asyncio.gather(*clients)

    asyncio.run(work())
    return answers


def check_paid(database_url: str, answers: list[httpx.Response]) -> None:
    """Every client was told of a payment of its own, and there are no others."""
    assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers[-3:]]
    assert not any("idempotent-replayed" in answer.headers for answer in answers)
    paid = sorted(answer.json()["id"][3:] for answer in answers)
    assert paid == sorted(
        row["payment_intent_id"].hex for row in fetch(database_url, "select * from payment_intent")
    )
    asyncio.run(check_database(database_url))


def test_an_answer_has_the_same_bytes_wherever_it_is_asked_for_and_doctor_shows_who_helps_whom(
    pair: Pair, tenant: Tenant, database_url: str
) -> None:
    home, asked = pair
    declined = {**PAY, "payment_method": "pm_card_chargeDeclined"}
    with open_client(home.url, tenant.secret) as direct, open_client(asked.url, tenant.secret) as through:
        for number, form in enumerate((PAY, declined, {**PAY, "expand[]": "latest_charge"}, {"amount": "0"})):
            key = {"Idempotency-Key": f"key {number}"}
            first = through.post("/v1/payment_intents", data=form, headers=key)
            again = direct.post("/v1/payment_intents", data=form, headers=key)
            assert (first.status_code, first.content) == (again.status_code, again.content)
        intent = through.post("/v1/payment_intents", data=PAY).json()
        assert through.get(f"/v1/payment_intents/{intent['id']}").json() == intent
        refund = through.post("/v1/refunds", data={"payment_intent": intent["id"]}).json()
        charge = through.get(f"/v1/charges/{intent['latest_charge']}").json()
        assert (refund["status"], charge["refunded"]) == ("succeeded", True)

    def shown() -> bool:
        environment = {"FASTPAY_DATABASE_URL": database_url, "COLUMNS": "400"}
        found = run_fastpay("doctor", environment=environment).stdout
        wanted = (
            "2 live, of 1 releases, 1 of them homes",
            " % of the time;",
            "forwarded 5,",
            "served 5 ",
            "left tenants to lanes 0 times, 0 now, which wrote 0;",
        )
        return all(one in found for one in wanted)

    wait_for(shown)


def test_whatever_becomes_of_the_home_each_payment_is_made_once_and_answered(
    pair: Pair, tenant: Tenant, database_url: str
) -> None:
    home, asked = pair

    async def disturb() -> None:
        for number in (signal.SIGSTOP, signal.SIGCONT, signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL):
            # Long enough for it to be in the middle of something, and to be noticed.
            await asyncio.sleep(1)
            home.process.send_signal(number)

    answers = pay_meanwhile(asked.url, tenant, disturb)
    home.process.wait(PATIENCE_SECONDS)
    asked.stop()
    counts = counted(asked)
    assert counts["forwarded"] > 0
    assert counts["asked_again"] == counts["fallbacks_silent"] + counts["fallbacks_gone"] > 0
    check_paid(database_url, answers)


def test_a_home_that_stops_hands_over_and_nobody_has_to_ask_again(
    pair: Pair, tenant: Tenant, database_url: str
) -> None:
    home, asked = pair

    async def disturb() -> None:
        home.process.send_signal(signal.SIGTERM)
        while home.process.poll() is None:  # noqa: ASYNC110  a process has no event
            await asyncio.sleep(0.01)

    answers = pay_meanwhile(asked.url, tenant, disturb)
    asked.stop()
    assert counted(home)["served"] > 0
    counts = counted(asked)
    # A busy machine may have taken the home for silent before. A connection that ended took nothing with it.
    assert (counts["asked_again"], counts["fallbacks_gone"]) == (counts["fallbacks_silent"], 0)
    check_paid(database_url, answers)
