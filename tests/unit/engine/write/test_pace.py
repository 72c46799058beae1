"""Two batches take turns: one is at the database, and the commands of the other are answered and decided."""

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from benchmarks import samples
from fastpay import limits
from fastpay.clock import Clock, SystemClock
from fastpay.domain.plan import Book
from fastpay.engine.write.batch import DecidedBatch
from fastpay.engine.write.pace import Pace
from fastpay.engine.write.ports import Encoded
from fastpay.engine.write.queue import FairQueue
from fastpay.engine.write.queued import make_entry
from fastpay.engine.write.working_set import WorkingSet
from fastpay.store import columns
from tests.support.memory import OTHER_TENANT, TENANT, MemoryStore, check_books, submission
from tests.unit.engine.write.test_writer import running
from tests.unit.engine.write.test_writer_ahead import JOIN, start, turns

FEW = limits.halved_commands_min - 1


class Noting(MemoryStore):
    """Notes what leaves for the database, at the end of a turn of the loop, as the driver sends it."""

    def __init__(self, noted: list[str]) -> None:
        super().__init__()
        self.noted = noted

    async def write_decided(
        self, books: Sequence[Book], encoded: Encoded, moments: tuple[int, int], *, timeout_ms: float
    ) -> None:
        """Write it as a batch of its own."""
        asyncio.get_running_loop().call_soon(self.noted.append, "left")
        await super().write_decided(books, encoded, moments, timeout_ms=timeout_ms)


