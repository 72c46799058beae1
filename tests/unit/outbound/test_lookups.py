"""fastpay/outbound/lookups.py: names that their own servers do not answer take nothing from others."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from fastpay.clock import SystemClock
from fastpay.outbound.lookups import Lookups
from fastpay.outbound.webhooks import WebhookDeliverer
from tests.support.servers import PATIENCE_SECONDS
from tests.unit.outbound.receivers import LOCAL, delivery, receiving, resolving, target

_look = socket.getaddrinfo


class Names:
    """Answers for `slow...` when it is told to, for `gone...` with an error, and for others with loopback."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        # A set: threads add to it without losing one another's.
        self.waiting: set[str] = set()

    def look(self, host: str, port: int, **options: Any) -> Any:
        """Stand in for `socket.getaddrinfo`."""
        if host.startswith("slow"):
            self.waiting.add(host)
            self.may_end.wait(60)
        if host.startswith("gone"):
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return _look("127.0.0.1", port, **options)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    made = Names()
    monkeypatch.setattr(socket, "getaddrinfo", made.look)
    yield made
    made.may_end.set()


async def test_a_tenants_names_without_an_answer_delay_no_other_endpoint(names: Names) -> None:
    # More than the loop has threads; that there are enough for a tenant is asserted in the limits.
    count = 40
    deliverer = WebhookDeliverer(LOCAL, clock=SystemClock(), timeout_ms=120_000)
    async with receiving() as receiver:
        url = "http://{}:" + f"{receiver.port}/"
        slow = [
            asyncio.create_task(
                deliverer.deliver(delivery(target(url.format(f"slow{n}.example"), endpoint_id=f"we_{n}")))
            )
            for n in range(count)
        ]
        try:
            # A guard: nobody waits so long for a lookup that may begin.
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len(names.waiting) < count:  # noqa: ASYNC110  threads tell nobody
                    await asyncio.sleep(0.01)
                to = target(url.format("fast.example"), endpoint_id="we_fast")
                assert (await deliverer.deliver(delivery(to))).is_delivered
                assert not any(task.done() for task in slow)
        finally:
            names.may_end.set()
            outcomes = await asyncio.gather(*slow)
            await deliverer.close()
        assert all(outcome.is_delivered for outcome in outcomes)


async def test_a_lookup_holds_its_place_until_it_ends_though_nobody_waits(names: Names) -> None:
    lookups = Lookups(count=1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(lookups.resolve("slow.example", 1), timeout=0.05)
    second = asyncio.create_task(lookups.resolve("fast.example", 1))
    await asyncio.sleep(0.05)
    assert not second.done()
    names.may_end.set()
    assert await second


async def test_a_name_without_an_address_gives_its_place_back(names: Names) -> None:
    lookups = Lookups(count=1)
    for _ in range(3):
        with pytest.raises(socket.gaierror):
            await lookups.resolve("gone.example", 1)
    assert await lookups.resolve("fast.example", 1)
    assert not names.waiting


async def test_without_a_thread_there_is_no_address_and_no_place_is_lost(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookups = Lookups(count=1)

    def fail(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr("fastpay.outbound.lookups.start_new_thread", fail)
        with pytest.raises(OSError, match="no thread"):
            await lookups.resolve("fast.example", 1)
    assert await lookups.resolve("fast.example", 1)


async def test_equal_names_are_looked_up_once_at_a_time(names: Names) -> None:
    """A window of attempts to one endpoint is one lookup."""
    calls = 0
    answer = resolving("127.0.0.1")

    async def resolve(host: str, port: int) -> Any:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.05)
        return await answer(host, port)

    deliverer = WebhookDeliverer(LOCAL, clock=SystemClock(), resolve=resolve)
    async with receiving() as receiver:
        to = target(f"http://hook.example:{receiver.port}/")
        outcomes = await asyncio.gather(*(deliverer.deliver(delivery(to)) for _ in range(8)))
    await deliverer.close()
    assert all(outcome.is_delivered for outcome in outcomes)
    assert calls == 1
