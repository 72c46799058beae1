"""What instances tell each other through a real Redis, that is killed, frozen and lied through."""

import asyncio
import contextlib
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import redis

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.customers import CreateCustomer, UpdateCustomer
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import Customer
from fastpay.domain.plan import Versioned
from fastpay.engine.ports import Commit
from fastpay.operations.embedded.redis import find_redis
from fastpay.store.announcements import CHANNEL, Announcer, Listener
from tests.support.engine import engine, make_tenant
from tests.support.memory import OTHER_TENANT, TENANT
from tests.support.servers import PATIENCE_SECONDS

LONG_MS = 60_000
ONE, OTHER = (f"cus_{number:032x}" for number in (1, 2))


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give Redis all the time that a busy machine may need."""
    monkeypatch.setattr(limits, "redis_timeout_ms", PATIENCE_SECONDS * 1000)


class Told:
    """An instance's announcer and listener, with all that it heard."""

    def __init__(self, redis_url: str) -> None:
        self.heard: list[tuple[Scope, list[tuple[str, int]]]] = []
        self.announcer = Announcer(redis_url, clock=SystemClock())
        self.listener = Listener(redis_url, origin=self.announcer.origin, heard=self._hear)

    def _hear(self, scope: Scope, versions: Sequence[tuple[str, int]]) -> None:
        self.heard.append((scope, list(versions)))

    def tell(self, *versions: tuple[str, int], scope: Scope = TENANT) -> None:
        """Commit something."""
        self.announcer.committed([commit_of(scope, *versions)])


def commit_of(scope: Scope, *versions: tuple[str, int]) -> Commit:
    """Return a commit of customers in these versions."""
    made = [Versioned(Customer(id=name, created=0), version, 1) for name, version in versions]
    return Commit(scope, 0, 1, made)


async def until(condition: Callable[[], bool]) -> None:
    """Return once the condition holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.005)


@asynccontextmanager
async def two(redis_url: str) -> AsyncIterator[tuple[Told, Told]]:
    """Run two instances that hear each other."""
    told = Told(redis_url), Told(redis_url)
    for one in told:
        one.announcer.start()
        one.listener.start()
    try:
        for one, other in (told, told[::-1]):
            await agree(one, other)
            other.heard.clear()
        yield told
    finally:
        for one in told:
            await one.announcer.close()
            await one.listener.close()


async def agree(one: Told, other: Told) -> None:
    """Return once what the one tells arrives at the other."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        count = len(other.heard)
        while len(other.heard) == count:
            one.tell((ONE, 2))
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.05)


def debug_allowed(program: Path) -> list[str]:
    """Return the arguments with which this server takes DEBUG: from version 7 on it must be allowed."""
    said = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"v=(\d+)", said)
    assert version is not None, said
    return ["--enable-debug-command", "yes"] if int(version[1]) >= 7 else []


@contextlib.contextmanager
def own_redis(directory: Path) -> Iterator[tuple[str, "Callable[[], subprocess.Popen[bytes]]"]]:
    """Yield the URL of a Redis of the test's own, and what starts it."""
    program = find_redis()
    if program is None:
        pytest.skip("no redis-server is installed")
    socket = directory / "redis.sock"
    started: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        socket.unlink(missing_ok=True)
        arguments = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(directory)]
        arguments += debug_allowed(program)
        process = subprocess.Popen([str(program), *arguments], stdout=subprocess.DEVNULL)
        started.append(process)
        return process

    try:
        yield f"unix://{socket}", start
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
            process.wait()


async def test_an_instance_hears_of_the_others_commits_and_not_of_its_own(redis_url: str) -> None:
    async with two(redis_url) as (one, other):
        one.tell((ONE, 2), (OTHER, 5), (ONE, 3))
        one.tell((ONE, 7), scope=OTHER_TENANT)
        await until(lambda: len(other.heard) >= 2)
    assert other.heard == [(TENANT, [(ONE, 3), (OTHER, 5)]), (OTHER_TENANT, [(ONE, 7)])]
    assert one.heard == []


async def test_a_batch_is_one_message_and_one_of_new_objects_is_none(redis_url: str) -> None:
    async with two(redis_url) as (one, other):
        sent, received = one.announcer.sent, other.listener.received
        # Made in the batch, and changed in it at once: nobody can hold the first version.
        one.tell((OTHER, 1), (OTHER, 2))
        one.announcer.committed([commit_of(TENANT, (ONE, 2), (OTHER, 1)), commit_of(OTHER_TENANT, (ONE, 7))])
        await until(lambda: len(other.heard) >= 2)
        assert (one.announcer.sent, other.listener.received) == (sent + 1, received + 1)
    assert other.heard == [(TENANT, [(ONE, 2)]), (OTHER_TENANT, [(ONE, 7)])]


