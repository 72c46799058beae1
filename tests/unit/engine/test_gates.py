"""Slots for reads, given to tenants in turns."""

import asyncio

import pytest

from fastpay import limits
from fastpay.engine.gates import Gate
from fastpay.errors import Overloaded, RateLimited

A, B, C = "abc"


class Reads:
    """Reads that hold their slots until they are told to end; who runs is noted in order."""

    def __init__(self, gate: Gate, *, patience_s: float = 60) -> None:
        self._patience_s = patience_s
        self._gate = gate
        self._ends: dict[str, asyncio.Event] = {}
        self.begun: list[str] = []

    async def begin(self, tenant: str, name: str) -> "asyncio.Task[None]":
        """Start a read, as far as it comes by itself."""
        self._ends[name] = asyncio.Event()
        task = asyncio.create_task(self._read(tenant, name))
        await settle()
        return task

    async def end(self, name: str) -> None:
        """Let a read end, and others begin."""
        self._ends[name].set()
        await settle()

    async def _read(self, tenant: str, name: str) -> None:
        async with self._gate.enter(tenant, until=asyncio.get_running_loop().time() + self._patience_s):
            self.begun.append(name)
            await self._ends[name].wait()


async def settle() -> None:
    """Let everything come as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_no_more_run_than_there_are_slots_and_tenants_take_turns() -> None:
    reads = Reads(Gate(slots=2, tenant_slots=2, tenant_waiting_max=10))
    for number in range(4):
        await reads.begin(A, f"a{number}")
    await reads.begin(B, "b0")
    await reads.begin(C, "c0")
    assert reads.begun == ["a0", "a1"]
    await reads.end("a0")
    await reads.end("a1")
    # The line of the first has its turn, then those behind it, whatever else the first has in line.
    assert reads.begun == ["a0", "a1", "a2", "b0"]
    await reads.end("a2")
    await reads.end("b0")
    assert reads.begun == ["a0", "a1", "a2", "b0", "c0", "a3"]


async def test_one_tenant_leaves_slots_to_the_others() -> None:
    reads = Reads(Gate(slots=2, tenant_slots=1, tenant_waiting_max=10))
    for number in range(3):
        await reads.begin(A, f"a{number}")
    assert reads.begun == ["a0"]
    await reads.begin(B, "b0")
    assert reads.begun == ["a0", "b0"]
    # A free slot is not for a tenant that has what it may have.
    await reads.end("b0")
    assert reads.begun == ["a0", "b0"]
    await reads.begin(C, "c0")
    await reads.end("a0")
    assert reads.begun == ["a0", "b0", "c0", "a1"]


async def test_a_tenant_with_a_full_line_is_refused_and_no_other_one() -> None:
    reads = Reads(Gate(slots=2, tenant_slots=1, tenant_waiting_max=2))
    for number in range(3):
        await reads.begin(A, f"a{number}")
    refused = [await reads.begin(A, f"refused {number}") for number in range(3)]
    for task in refused:
        with pytest.raises(RateLimited):
            await task
    await reads.begin(B, "b0")
    assert reads.begun == ["a0", "b0"]


async def test_all_together_may_not_wait_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "queued_reads_max", 2)
    reads = Reads(Gate(slots=1, tenant_slots=1, tenant_waiting_max=10))
    for name, tenant in (("a0", A), ("b0", B), ("c0", C)):
        await reads.begin(tenant, name)
    with pytest.raises(Overloaded):
        await (await reads.begin(A, "a1"))


async def test_who_waits_too_long_hears_whose_doing_it_is() -> None:
    reads = Reads(Gate(slots=2, tenant_slots=1, tenant_waiting_max=10), patience_s=0.02)
    await reads.begin(A, "a0")
    with pytest.raises(RateLimited):
        await (await reads.begin(A, "a1"))
    await reads.begin(B, "b0")
    with pytest.raises(Overloaded):
        await (await reads.begin(C, "c0"))
    # Nothing is left of them: the next ones go on as if they had not been there.
    await reads.end("a0")
    await reads.begin(C, "c1")
    assert reads.begun == ["a0", "b0", "c1"]


async def test_who_waits_where_one_tenant_may_have_everything_runs_out_of_time() -> None:
    reads = Reads(Gate(slots=1, tenant_slots=1, tenant_waiting_max=10), patience_s=0.02)
    await reads.begin(A, "a0")
    for tenant in (A, B):
        with pytest.raises(TimeoutError):
            await (await reads.begin(tenant, "waiting"))


async def test_who_goes_away_leaves_line_and_slot_to_the_others() -> None:
    reads = Reads(Gate(slots=1, tenant_slots=1, tenant_waiting_max=10))
    running = await reads.begin(A, "a0")
    waiting = await reads.begin(A, "a1")
    await reads.begin(B, "b0")
    waiting.cancel()
    await settle()
    running.cancel()
    await settle()
    assert reads.begun == ["a0", "b0"]


async def test_a_slot_that_comes_with_the_reason_not_to_wait_is_given_on() -> None:
    reads = Reads(Gate(slots=1, tenant_slots=1, tenant_waiting_max=10))
    running = await reads.begin(A, "a0")
    waiting = await reads.begin(A, "a1")
    await reads.begin(B, "b0")
    # The slot is given on as the first one ends; who gets it is cancelled before it could notice.
    running.cancel()
    await asyncio.sleep(0)
    waiting.cancel()
    await settle()
    assert reads.begun == ["a0", "b0"]
