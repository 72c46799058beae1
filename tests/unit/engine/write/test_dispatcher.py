"""Dispatcher: heavy commands delay no other tenant, and a tenant is with one writer at a time."""

import asyncio
import random
from collections.abc import AsyncIterator, Generator, Iterable
from contextlib import asynccontextmanager

import pytest

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.customers import CreateCustomer
from fastpay.domain.ledger_accounts import CreateLedgerAccount
from fastpay.domain.ledger_batches import BatchItems, CreateLedgerBatch
from fastpay.domain.plan import Command, Draft, Workspace
from fastpay.engine.failures import RefusedBatch
from fastpay.engine.ports import Outcome, Submission
from fastpay.engine.write.dispatcher import Dispatcher
from fastpay.engine.write.writer import Writer
from fastpay.errors import Overloaded
from tests.support.memory import OTHER_TENANT, TENANT, MemoryStore, State, check_books, submission
from tests.support.world import PAY
from tests.unit.engine.write.test_writer import created
from tests.unit.engine.write.test_writer_ahead import JOIN, turns


class Heavy(CreateCustomer, frozen=True, kw_only=True):
    """A command that belongs to the bulk writer."""

    weight: int = limits.plain_weight_max + 2


HEAVY = Heavy(fields={"name": "Ada"})


class Beside(MemoryStore):
    """The same database as another store's, on connections of its own."""

    def __init__(self, other: MemoryStore) -> None:
        self._other = other
        super().__init__()
        self.lock = other.lock

    @property
    def state(self) -> State:
        """What is committed."""
        return self._other.state

    @state.setter
    def state(self, state: State) -> None:
        # Until the first batch nothing is there but what the other store began with.
        if self.batches_begun:
            self._other.state = state

    @property
    def batches_begun(self) -> int:
        """How many batches were begun."""
        return getattr(self, "batches", 0)


class Stand:
    """Both writers over one database."""

    def __init__(self) -> None:
        self.plain_store = MemoryStore()
        self.bulk_store = Beside(self.plain_store)
        self.plain = Writer(
            self.plain_store, clock=SystemClock(), batch_weight_max=limits.plain_batch_weight_max
        )
        self.bulk = Writer(self.bulk_store, clock=SystemClock())
        self.dispatcher = Dispatcher(self.plain, self.bulk)

    def start(self, submitted: Submission) -> "asyncio.Task[Outcome]":
        """Submit without waiting."""
        return asyncio.create_task(self.dispatcher.submit(submitted))


@asynccontextmanager
async def standing(*, only_payments: bool = True) -> AsyncIterator[Stand]:
    """Run both writers for the block."""
    stand = Stand()
    stand.dispatcher.start()
    try:
        yield stand
    finally:
        for store in (stand.plain_store, stand.bulk_store):
            store.gate.set()
            store.loads_gate.set()
        await stand.dispatcher.close()
    if only_payments:
        check_books(stand.plain_store)
    # Neither writer has met the other one's work at a tenant: each was alone with it.
    assert (stand.plain.loop.pipeline.locked_left, stand.bulk.loop.pipeline.locked_left) == (0, 0)


async def test_heavy_commands_at_the_database_hold_up_no_other_tenants_plain_ones() -> None:
    async with standing() as stand:
        stand.bulk_store.gate.clear()
        heavy = [stand.start(submission(HEAVY)) for _ in range(6)]
        await turns()
        for _ in range(3):
            outcome = await stand.dispatcher.submit(submission(PAY, scope=OTHER_TENANT))
            assert outcome.answer.error is None
        assert not any(task.done() for task in heavy)


async def test_a_tenant_moves_when_the_plain_writer_has_answered_all_it_held() -> None:
    async with standing() as stand:
        stand.plain_store.gate.clear()
        before = [stand.start(submission(JOIN)) for _ in range(3)]
        await turns()
        heavy = stand.start(submission(HEAVY))
        after = stand.start(submission(JOIN))
        await turns()
        assert stand.bulk_store.batches == 0
        stand.plain_store.gate.set()
        await asyncio.gather(*before, heavy, after)
        assert sum(stand.bulk_store.sizes) == 2
        assert sum(stand.plain_store.sizes) == 3


async def test_a_tenant_comes_back_with_the_first_plain_command_after_its_heavy_ones() -> None:
    async with standing() as stand:
        intent = created(await stand.dispatcher.submit(submission(PAY)))
        await stand.dispatcher.submit(submission(HEAVY))
        assert intent != created(await stand.dispatcher.submit(submission(PAY)))
        assert (sum(stand.plain_store.sizes), sum(stand.bulk_store.sizes)) == (2, 1)
        await stand.dispatcher.submit(submission(HEAVY))
        assert sum(stand.bulk_store.sizes) == 2


