"""The one connection to Redis: who it lets in, in which order it answers, and what it makes of nonsense."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import hiredis
import pytest
import redis

from fastpay import limits
from fastpay.store.redis_link import RedisAwayError, RedisLink
from tests.store.test_announcements import until
from tests.support.servers import PATIENCE_SECONDS

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give Redis all the time that a busy machine may need."""
    monkeypatch.setattr(limits, "redis_timeout_ms", PATIENCE_SECONDS * 1000)


async def greet_nobody() -> None:
    """Ask nothing of a new connection."""


@asynccontextmanager
async def linked(url: str) -> AsyncIterator[RedisLink]:
    """Run a connection that is open."""
    link = RedisLink(url, greet=greet_nobody)
    link.start()
    try:
        await until(lambda: link.is_open)
        yield link
    finally:
        await link.close()


@asynccontextmanager
async def serving(answer: Answer, path: Path) -> AsyncIterator[str]:
    """Answer connections to a socket for the block, and wait until all have ended: none outlives the loop."""
    answering = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.append(asyncio.current_task())
        with contextlib.suppress(ConnectionError):
            await answer(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_unix_server(serve, path)
    async with server:
        yield f"unix://{path}"
    await asyncio.wait([task for task in answering if task is not None])


async def test_commands_of_one_turn_are_answered_in_their_order_whatever_becomes_of_some(
    redis_url: str,
) -> None:
    async with linked(redis_url) as link:
        commands = [("ECHO", str(number)) for number in range(500)]
        commands[250] = ("NONSENSE", "")
        asked = [link.ask(*command) for command in commands]
        answers = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(answers[250], hiredis.ReplyError)
    del answers[250]
    assert answers == [str(number).encode() for number in range(500) if number != 250]


async def test_who_stopped_waiting_takes_nobody_elses_answer(redis_url: str) -> None:
    async with linked(redis_url) as link:
        tasks = [asyncio.create_task(link.ask("ECHO", str(number))) for number in range(10)]
        await asyncio.sleep(0)
        tasks[3].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers.pop(3), asyncio.CancelledError)
    assert answers == [str(number).encode() for number in range(10) if number != 3]


async def test_nobody_is_let_in_before_a_new_connection_was_greeted(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "redis_backoff_ms", 1)
    greeted, goes_on = 0, asyncio.Event()
    goes_on.set()

    async def greet() -> None:
        nonlocal greeted
        greeted += 1
        assert await link.ask("PING") == b"PONG"
        await goes_on.wait()

    link = RedisLink(redis_url, greet=greet)
    link.start()
    try:
        await until(lambda: link.is_open)
        goes_on.clear()
        assert await link.ask("QUIT") == b"OK"
        with pytest.raises(RedisAwayError):
            await link.ask("PING")
        await until(lambda: greeted == 2)
        await asyncio.sleep(0.05)
        assert not link.is_open
        goes_on.set()
        await until(lambda: link.is_open)
    finally:
        await link.close()


async def test_a_greeting_that_fails_is_tried_again(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "redis_backoff_ms", 1)
    faults: list[Exception] = [ValueError("no database"), RedisAwayError(), hiredis.ReplyError("ERR")]

    async def greet() -> None:
        if faults:
            raise faults.pop(0)

    link = RedisLink(redis_url, greet=greet)
    link.start()
    try:
        await until(lambda: link.is_open)
        assert faults == []
        assert link.openings == 0
    finally:
        await link.close()


@pytest.mark.parametrize("said", [b"!nonsense\r\n", b"+OK\r\n+OK\r\n+OK\r\n", b"$5000\r\n" + b"x" * 4_000])
async def test_what_no_redis_says_ends_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(limits, "redis_reply_bytes_max", 2_000)

    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(said)
        await reader.read()

    async with serving(lie, tmp_path / "liar.sock") as url, linked(url) as link:
        (answer,) = await asyncio.gather(link.ask("GET", "one"), return_exceptions=True)
        # What answers more than was asked has answered that as well.
        assert answer == b"OK" if said.startswith(b"+OK") else isinstance(answer, RedisAwayError)
        await until(lambda: link.openings > 0)