async def test_a_batch_of_many_objects_is_told_in_parts(redis_url: str) -> None:
    count = limits.announcement_objects_max
    async with two(redis_url) as (one, other):
        received = other.listener.received
        names = [f"cus_{number:032x}" for number in range(count * 2 + 1)]
        few, many = names[:3], names[3:]
        one.announcer.committed([commit_of(TENANT, *((name, 2) for name in part)) for part in (few, many)])
        await until(lambda: sum(len(versions) for _, versions in other.heard) >= len(names))
        assert other.listener.received == received + 3
    assert [name for _, versions in other.heard for name, _ in versions] == names
    assert max(len(versions) for _, versions in other.heard) <= count


TOO_LONG = msgspec.msgpack.encode(
    (b"origin", [(TENANT.tenant_id, False, [(ONE, 2)] * (limits.announcement_objects_max + 1))])
)


@pytest.mark.parametrize("message", [b"", b"nonsense", b"\x91\xc4\x01a", b"[]", b"\xff" * 100, TOO_LONG])
async def test_what_is_no_announcement_is_counted_and_forgotten(redis_url: str, message: bytes) -> None:
    async with two(redis_url) as (one, other):
        with redis.Redis.from_url(redis_url) as client:
            client.publish(CHANNEL, message)
        await until(lambda: other.listener.refused == 1)
        one.tell((ONE, 2))
        await until(lambda: len(other.heard) == 1)
    assert other.heard == [(TENANT, [(ONE, 2)])]


async def test_a_killed_redis_is_waited_for_by_nobody_and_found_again(tmp_path: Path) -> None:
    with own_redis(tmp_path) as (url, start):
        process = start()
        async with two(url) as (one, other):
            process.kill()
            process.wait()
            await until(lambda: one.announcer.failures > 0 and other.listener.failures > 0)
            dropped = one.announcer.dropped
            for _ in range(10):
                one.tell((ONE, 2))
            await until(lambda: one.announcer.dropped >= dropped + 10)
            assert other.heard == []
            start()
            await agree(one, other)


async def test_a_frozen_redis_costs_nobody_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with own_redis(tmp_path) as (url, start):
        process = start()
        async with two(url) as (one, other):
            monkeypatch.setattr(limits, "redis_timeout_ms", 50)
            process.send_signal(signal.SIGSTOP)
            one.tell((ONE, 2))
            await until(lambda: one.announcer.failures > 0)
            for _ in range(limits.announcements_waiting_max + 10):
                one.tell((ONE, 3))
            assert one.announcer.waiting <= limits.announcements_waiting_max
            # What still waits for the frozen connection gives up after this time, and asks on a new one.
            monkeypatch.setattr(limits, "redis_timeout_ms", 1_000)
            process.send_signal(signal.SIGCONT)
            await agree(one, other)


async def test_another_instance_shows_a_commit_as_soon_as_it_hears_of_it(
    database_url: str, redis_url: str
) -> None:
    scope = await make_tenant(database_url)
    announcer = Announcer(redis_url, clock=SystemClock())
    announcer.start()
    async with (
        engine(database_url, staleness_ms=LONG_MS, announcer=announcer) as writing,
        engine(database_url, staleness_ms=LONG_MS) as reading,
    ):
        listener = Listener(redis_url, origin=b"another", heard=reading.reader.heard)
        listener.start()
        customer = (await writing.do(CreateCustomer(fields={"name": "old"}), scope)).id
        await until(lambda: announcer.is_open)
        while not listener.received:
            await writing.do(UpdateCustomer(id=customer, fields={"name": "old"}), scope)
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.05)
        for number in range(5):
            assert await reading.reader.get(scope, customer) is not None
            received = listener.received
            await writing.do(UpdateCustomer(id=customer, fields={"name": f"new {number}"}), scope)
            await until(lambda received=received: listener.received > received)  # type: ignore[misc]
            found = await reading.reader.get(scope, customer)
            assert found is not None
            assert getattr(found.object, "name", None) == f"new {number}"
        await listener.close()
    await announcer.close()