@pytest.mark.parametrize(
    ("answered", "waiting", "share"),
    [
        (1, 0, 1),
        (1, 1, 1),
        (FEW, 0, FEW),
        (64, 0, 32),
        (32, 32, 32),
        (33, 32, 33),
        (0, 5000, limits.decided_at_once_max),
    ],
)
def test_the_share_is_half_of_what_is_in_flight(answered: int, waiting: int, share: int) -> None:
    pace = Pace(SystemClock())
    pace.ended(SystemClock.monotonic_ns(), answered, waiting)
    assert pace.share == share
    assert pace.is_enough(share)
    assert pace.is_enough(-(-share * 3 // 4))
    assert not pace.is_enough((share * 3 - 1) // 4)


class Paced:
    """A pace, and 16 clients that send again once they are answered. A command takes the process 60 us."""

    def __init__(self) -> None:
        self.now_ns = self.used_ns = 0
        self.pace = Pace(cast(Clock, self), lambda: self.used_ns)

    def monotonic_ns(self) -> int:
        """Return the clock for spans."""
        return self.now_ns

    def commits(self, count: int, *, ms: float, is_ahead: bool = True) -> int:
        """Commit so many batches, each for so long. Return how many commands the next one waits for."""
        for _ in range(count):
            begun_ns, answered = self.now_ns, self.pace.share or 8
            self.now_ns += int(ms * 1e6)
            self.used_ns += answered * 60_000
            self.pace.ended(begun_ns, answered, 16 - answered, is_ahead=is_ahead)
        return self.pace.share


def test_two_batches_take_turns_while_commits_are_not_slow_beside_the_process() -> None:
    paced = Paced()
    assert paced.commits(10, ms=0.5) == 8
    # All 16 take the process less than a millisecond.
    assert paced.commits(3, ms=12) == 8
    assert paced.commits(1, ms=12) == 16
    assert paced.pace.room(0, 16) == 16
    assert paced.commits(20, ms=12) == 16
    assert paced.commits(4, ms=0.5) == 16
    assert paced.commits(1, ms=0.5) == 8
    assert paced.commits(10, ms=0.5) == 8
    assert paced.commits(1, ms=200) == 8


def test_batches_that_are_decided_at_the_database_take_all_that_is_in_flight() -> None:
    paced = Paced()
    assert paced.commits(1, ms=0.5) == 8
    paced.pace.share = 16
    assert paced.commits(1, ms=0.5, is_ahead=False) == 16


def test_a_batch_may_have_the_share_that_the_last_one_has_left() -> None:
    pace = Pace(SystemClock(), lambda: 10**9)
    pace.share = 32
    assert pace.room(20, 3) == 12


@pytest.mark.parametrize(
    ("decided", "waiting", "room"),
    [(0, 3, 3), (2, 3, 3), (0, 64, 32), (20, 44, 12), (40, 20, 1), (0, 5000, limits.decided_at_once_max)],
)
def test_a_batch_for_a_free_database_takes_half_of_what_waits(decided: int, waiting: int, room: int) -> None:
    assert Pace(SystemClock()).room(decided, waiting) == room


async def test_clients_that_were_answered_together_are_served_in_two_batches() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        # What is loaded for it is decided in one batch.
        await writer.submit(submission(JOIN))
        store.gate.clear()
        first = [start(writer, submission(JOIN)) for _ in range(64)]
        await turns()
        # One is at the database, and the others are decided beside it.
        assert store.batches == 2
        assert len(writer.loop.pipeline.open) == 32
        store.gate.set()
        await asyncio.gather(*first)
        assert store.sizes == [1, 32, 32]
        await asyncio.gather(*(writer.submit(submission(JOIN)) for _ in range(64)))
    assert store.sizes == [1, 32, 32, 32, 32]
    check_books(store)


async def test_what_waits_beside_a_batch_counts_for_the_share_of_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    async with running(store) as writer:
        await writer.submit(submission(JOIN))
        store.gate.clear()
        first = [start(writer, submission(JOIN)) for _ in range(64)]
        await turns()
        later = [start(writer, submission(JOIN)) for _ in range(8)]
        counts: list[tuple[int, int]] = []
        ended = writer.loop.pace.ended

        def note(begun_ns: int, answered: int, waiting: int, *, is_ahead: bool) -> int:
            counts.append((answered, waiting))
            return ended(begun_ns, answered, waiting, is_ahead=is_ahead)

        monkeypatch.setattr(writer.loop.pace, "ended", note)
        store.gate.set()
        await asyncio.gather(*first, *later)
    assert counts == [(32, 40), (40, 0)]


async def test_a_few_clients_are_served_in_one_batch() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        for _ in range(3):
            await asyncio.gather(*(writer.submit(submission(JOIN)) for _ in range(FEW)))
    assert store.sizes == [FEW] * 3


async def test_the_next_batch_leaves_for_the_database_before_the_last_is_answered() -> None:
    noted: list[str] = []
    store = Noting(noted)
    replies = [asyncio.get_running_loop().create_future() for _ in range(2)]
    store.gate.clear()
    async with running(store) as writer:
        for reply in replies:
            writer.put(submission(JOIN), reply)
            await turns()
        # As the request does that sends the response.
        replies[0].add_done_callback(lambda _: noted.append("answered"))
        assert noted == ["left"]
        store.gate.set()
        await asyncio.gather(*replies)
        await turns()
    assert noted == ["left", "left", "answered"]


def test_as_many_payments_as_are_decided_at_once_are_encoded_at_once() -> None:
    working_set, decided = WorkingSet(), DecidedBatch()
    working_set.workspaces[samples.SCOPE] = samples.new_workspace()
    loop = asyncio.new_event_loop()
    for number in range(limits.decided_at_once_max):
        submitted = samples.new_submission(number, samples.SCOPE)
        decided.decide(working_set, make_entry(submitted, 0, loop.create_future()))
    loop.close()
    assert len(decided.changes.drafts) == limits.decided_at_once_max
    assert list(columns.encode_steps(decided.changes)) == []


def test_commands_that_are_not_served_are_not_counted() -> None:
    queue, loop = FairQueue(), asyncio.new_event_loop()
    for tenant, commands in ((TENANT, 2), (OTHER_TENANT, 3)):
        for _ in range(commands):
            queue.append(make_entry(submission(JOIN, scope=tenant), 0, loop.create_future()))
    loop.close()
    assert queue.count_ready() == 5
    queue.park(TENANT)
    assert queue.count_ready() == 3
    queue.pause(OTHER_TENANT, paused=True)
    assert queue.count_ready() == 0
