"""The writer's loop: its table of steps, and what becomes of requests if it fails."""

import asyncio
import itertools
import time
from typing import Any, get_args

import pytest

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.engine.ports import Submission
from fastpay.engine.write import loop as module
from fastpay.engine.write import steps
from fastpay.engine.write.batch import DecidedBatch, UndecidedBatch
from fastpay.engine.write.dispatcher import Dispatcher
from fastpay.engine.write.pace import Pace
from fastpay.engine.write.pipeline import Pipeline
from fastpay.engine.write.queue import FairQueue
from fastpay.engine.write.queued import make_entry
from fastpay.engine.write.steps import AtDatabase, Mode, NextCommand, OpenBatch, Step, choose_step
from fastpay.engine.write.writer import Writer
from fastpay.errors import DatabaseUnavailable, OutcomeUnknown, WriterStopped
from tests.support.memory import TENANT, MemoryStore, check_books, submission
from tests.support.world import PAY
from tests.unit.engine.write.test_encoding_ahead import HEAVY
from tests.unit.engine.write.test_writer import running
from tests.unit.engine.write.test_writer_ahead import JOIN, start, turns

_COLUMNS = [get_args(OpenBatch), get_args(AtDatabase), get_args(NextCommand), get_args(Mode), ("yes", "no")]


def table() -> list[tuple[list[tuple[str, ...]], str]]:
    """Return the rows of the table in the module's docstring: what each column allows, and the step."""
    lines = iter((steps.__doc__ or "").splitlines())
    ruler = next(line for line in lines if line.strip().startswith("----"))
    starts = [at for at, sign in enumerate(ruler) if sign == "-" and ruler[at - 1] == " "]
    rows = []
    for line in itertools.takewhile(str.strip, lines):
        cells = [line[begin:end].strip() for begin, end in itertools.pairwise([*starts, None])]
        allowed = [
            values if cell == "any" else tuple(cell.split(", "))
            for cell, values in zip(cells, _COLUMNS, strict=False)
        ]
        for one, values in zip(allowed, _COLUMNS, strict=True):
            assert set(one) <= set(values)
        rows.append((allowed, cells[-1]))
    return rows


def test_every_step_is_the_one_that_the_table_names() -> None:
    rows = table()
    assert {step for _, step in rows} == set(get_args(Step))
    used = set()
    for state in itertools.product(*_COLUMNS):
        number, wanted = next(
            (number, step)
            for number, (allowed, step) in enumerate(rows)
            if all(value in values for value, values in zip(state, allowed, strict=True))
        )
        open_batch, at_database, next_command, mode, closing = state
        arguments: Any = (open_batch, at_database, next_command, mode)
        assert choose_step(*arguments, closing=closing == "yes") == wanted, state
        used.add(number)
    assert used == set(range(len(rows)))


async def test_a_batch_begins_without_a_look_at_the_table_only_where_the_table_takes_commands() -> None:
    begun = 0
    batches = (None, DecidedBatch(), UndecidedBatch())
    for committing, locked_left, waits, is_aside in itertools.product(batches, (0, 1), (0, 1), (0, 1)):
        queue, clock = FairQueue(), SystemClock()
        pipeline = Pipeline(queue, Pace(clock), sizes=(3, 100))
        pipeline.committing, pipeline.locked_left = committing, locked_left
        for _ in range(waits):
            queue.append(make_entry(submission(PAY), clock.monotonic_ns()))
        pipeline.aside = [make_entry(submission(PAY), clock.monotonic_ns()) for _ in range(is_aside)]
        begun += pipeline.begins
        assert not pipeline.begins or choose_step(*pipeline.state(), closing=False) == "take"
    assert begun == 4


