"""What instances tell each other through a real Redis, that is killed, frozen and lied through."""

import asyncio
import contextlib
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

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
from fastpay.store.announcements import CHANNEL, Announcements
from tests.support.engine import engine, make_tenant
from tests.support.memory import OTHER_TENANT, TENANT
from tests.support.servers import PATIENCE_SECONDS

pytestmark = pytest.mark.anyio

LONG_MS = 60_000
ONE, OTHER = (f"cus_{number:032x}" for number in (1, 2))


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give Redis all the time that a busy machine may need."""
    monkeypatch.setattr(limits, "redis_timeout_ms", PATIENCE_SECONDS * 1000)


class Told:
    """An instance's ears and mouth, with all that it heard."""

    def __init__(self, redis_url: str) -> None:
        self.heard: list[tuple[Scope, list[tuple[str, int]]]] = []
        self.announcements = Announcements(redis_url, clock=SystemClock(), heard=self._hear)

    def _hear(self, scope: Scope, versions: Sequence[tuple[str, int]], sequence: int) -> None:
        assert sequence == 1
        self.heard.append((scope, list(versions)))

    def tell(self, *versions: tuple[str, int], scope: Scope = TENANT) -> None:
        """Commit something."""
        made = [Versioned(Customer(id=name, created=0), version, 1) for name, version in versions]
        self.announcements.committed([Commit(scope, 0, 1, made)])


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
        one.announcements.start()
    try:
        for one, other in (told, told[::-1]):
            await agree(one, other)
            other.heard.clear()
        yield told
    finally:
        for one in told:
            await one.announcements.close()


async def agree(one: Told, other: Told) -> None:
    """Return once what the one tells arrives at the other."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        count = len(other.heard)
        while len(other.heard) == count:
            one.tell((ONE, 1))
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
        one.tell((ONE, 2), (OTHER, 1), (ONE, 3))
        one.tell((ONE, 7), scope=OTHER_TENANT)
        await until(lambda: len(other.heard) >= 2)
    assert other.heard == [(TENANT, [(ONE, 3), (OTHER, 1)]), (OTHER_TENANT, [(ONE, 7)])]
    assert one.heard == []


async def test_a_batch_of_many_objects_is_told_in_parts(redis_url: str) -> None:
    count = limits.announcement_objects_max * 2 + 1
    async with two(redis_url) as (one, other):
        one.tell(*((f"cus_{number:032x}", 1) for number in range(count)))
        await until(lambda: sum(len(versions) for _, versions in other.heard) >= count)
    assert max(len(versions) for _, versions in other.heard) == limits.announcement_objects_max


@pytest.mark.parametrize("message", [b"", b"nonsense", b"\x91\xc4\x01a", b"[]", b"\xff" * 100])
async def test_what_is_no_announcement_is_counted_and_forgotten(redis_url: str, message: bytes) -> None:
    async with two(redis_url) as (one, other):
        with redis.Redis.from_url(redis_url) as client:
            client.publish(CHANNEL, message)
        await until(lambda: other.announcements.refused == 1)
        one.tell((ONE, 2))
        await until(lambda: len(other.heard) == 1)
    assert other.heard == [(TENANT, [(ONE, 2)])]


async def test_a_killed_redis_is_waited_for_by_nobody_and_found_again(tmp_path: Path) -> None:
    with own_redis(tmp_path) as (url, start):
        process = start()
        async with two(url) as (one, other):
            process.kill()
            process.wait()
            await until(lambda: one.announcements.failures > 0 and other.announcements.failures > 0)
            dropped = one.announcements.dropped
            for _ in range(10):
                one.tell((ONE, 2))
            await until(lambda: one.announcements.dropped >= dropped + 10)
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
            await until(lambda: one.announcements.failures > 0)
            for _ in range(limits.announcements_waiting_max + 10):
                one.tell((ONE, 3))
            assert one.announcements.waiting <= limits.announcements_waiting_max
            # What still waits for the frozen connection gives up after this time, and asks on a new one.
            monkeypatch.setattr(limits, "redis_timeout_ms", 1_000)
            process.send_signal(signal.SIGCONT)
            await agree(one, other)


async def test_another_instance_shows_a_commit_as_soon_as_it_hears_of_it(
    database_url: str, redis_url: str
) -> None:
    scope = await make_tenant(database_url)
    async with (
        engine(database_url, staleness_ms=LONG_MS) as writing,
        engine(database_url, staleness_ms=LONG_MS) as reading,
    ):
        mouth = Announcements(redis_url, clock=SystemClock(), heard=writing.reader.heard)
        ears = Announcements(redis_url, clock=SystemClock(), heard=reading.reader.heard)
        writing.reader.announcer = mouth
        for one in (mouth, ears):
            one.start()
        customer = (await writing.do(CreateCustomer(fields={"name": "old"}), scope)).id
        await until(lambda: mouth.is_open)
        while not ears.received:
            await writing.do(UpdateCustomer(id=customer, fields={"name": "old"}), scope)
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.05)
        for number in range(5):
            assert await reading.reader.get(scope, customer) is not None
            received = ears.received
            await writing.do(UpdateCustomer(id=customer, fields={"name": f"new {number}"}), scope)
            await until(lambda received=received: ears.received > received)  # type: ignore[misc]
            found = await reading.reader.get(scope, customer)
            assert found is not None
            assert getattr(found.object, "name", None) == f"new {number}"
        for one in (mouth, ears):
            await one.close()