async def test_after_the_end_nothing_is_waited_for(redis_url: str) -> None:
    async with linked(redis_url) as link:
        waiting = asyncio.create_task(link.ask("BLPOP", "nothing", "0"))
        await asyncio.sleep(0.02)
    with pytest.raises(RedisAwayError):
        await waiting
    with pytest.raises(RedisAwayError):
        await link.ask("PING")


async def test_a_name_a_password_and_a_database_are_those_of_the_url(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.acl_setuser(
            "reader", enabled=True, passwords=["+s/cret"], commands=["+@all"], keys=["*"], reset=True
        )
        client.select(0)
        async with linked(redis_url.replace("unix://", "unix://reader:s%2Fcret@") + "?db=3") as link:
            assert await link.ask("ACL", "WHOAMI") == b"reader"
            assert await link.ask("SET", "where", "three") == b"OK"
        assert client.get("where") is None
        client.acl_deluser("reader")
        with redis.Redis.from_url(redis_url, db=3) as third:
            assert third.get("where") == b"three"
            third.flushdb()


async def test_more_commands_than_may_wait_close_the_door_for_now(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "redis_commands_max", 3)
    async with linked(redis_url) as link:
        waiting = [asyncio.create_task(link.ask("PING")) for _ in range(3)]
        await asyncio.sleep(0)
        assert not link.is_open
        assert await asyncio.gather(*waiting) == [b"PONG"] * 3
        assert link.is_open


class Note:
    """Satisfies `Part`, and keeps what it was told."""

    def __init__(self) -> None:
        self.is_lost = False
        self.reasons: list[str] = []

    def lost(self, reason: str) -> None:
        """Keep the reason."""
        self.is_lost = True
        self.reasons.append(reason)

    def back(self) -> None:
        """Take note."""
        self.is_lost = False


async def test_an_answer_that_never_ends_is_waited_for_no_longer_than_one_that_never_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "redis_timeout_ms", 100)

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"$1000000000\r\n")
        while not writer.is_closing():
            # A little at a time, so that something always arrives before the deadline.
            writer.write(b"x" * 1_000)
            await writer.drain()
            await asyncio.sleep(0.001)

    async with serving(stream, tmp_path / "endless.sock") as url, linked(url) as link:
        with pytest.raises(RedisAwayError, match="no answer within 100 ms"):
            await link.ask("GET", "one")
        assert link.bytes_received > 1_000


async def test_a_redis_that_takes_connections_and_never_answers_is_lost_until_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "redis_timeout_ms", 50)
    monkeypatch.setattr(limits, "redis_backoff_ms", 1)
    monkeypatch.setattr(limits, "redis_backoff_max_ms", 1)
    note, answers = Note(), False

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(100):
            if answers:
                writer.write(b"+PONG\r\n")

    async def greet() -> None:
        await link.ask("PING")

    async with serving(answer, tmp_path / "silent.sock") as url:
        link = RedisLink(url, greet=greet, part=note)
        link.start()
        await until(lambda: note.is_lost)
        assert set(note.reasons) == {"no answer within 50 ms"}
        answers = True
        await until(lambda: link.is_open and not note.is_lost)
        await link.close()


async def test_a_connection_on_which_nothing_is_asked_is_found_to_lead_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "redis_timeout_ms", 50)
    monkeypatch.setattr(limits, "redis_ping_interval_ms", 20)
    asked: list[bytes] = []

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            asked.append(data)

    async with serving(swallow, tmp_path / "hole.sock") as url, linked(url) as link:
        await until(lambda: link.openings > 0)
    assert b"PING" in asked[0]


async def test_messages_of_a_channel_come_between_answers(redis_url: str) -> None:
    heard: list[object] = []

    async def subscribe() -> None:
        await link.ask("SUBSCRIBE", "news")

    link = RedisLink(redis_url, greet=subscribe, pushed=heard.append)
    link.start()
    await until(lambda: link.is_open)
    with redis.Redis.from_url(redis_url) as client:
        for number in range(3):
            client.publish("news", f"{number}")
    assert await link.ask("PING") == [b"pong", b""]
    await until(lambda: len(heard) == 3)
    assert heard == [b"0", b"1", b"2"]
    await link.close()
