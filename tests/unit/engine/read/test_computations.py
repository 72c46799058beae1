"""Steps of long computations: one in each turn of the loop, tenants in turn, and who is gone costs none."""

import asyncio

from fastpay.domain.identifiers import Scope
from fastpay.engine.read.computations import Computations
from tests.support.memory import OTHER_TENANT, TENANT


class Work:
    """Computations that note each of their steps, and the turn of the loop that it was taken in."""

    def __init__(self) -> None:
        self.computations = Computations()
        self.taken: list[tuple[str, int]] = []
        self._turn = 0

    async def count_turns(self) -> None:
        """Count the turns of the loop until cancelled."""
        while True:
            self._turn += 1
            await asyncio.sleep(0)

    async def compute(self, name: str, scope: Scope, steps: int = 3) -> None:
        """Take so many steps."""
        computation = self.computations.begin(scope)
        for _ in range(steps):
            await computation.step()
            self.taken.append((name, self._turn))

    async def run(self, *tasks: "asyncio.Task[None]") -> str:
        """Return the names of those that took a step, in order."""
        turns = asyncio.create_task(self.count_turns())
        await asyncio.gather(*tasks, return_exceptions=True)
        turns.cancel()
        return "".join(name for name, _ in self.taken)


async def test_no_two_steps_are_taken_in_one_turn_of_the_loop() -> None:
    work = Work()
    await work.run(*(asyncio.create_task(work.compute(name, TENANT)) for name in "abcdefgh"))
    turns = [turn for _, turn in work.taken]
    assert len(turns) == len(set(turns)) == 24


async def test_tenants_alternate_and_within_one_who_began_first_goes_first() -> None:
    work = Work()
    flood = [asyncio.create_task(work.compute(name, TENANT)) for name in "abc"]
    other = asyncio.create_task(work.compute("o", OTHER_TENANT))
    order = await work.run(*flood, other)
    assert order.replace("o", "") == "aaabbbccc"
    assert order.rindex("o") <= 6


async def test_who_is_gone_takes_no_step_and_keeps_nobody_waiting() -> None:
    work = Work()
    first, second = (asyncio.create_task(work.compute(name, TENANT)) for name in "ab")
    await asyncio.sleep(0)
    first.cancel()
    assert await work.run(first, second) == "bbb"
    assert await work.run(asyncio.create_task(work.compute("c", TENANT))) == "bbbccc"
    assert not work.computations._lines
