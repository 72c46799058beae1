"""The request log never delays a request: a full queue drops, an outage waits, a refused batch is let go."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.request_log import RequestLog
from fastpay.engine.request_log_ports import LoggedRequest
from fastpay.errors import DatabaseUnavailable
from tests.unit.engine.hand_clock import HandClock

SCOPE = Scope("a", False)


class Note(NamedTuple):
    """What stands for a request."""

    request_id: str
    scope: Scope | None = SCOPE


class Store:
    """A database that can be away, and refuses batches with some requests."""

    def __init__(self) -> None:
        self.kept: dict[str, LoggedRequest] = {}
        self.batches: list[int] = []
        self.is_away = False
        self.refuses: set[str] = set()
        self.partitions = 0
        self.asked = asyncio.Event()
        self.written = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def write(self, requests: Sequence[LoggedRequest]) -> None:
        self.asked.set()
        await self.gate.wait()
        if self.is_away or self.refuses & {request.request_id for request in requests}:
            raise DatabaseUnavailable("away")
        self.batches.append(len(requests))
        self.kept |= {request.request_id: request for request in requests}
        self.written.set()

    async def reached(self, count: int) -> None:
        """Return once so many requests are kept."""
        while len(self.kept) < count:
            self.written.clear()
            await self.written.wait()

    async def find(self, scope: Scope, request_id: str) -> LoggedRequest | None:
        found = self.kept.get(request_id)
        return found if found is not None and found.scope == scope else None

    async def make_partitions(self) -> None:
        if self.is_away:
            raise DatabaseUnavailable("away")
        self.partitions += 1

    async def drop_partitions(self, *, retention_days: int) -> None:
        raise NotImplementedError


@pytest.fixture
def store() -> Store:
    return Store()


def describe(note: Note, now_ms: int, now_ns: int) -> LoggedRequest:
    if note.request_id == "req_bug":
        raise ValueError("a bug")
    return LoggedRequest(
        request_id=note.request_id,
        scope=note.scope,
        moment_ms=now_ms,
        duration_us=now_ns // 1_000,
        method="GET",
        path="/",
        status=200,
    )


def new_log(
    store: Store | None, write_lines: Callable[[Sequence[LoggedRequest]], None] | None = None
) -> RequestLog[Note]:
    away = (lambda: store.is_away) if store is not None else (lambda: False)
    return RequestLog(describe, clock=HandClock(), store=store, write_lines=write_lines, is_away=away)


def notes(count: int, prefix: str = "req_") -> list[Note]:
    return [Note(f"{prefix}{number}") for number in range(count)]


async def test_notes_are_stored_in_batches_by_the_task(store: Store) -> None:
    log = new_log(store)
    log.start()
    sent = notes(limits.request_log_batch_max + 1)
    for note in sent:
        log.add(note)
    assert store.kept == {}
    await store.reached(len(sent))
    await log.close()
    assert store.batches == [limits.request_log_batch_max, 1]
    assert store.partitions == 1
    assert log.counts() == {
        "requests_logged": len(sent),
        "requests_not_logged": 0,
        "request_log_batches": 2,
    }


async def test_a_full_queue_drops_what_comes_and_counts_it(store: Store) -> None:
    log = new_log(store)
    for note in notes(limits.request_log_queue_max + 7):
        log.add(note)
    assert log.counts()["requests_not_logged"] == 7
    await log.close()
    assert len(store.kept) == limits.request_log_queue_max
    assert f"req_{limits.request_log_queue_max}" not in store.kept


async def test_what_waits_for_the_database_counts_against_the_queue(store: Store) -> None:
    log = new_log(store)
    store.is_away = True
    for round_ in range(3):
        for note in notes(limits.request_log_queue_max, f"req_{round_}_"):
            log.add(note)
        assert not await log.flush()
    waiting = len(log._notes) + len(log._unstored)
    assert waiting == limits.request_log_queue_max
    assert log.counts()["requests_not_logged"] == 2 * limits.request_log_queue_max


async def test_after_an_outage_what_waited_is_stored_once(store: Store) -> None:
    log = new_log(store)
    store.is_away = True
    for note in notes(5):
        log.add(note)
    for _ in range(limits.request_log_attempts_max + 1):
        assert not await log.flush()
    store.is_away = False
    assert await log.flush()
    assert store.batches == [5]
    assert log.counts()["requests_not_logged"] == 0
    # The partitions of a database that was away may be missing.
    assert store.partitions == 1


async def test_a_batch_that_a_database_refuses_is_let_go_and_the_next_one_is_stored(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    log = new_log(store)
    store.refuses = {"req_3"}
    for note in notes(limits.request_log_batch_max + 1):
        log.add(note)
    for attempt in range(limits.request_log_attempts_max):
        assert log.counts()["requests_not_logged"] == 0, attempt
        assert not await log.flush()
    assert [record.message for record in caplog.records] == ["request_batch_dropped"]
    assert log.counts()["requests_not_logged"] == limits.request_log_batch_max
    assert await log.flush()
    assert list(store.kept) == [f"req_{limits.request_log_batch_max}"]


async def test_a_bug_in_a_description_costs_one_request(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    log = new_log(store)
    for request_id in ("req_1", "req_bug", "req_2"):
        log.add(Note(request_id))
    with caplog.at_level(logging.ERROR):
        await log.settle()
    assert list(store.kept) == ["req_1", "req_2"]
    assert log.counts()["requests_not_logged"] == 1
    assert [record.message for record in caplog.records] == ["request_description_failed"]


async def test_a_request_is_found_as_soon_as_it_is_answered(store: Store) -> None:
    log = new_log(store)
    log.add(Note("req_1"))
    found = await log.find(SCOPE, "req_1")
    assert found is not None
    assert await log.find(Scope("b", False), "req_1") is None
    # What is not waiting here is asked for at once.
    log.add(Note("req_2"))
    assert await log.find(SCOPE, "req_3") is None
    assert store.batches == [1]


async def test_the_loop_is_free_while_a_long_queue_is_described(store: Store) -> None:
    log = new_log(store)
    for note in notes(limits.request_log_batch_max):
        log.add(note)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await log.settle()
    counting.cancel()
    assert turns >= limits.request_log_batch_max // limits.request_log_turn_max


async def test_a_stop_in_the_middle_loses_nothing(store: Store) -> None:
    log = new_log(store)
    log.start()
    store.gate.clear()
    for note in notes(3 * limits.request_log_batch_max):
        log.add(note)
    await store.asked.wait()
    closing = asyncio.create_task(log.close())
    await asyncio.sleep(0)
    store.gate.set()
    await closing
    assert len(store.kept) == 3 * limits.request_log_batch_max


async def test_requests_of_nobody_are_lines_only(store: Store) -> None:
    lines: list[str] = []
    log = new_log(store, lambda requests: lines.extend(request.request_id for request in requests))
    log.add(Note("req_1", None))
    log.add(Note("req_2"))
    await log.settle()
    assert lines == ["req_1", "req_2"]
    assert list(store.kept) == ["req_2"]
    assert log.keeps_strangers
    assert not new_log(store).keeps_strangers


async def test_lines_go_on_while_the_database_is_away(store: Store) -> None:
    lines: list[str] = []
    log = new_log(store, lambda requests: lines.extend(request.request_id for request in requests))
    store.is_away = True
    sent = notes(3 * limits.request_log_batch_max)
    for note in sent:
        log.add(note)
    for _ in range(3):
        assert not await log.flush()
    assert lines == [note.request_id for note in sent]
    # What waits is described: no note, which has what was sent, waits for a database.
    assert log._notes == []


async def test_a_log_that_nobody_reads_delays_no_request(store: Store) -> None:
    is_read = threading.Event()

    def blocked(_: Sequence[LoggedRequest]) -> None:
        is_read.wait()

    log = new_log(store, blocked)
    log.start()
    log.add(Note("req_first"))
    while not log._unstored:  # noqa: ASYNC110  the thread has no event of the loop
        await asyncio.sleep(0.01)
    for note in notes(limits.request_log_queue_max):
        log.add(note)
    assert log.counts()["requests_not_logged"] == 1
    is_read.set()
    await log.close()
    assert len(store.kept) == limits.request_log_queue_max


async def test_without_a_database_there_are_lines_and_nothing_is_found() -> None:
    lines: list[str] = []
    log = new_log(None, lambda requests: lines.extend(request.request_id for request in requests))
    log.add(Note("req_1"))
    await log.close()
    assert lines == ["req_1"]
    assert await log.find(SCOPE, "req_1") is None
    assert not log.is_stored
