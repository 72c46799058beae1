"""Copies in a Redis that is frozen, slowed down, killed and emptied while two instances use it."""

import asyncio
import random
import signal
from pathlib import Path

import pytest
import redis

from fastpay import limits
from fastpay.domain.customers import UpdateCustomer
from tests.store.sharing import (
    LONG_MS,
    counted,
    prove,
    prove_again,
    put_back,
    save,
    share,
    sharing,
    shown,
)
from tests.store.test_announcements import own_redis, until
from tests.store.test_reader import make_customers, rename
from tests.support.engine import Engine, engine, make_tenant


@pytest.fixture(autouse=True)
def worth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all copies looked for."""
    monkeypatch.setattr(limits, "copies_worth_min", 0)


@pytest.mark.parametrize("how", ["frozen", "slow"])
async def test_a_redis_that_does_not_answer_is_waited_for_once(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    scope = await make_tenant(database_url)
    # So long that nothing opens a connection again.
    monkeypatch.setattr(limits, "redis_backoff_ms", 60_000)
    monkeypatch.setattr(limits, "redis_backoff_max_ms", 60_000)
    with own_redis(tmp_path) as (url, start):
        process = start()
        await until(lambda: Path(url.removeprefix("unix://")).exists())
        async with sharing(database_url, url) as one, sharing(database_url, url) as other:
            (customer,) = await make_customers(one, scope, 1)
            await share(one, scope, customer)
            await prove(other, scope)
            sleeper: asyncio.Future[object] | None = None
            if how == "frozen":
                process.send_signal(signal.SIGSTOP)
            else:
                client = redis.Redis.from_url(url)
                loop = asyncio.get_running_loop()
                sleeper = loop.run_in_executor(None, client.execute_command, "debug", "sleep", "1")
                await asyncio.sleep(0.05)
            # All at once, then one after the other: only those who came before it was known have waited.
            assert (
                await asyncio.gather(*(shown(other, scope, customer) for _ in range(100))) == ["name 0"] * 100
            )
            assert counted(other, "timeouts") == 1
            assert not other.copies.is_open
            sent = counted(other, "bytes_sent")
            for _ in range(5):
                await prove_again(other, scope)
                assert await shown(other, scope, customer) == "name 0"
                await rename(one, scope, customer, "name 0")
            assert counted(other, "timeouts") == 1
            assert counted(other, "bytes_sent") == sent
            assert counted(other, "breaker_openings") == 1
            process.send_signal(signal.SIGCONT)
            if sleeper is not None:
                await sleeper


async def test_a_redis_that_answers_again_is_used_again(database_url: str, tmp_path: Path) -> None:
    scope = await make_tenant(database_url)
    with own_redis(tmp_path) as (url, start):
        process = start()
        async with sharing(database_url, url) as one, sharing(database_url, url) as other:
            (customer,) = await make_customers(one, scope, 1)
            for number, end in enumerate((signal.SIGKILL, signal.SIGSTOP, signal.SIGKILL)):
                process.send_signal(end)
                await rename(one, scope, customer, f"new {number}")
                await until(lambda: not one.copies.is_open)
                await prove_again(other, scope)
                assert await shown(other, scope, customer) == f"new {number}"
                if end == signal.SIGKILL:
                    process.wait()
                    process = start()
                else:
                    process.send_signal(signal.SIGCONT)
                await until(lambda: one.copies.is_open and other.copies.is_open)
                await prove_again(other, scope)
                assert await shown(other, scope, customer) == f"new {number}"
                await rename(one, scope, customer, f"newer {number}")
                await share(one, scope, customer)
                hits = counted(other, "hits")
                await prove_again(other, scope)
                assert await shown(other, scope, customer) == f"newer {number}"
                assert counted(other, "hits") == hits + 1


@pytest.mark.usefixtures("patient")
async def test_two_instances_never_show_less_than_was_acknowledged_whatever_becomes_of_redis(
    database_url: str, tmp_path: Path
) -> None:
    """On the same instance at once, on the other once the agreed time is over."""
    staleness_ms = 40
    scope = await make_tenant(database_url)
    chance = random.Random(11)
    with own_redis(tmp_path) as (url, start):
        start()
        async with (
            sharing(database_url, url, staleness_ms=staleness_ms) as one,
            sharing(database_url, url, staleness_ms=staleness_ms) as other,
        ):
            client = redis.Redis.from_url(url)
            customers = await make_customers(one, scope, 4)
            instances = (one, other)
            loop = asyncio.get_running_loop()
            # By instance, and when everybody must show it.
            own: dict[tuple[int, str], int] = {}
            history: list[tuple[float, str, int]] = []

            def shown_copies() -> int:
                return sum(instance.reader.counts()["reads_copies_shown"] for instance in instances)

            async def work(place: int, instance: Engine) -> None:
                for number in range(5_000):
                    # Copies are few between so many changes: it goes on until some were shown.
                    if number >= 100 and shown_copies() > 10:
                        break
                    name = chance.choice(customers)
                    if chance.random() < 0.15:
                        outcome = await instance.submit(UpdateCustomer(id=name, fields={"name": "n"}), scope)
                        version = outcome.objects[name].version
                        own[place, name] = max(version, own.get((place, name), 0))
                        history.append((loop.time() + staleness_ms / 1000, name, version))
                    now = loop.time()
                    due = [version for moment, owner, version in history if owner == name and moment < now]
                    least = max([own.get((place, name), 0), *due])
                    if chance.random() < 0.3:
                        instance.reader.partition(scope).entries.clear()
                    found = await instance.reader.get(scope, name)
                    assert found is not None
                    assert found.version >= least
                    await asyncio.sleep(chance.random() * 0.004)

            async def trouble() -> None:
                saved: dict[str | bytes, bytes] = {}
                while True:
                    await asyncio.sleep(chance.random() * 0.03)
                    keys = sorted(client.keys("fastpay:*"))
                    match chance.randrange(5):
                        case 0:
                            client.flushall()
                        case 1 if keys:
                            client.delete(chance.choice(keys))
                        case 2:
                            saved = save(client)
                        case 3:
                            put_back(client, saved)
                        case 4:
                            client.client_kill_filter(_type="normal", skipme=True)

            troubling = asyncio.create_task(trouble())
            await asyncio.gather(
                *(work(place, instance) for place, instance in enumerate(instances) for _ in "ab")
            )
            troubling.cancel()
            assert shown_copies() > 10


async def test_an_instance_without_redis_works_beside_one_that_has_it(
    database_url: str, redis_url: str
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, engine(database_url, staleness_ms=LONG_MS) as plain:
        (customer,) = await make_customers(one, scope, 1)
        await share(one, scope, customer)
        # The one knows nothing of this before it asks.
        await rename(plain, scope, customer, "new")
        await prove_again(one, scope)
        assert await shown(one, scope, customer) == "new"
        await prove_again(plain, scope)
        assert await shown(plain, scope, customer) == "new"