async def test_a_writer_goes_through_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[object, ...]] = []

    def noted(*state: Any, closing: bool) -> Step:
        step = choose_step(*state, closing=closing)
        seen.append((step, *state))
        return step

    monkeypatch.setattr(module, "choose_step", noted)
    store = MemoryStore()
    async with running(store, batch_commands_max=3) as writer:
        for count, command in ((6, JOIN), (1, JOIN), (3, JOIN), (8, JOIN), (8, HEAVY)):
            store.gate.clear()
            waiting = [start(writer, submission(command)) for _ in range(count)]
            await turns()
            store.gate.set()
            await asyncio.gather(*waiting)
        writer.loop.pipeline.locked_left = 2
        await asyncio.gather(*(writer.submit(submission(JOIN)) for _ in range(8)))
    assert {step for step, *_ in seen} == set(get_args(Step))
    # Nothing is decided on top of what is only decided at the database.
    assert not [one for one in seen if one[0] == "take" and one[2:] == ("undecided", "fits", "ahead")]
    check_books(store)


async def faulty(*_: object, **__: object) -> None:
    """Fail as only a fault of ours can."""
    raise ZeroDivisionError


async def test_a_loop_that_fails_answers_everything_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore()
    store.gate.clear()
    async with running(store, batch_commands_max=2) as writer:
        at_database = start(writer, submission(PAY))
        await turns()
        decided = start(writer, submission(JOIN))
        await turns()
        monkeypatch.setattr(writer.loop, "_take", faulty)
        queued = start(writer, submission(JOIN))
        await turns()
        for task in (decided, queued):
            with pytest.raises(WriterStopped):
                await task
        with pytest.raises(WriterStopped):
            writer.admit(TENANT)
        with pytest.raises(WriterStopped):
            await writer.submit(submission(JOIN))
        assert isinstance(writer.fault(), WriterStopped)
        assert "writer_stopped" in caplog.text
        # What had left for the database is answered with what became of it.
        store.gate.set()
        assert (await at_database).answer.error is None
    check_books(store)


@pytest.mark.parametrize(
    ("submitted", "answer"),
    [(submission(PAY), OutcomeUnknown), (submission(PAY, key="k"), DatabaseUnavailable)],
)
async def test_a_commit_that_fails_by_our_own_fault_is_unknown_and_stops_the_writer(
    monkeypatch: pytest.MonkeyPatch, submitted: Submission, answer: type[Exception]
) -> None:
    store = MemoryStore()
    async with running(store) as writer:
        monkeypatch.setattr(writer.loop._committer, "commit", faulty)
        with pytest.raises(answer):
            await writer.submit(submitted)
        with pytest.raises(WriterStopped):
            await writer.submit(submission(JOIN))


async def test_a_failed_bulk_writer_is_a_fault_of_both() -> None:
    plain, bulk = (Writer(MemoryStore(), clock=SystemClock()) for _ in range(2))
    dispatcher = Dispatcher(plain, bulk)
    dispatcher.start()
    await turns()
    assert dispatcher.fault() is None
    bulk._stop(is_lost=False)
    assert isinstance(dispatcher.fault(), WriterStopped)
    await dispatcher.close()


async def test_a_batch_that_is_late_takes_the_commands_that_wait_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "decided_at_once_max", 1)
    store = MemoryStore()
    async with running(store) as writer:
        await writer.submit(submission(JOIN))
        monkeypatch.setattr(writer.loop.pace, "patience_ns", lambda: -1)
        monkeypatch.setattr(writer.loop.pace, "is_enough", lambda _: False)
        await asyncio.gather(*(writer.submit(submission(JOIN)) for _ in range(4)))
        assert store.sizes == [1, 4]


@pytest.mark.parametrize("turns_later", range(3))
async def test_a_request_that_a_busy_loop_has_not_read_yet_is_waited_for(
    turns_later: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than a busy machine needs from here to the callback.
    monkeypatch.setattr(limits, "gather_gap_us", 50_000)
    writer = Writer(MemoryStore(), clock=SystemClock())
    monkeypatch.setattr(writer.loop.pace, "patience_ns", lambda: 10**9)
    gathering = asyncio.create_task(writer.loop._gather())
    await asyncio.sleep(0)
    # A callback that takes longer than the gap. Only the turns of the loop after it bring a request.
    asyncio.get_running_loop().call_soon(time.sleep, 0.06)
    await turns(turns_later)
    waiting = start(writer, submission(JOIN))
    assert await gathering
    waiting.cancel()