async def test_a_key_is_used_once_across_both_writers() -> None:
    async with standing() as stand:
        first = await stand.dispatcher.submit(submission(JOIN, key="k"))
        stand.bulk_store.gate.clear()
        heavy = stand.start(submission(HEAVY))
        await turns()
        again = stand.start(submission(JOIN, key="k"))
        await turns()
        stand.bulk_store.gate.set()
        await heavy
        assert created(await again) == created(first)
        assert created(await stand.dispatcher.submit(submission(JOIN, key="k"))) == created(first)


@pytest.mark.parametrize("seed", range(8))
async def test_however_commands_come_each_tenant_is_with_one_writer_at_a_time(seed: int) -> None:
    chance = random.Random(seed)
    commands: list[Command] = [JOIN, JOIN, PAY, HEAVY]
    async with standing() as stand:
        tasks: list[asyncio.Task[Outcome]] = []
        for _ in range(120):
            scope = chance.choice([TENANT, OTHER_TENANT])
            tasks.append(stand.start(submission(chance.choice(commands), scope=scope)))
            if chance.random() < 0.02:
                tasks[-1].cancel()
            await turns(chance.randrange(4))
            for writer in (stand.plain, stand.bulk):
                for other in (TENANT, OTHER_TENANT):
                    beside = stand.bulk if writer is stand.plain else stand.plain
                    batches = [one.loop.pipeline.committing for one in (writer, beside)]
                    both = all(batch is not None and batch.concerns(other) for batch in batches)
                    assert not both
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(
        isinstance(result, asyncio.CancelledError) or getattr(result, "answer", None) for result in results
    )


async def test_a_tenant_whose_heavy_commands_were_dropped_stays_with_the_plain_writer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with standing() as stand:
        stand.plain_store.gate.clear()
        plain = stand.start(submission(JOIN))
        await turns()
        heavy = stand.start(submission(HEAVY))
        await turns()
        monkeypatch.setattr(limits, "queued_weight_max", HEAVY.weight + 1)
        # There is no room for both, and this tenant has nothing in line.
        other = stand.start(submission(Heavy(fields={}, weight=HEAVY.weight - 1), scope=OTHER_TENANT))
        await turns()
        monkeypatch.undo()
        with pytest.raises(Overloaded):
            await heavy
        next_one = stand.start(submission(JOIN))
        await turns()
        stand.plain_store.gate.set()
        await asyncio.gather(plain, next_one, other)
        assert sum(stand.plain_store.sizes) == 2


class Stepping(CreateLedgerBatch, frozen=True, kw_only=True):
    """A batch that says how far it is."""

    seen: list[str]

    def steps(self, workspace: Workspace, draft: Draft) -> Generator[None, None, str]:
        """Decide, and take note of every step."""
        steps = super().steps(workspace, draft)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return str(end.value)
            self.seen.append("step")
            yield

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return self.items.accounts


async def make_stepping(stand: Stand, transfers: int) -> Stepping:
    """Open two accounts, and return a batch of so many transfers between them."""
    opened = CreateLedgerAccount(currency="usd", code="wallet", normal_side="C")
    accounts = [created(await stand.dispatcher.submit(submission(opened))) for _ in range(2)]
    columns = [0] * transfers, [1] * transfers, [5] * transfers, [0] * transfers
    return Stepping(items=BatchItems(accounts, *columns), seen=[])


async def test_others_have_the_loop_between_the_steps_of_a_heavy_command() -> None:
    async with standing(only_payments=False) as stand:
        batch = await make_stepping(stand, limits.ledger_batch_transfers_max)
        running = stand.start(submission(batch))
        while not running.done():
            batch.seen.append("turn")
            await asyncio.sleep(0)
        assert (await running).answer.error is None
    steps = batch.seen.count("step")
    assert steps >= limits.ledger_batch_transfers_max // limits.transfers_at_once_max
    # Never two steps without a turn of the loop between them.
    assert "step step" not in " ".join(batch.seen)


async def test_a_heavy_command_that_others_fall_with_is_decided_anew() -> None:
    async with standing(only_payments=False) as stand:
        batch = await make_stepping(stand, 4 * limits.transfers_at_once_max)
        stand.bulk_store.gate.clear()
        first = stand.start(submission(Heavy(fields={"name": "Ada"})))
        await turns()
        heavy = stand.start(submission(batch))
        while not batch.seen:
            await turns(1)
        # What it is being decided on is refused, and written one by one after that.
        stand.bulk_store.failures = [RefusedBatch("23514", "a_test_refuses")]
        stand.bulk_store.gate.set()
        assert (await heavy).answer.error is None
        assert (await first).answer.error is None
        assert (
            len([one for one in stand.plain_store.state.events if one[1].type == "ledger.batch.created"]) == 1
        )


async def test_after_closing_both_writers_refuse_commands() -> None:
    stand = Stand()
    stand.dispatcher.start()
    stand.dispatcher.admit(TENANT)
    await stand.dispatcher.close()
    with pytest.raises(Overloaded):
        stand.dispatcher.admit(TENANT)
    for command in (JOIN, HEAVY):
        with pytest.raises(Overloaded):
            await stand.dispatcher.submit(submission(command))
