"""A store that hangs: what waits for it is answered in time, and what comes after it is carried out."""

import asyncio

import msgspec
import pytest

from fastpay import limits
from fastpay.domain.customers import CreateCustomer
from fastpay.errors import DatabaseUnavailable, DeadlineExceeded
from tests.support.memory import MemoryStore, check_books, submission
from tests.unit.engine.write.test_writer import running
from tests.unit.engine.write.test_writer_ahead import start, turns

JOIN = CreateCustomer(fields={})


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing wait for long before it is begun."""
    monkeypatch.setattr(limits, "begin_timeout_ms", 100)
    monkeypatch.setattr(limits, "deadline_check_ms", 5)


async def test_what_is_decided_and_what_is_in_line_is_refused_while_a_batch_hangs() -> None:
    store = MemoryStore()
    async with running(store, batch_commands_max=2) as writer:
        await writer.submit(submission(JOIN))
        store.gate.clear()
        hanging = start(writer, submission(JOIN))
        await turns()
        # Two are decided on top of the batch that hangs, and the others are in line.
        waiting = [start(writer, submission(JOIN)) for _ in range(10)]
        refused = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(refusal) for refusal in refused} == {DatabaseUnavailable}
        assert not hanging.done()
        store.gate.set()
        assert (await hanging).answer.error is None
        assert (await writer.submit(submission(JOIN))).answer.error is None
    assert len(store.state.versions) == 3
    check_books(store)


async def test_what_is_being_loaded_is_refused_while_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "prefetch_timeout_ms", 3_600_000)
    store = MemoryStore()
    async with running(store) as writer:
        store.loads_gate.clear()
        with pytest.raises(DatabaseUnavailable):
            await writer.submit(submission(JOIN))
        assert store.loads == 1
        store.loads_gate.set()
        assert (await writer.submit(submission(JOIN))).answer.error is None
    assert len(store.state.versions) == 1


async def test_a_client_that_waits_for_less_long_is_refused_by_its_own_deadline() -> None:
    store = MemoryStore()
    async with running(store, batch_commands_max=1) as writer:
        await writer.submit(submission(JOIN))
        store.gate.clear()
        hanging = start(writer, submission(JOIN))
        await turns()
        # Long ago by the monotonic clock.
        refused = start(writer, msgspec.structs.replace(submission(JOIN), deadline_ns=1))
        with pytest.raises(DeadlineExceeded):
            await refused
        store.gate.set()
        await hanging


async def test_a_batch_that_hangs_is_given_up_and_the_next_one_is_carried_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "commit_timeout_ms", 50)
    store = MemoryStore()
    async with running(store) as writer:
        await writer.submit(submission(JOIN))
        store.gate.clear()
        with pytest.raises(DatabaseUnavailable):
            await writer.submit(submission(JOIN))
        store.gate.set()
        monkeypatch.undo()
        assert (await writer.submit(submission(JOIN))).answer.error is None
    assert len(store.state.versions) == 2
    check_books(store)
