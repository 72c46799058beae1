"""The one who forgets first answers: block after block, with pauses, from where it stopped."""

import asyncio
from collections import Counter

import pytest

from fastpay import limits
from fastpay.engine.housekeeping import Housekeeper
from fastpay.engine.ports import Purged
from fastpay.errors import DatabaseUnavailable

STEP = limits.purge_blocks_max
HOUR_MS = 3_600_000


class Time:
    """A clock that only moves when somebody works or sleeps, and whose chance is known."""

    def __init__(self, chance: int = 0) -> None:
        self.passed_ms = 0.0
        self.chance = chance

    def now_ms(self) -> int:
        return 50 * HOUR_MS + int(self.passed_ms)

    def monotonic_ns(self) -> int:
        return int(self.passed_ms * 1_000_000)

    def random_bytes(self, count: int) -> bytes:
        return self.chance.to_bytes(count, "big")


class Table:
    """A table of so many blocks, each with one row that is too old."""

    def __init__(self, time: Time, blocks: int, *, step_ms: float = 1) -> None:
        self.time = time
        self.blocks = blocks
        self.step_ms = step_ms
        self.looked_at: Counter[int] = Counter()
        self.asked: list[tuple[int, int]] = []
        self.fails_at: int | None = None

    async def purge_idempotency(
        self, first_block: int, blocks_max: int, *, retention_hours: int, now_ms: int
    ) -> Purged:
        if first_block == self.fails_at:
            raise DatabaseUnavailable("away")
        assert blocks_max == STEP
        self.time.passed_ms += self.step_ms
        self.asked.append((retention_hours, now_ms))
        seen = range(first_block, min(first_block + blocks_max, self.blocks))
        rows = sum(block not in self.looked_at for block in seen)
        self.looked_at.update(seen)
        return Purged(rows=rows, blocks=self.blocks)


def keeper(table: Table, *, hours: int = 24) -> Housekeeper:
    """Return who keeps house in this table."""
    return Housekeeper(table, clock=table.time, retention_hours=hours)


@pytest.fixture
def pauses_ms(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Make pauses take no time, and note them."""
    noted: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        noted.append(seconds * 1000)
        await sleep(0)

    monkeypatch.setattr("fastpay.engine.housekeeping.asyncio.sleep", note)
    return noted


@pytest.mark.parametrize("blocks", [0, 1, STEP - 1, STEP, STEP + 1, 10 * STEP, 10 * STEP + 1])
@pytest.mark.usefixtures("pauses_ms")
def test_a_sweep_sees_every_block_once(blocks: int) -> None:
    table = Table(Time(), blocks)
    assert asyncio.run(keeper(table).sweep()) == blocks
    assert table.looked_at == Counter(range(blocks))


@pytest.mark.parametrize("chance", [0, 1, 3 * STEP + 5, 2**64 - 1])
@pytest.mark.usefixtures("pauses_ms")
def test_wherever_the_first_sweep_began_the_second_sees_all(chance: int) -> None:
    table = Table(Time(chance), 10 * STEP)
    sweeps = keeper(table)
    first = asyncio.run(sweeps.sweep())
    assert first == len(table.looked_at) == 10 * STEP - chance % (9 * STEP)
    assert asyncio.run(sweeps.sweep()) == 10 * STEP - first
    assert set(table.looked_at) == set(range(10 * STEP))


@pytest.mark.parametrize("step_ms", [0.0, 1.0, 40.0, 2_000.0])
def test_the_database_rests_many_times_as_long_as_a_step_took(step_ms: float, pauses_ms: list[float]) -> None:
    table = Table(Time(), 4 * STEP, step_ms=step_ms)
    asyncio.run(keeper(table).sweep())
    # Four steps have three pauses between them.
    assert pauses_ms == pytest.approx([max(limits.purge_pause_ms, 20 * step_ms)] * 3)


@pytest.mark.usefixtures("pauses_ms")
def test_a_sweep_that_broke_off_goes_on_at_the_block_that_it_had_come_to() -> None:
    table = Table(Time(), 5 * STEP)
    table.fails_at = 3 * STEP
    sweeps = keeper(table)
    with pytest.raises(DatabaseUnavailable):
        asyncio.run(sweeps.sweep())
    assert set(table.looked_at) == set(range(3 * STEP))
    table.fails_at = None
    assert asyncio.run(sweeps.sweep()) == 2 * STEP
    assert table.looked_at == Counter(range(5 * STEP))


def test_every_step_is_told_what_time_it_is_by_then(pauses_ms: list[float]) -> None:
    table = Table(Time(), 3 * STEP, step_ms=HOUR_MS)
    asyncio.run(keeper(table, hours=30).sweep())
    assert len(pauses_ms) == 2
    assert table.asked == [(30, 50 * HOUR_MS), (30, 51 * HOUR_MS), (30, 52 * HOUR_MS)]
