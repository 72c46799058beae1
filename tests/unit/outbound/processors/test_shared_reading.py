"""fastpay/outbound/processors/shared_reading.py: who shares a reading of a list, and who must not."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec
import pytest

from fastpay.engine.processors.ports import Outcome
from fastpay.outbound.http import NoAnswerError
from fastpay.outbound.processors.shared_reading import SharedReading
from tests.unit.engine.hand_clock import HandClock


class Thing(msgspec.Struct, frozen=True):
    """Something in a list."""

    id: str
    reference: str | None


PAGES = [[Thing("1", None), Thing("2", "a")], [Thing("3", "b")], [Thing("4", "c"), Thing("5", "c")]]
MANY, PATIENCE_SECONDS = 32, 30


class Listing:
    """A list whose pages come when they are let go."""

    def __init__(self, *, last: Outcome | BaseException | None = None) -> None:
        self.begun = self.open = self.open_max = self.read_pages = 0
        self.pages: list[Sequence[Thing]] = [*PAGES]
        self._last = last
        self._let_go = asyncio.Semaphore(0)

    def let_go(self, pages: int) -> None:
        """Have so many pages come."""
        for _ in range(pages):
            self._let_go.release()

    async def read(self) -> AsyncIterator[Sequence[Thing] | Outcome]:
        """Yield the pages."""
        self.begun += 1
        self.open += 1
        self.open_max = max(self.open, self.open_max)
        try:
            for page in list(self.pages):
                await self._let_go.acquire()
                self.read_pages += 1
                yield page
            if isinstance(self._last, Outcome):
                yield self._last
            elif self._last is not None:
                raise self._last
        finally:
            self.open -= 1


async def settle(done: Callable[[], bool] = lambda: False) -> None:
    """Let tasks run until they wait for something."""
    for _ in range(50):
        if done():
            return
        await asyncio.sleep(0)


async def test_all_that_come_together_share_one_reading_and_the_first_page_answers_at_once() -> None:
    listing = Listing()
    reading = SharedReading(listing.read, HandClock())
    looks = [asyncio.create_task(reading.look(name, since_ms=None)) for name in ["a", "b", "c", "d"] * MANY]
    listing.let_go(1)
    await settle()
    assert [look.done() for look in looks[:4]] == [True, False, False, False]
    listing.let_go(2)
    found = await asyncio.gather(*looks)
    assert [[one.id for one in each] for each in found[:4] if not isinstance(each, Outcome)] == [
        ["2"],
        ["3"],
        ["4", "5"],
        [],
    ]
    assert listing.begun == 1


async def test_who_comes_during_a_reading_is_answered_by_the_next_one_only() -> None:
    """What arrived after its page was read would be taken for something that never came."""
    listing = Listing()
    reading = SharedReading(listing.read, HandClock())
    first = asyncio.create_task(reading.look("d", since_ms=None))
    await settle(lambda: listing.begun == 1)
    listing.let_go(1)
    await settle()
    listing.pages[0] = [*PAGES[0], Thing("6", "d")]
    others = [asyncio.create_task(reading.look("d", since_ms=None)) for _ in range(MANY)]
    await settle()
    assert listing.begun == 1
    listing.let_go(2 * len(PAGES))
    assert await first == []
    assert await asyncio.gather(*others) == [[Thing("6", "d")]] * MANY
    assert (listing.begun, listing.open_max) == (2, 1)


async def test_who_may_rely_on_the_reading_of_now_follows_it_from_its_first_page() -> None:
    """Those of one round come one after the other: if most of them waited, they would be late."""
    listing, clock = Listing(), HandClock()
    reading = SharedReading(listing.read, clock)
    first = asyncio.create_task(reading.look("d", since_ms=None))
    await settle(lambda: listing.begun == 1)
    listing.let_go(1)
    await settle()
    begun_ms = clock.now_ms()
    clock.advance_ms(1)
    looks = {
        since_ms: asyncio.create_task(reading.look("a", since_ms=since_ms))
        for since_ms in (begun_ms - 1, begun_ms, begun_ms + 1, clock.now_ms(), None)
    }
    await settle()
    assert [since_ms for since_ms, look in looks.items() if look.done()] == [begun_ms - 1, begun_ms]
    listing.let_go(2 * len(PAGES))
    assert await asyncio.gather(*looks.values()) == [[PAGES[0][1]]] * len(looks)
    assert await first == []
    assert listing.begun == 2


async def test_nothing_is_read_behind_the_page_that_answers_the_last_one() -> None:
    listing = Listing()
    listing.let_go(len(PAGES))
    assert await SharedReading(listing.read, HandClock()).look("b", since_ms=None) == PAGES[1]
    await settle(lambda: listing.open == 0)
    assert listing.read_pages == 2


async def test_a_reading_that_is_over_keeps_no_page() -> None:
    listing = Listing()
    listing.let_go(len(PAGES))
    listing.pages[0] = page = _Page(PAGES[0])
    reading = SharedReading(listing.read, HandClock())
    assert await reading.look("d", since_ms=None) == []
    await settle(lambda: listing.open == 0)
    await settle()
    kept, listing.pages = weakref.ref(page), []
    del page
    gc.collect()
    assert kept() is None


class _Page(list[Thing]):
    """A page that can be referred to weakly."""


async def test_a_reading_that_is_cut_off_proves_nothing() -> None:
    listing = Listing(last=asyncio.CancelledError())
    listing.let_go(len(PAGES))
    with pytest.raises(NoAnswerError):
        await SharedReading(listing.read, HandClock()).look("d", since_ms=None)


async def test_a_reading_ends_once_nobody_follows_it_and_the_next_one_waits_for_that() -> None:
    listing = Listing()
    reading = SharedReading(listing.read, HandClock())
    first = asyncio.create_task(reading.look("d", since_ms=None))
    await settle(lambda: listing.begun == 1)
    left = asyncio.create_task(reading.look("d", since_ms=None))
    await settle()
    # It gives up before its reading has begun, and the one after it does not begin beside the first.
    left.cancel()
    await settle()
    last = asyncio.create_task(reading.look("b", since_ms=None))
    await settle()
    assert (listing.begun, listing.open) == (1, 1)
    first.cancel()
    listing.let_go(2)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await last == PAGES[1]
    await settle(lambda: listing.open == 0)
    assert (listing.begun, listing.open, listing.open_max) == (2, 0, 1)
    assert left.cancelled()


@pytest.mark.parametrize("last", [Outcome(status="unknown", reason="no more"), OSError("lost")])
async def test_a_list_that_cannot_be_read_to_its_end_proves_nothing_to_any(last: Outcome | OSError) -> None:
    listing = Listing(last=last)
    reading = SharedReading(listing.read, HandClock())
    looks = [asyncio.create_task(reading.look(name, since_ms=None)) for name in ["d"] * MANY + ["b"]]
    listing.let_go(len(PAGES))
    *none, found = await asyncio.gather(*looks, return_exceptions=True)
    assert none == [last] * MANY
    assert found == PAGES[1]
    listing.let_go(len(PAGES))
    assert await reading.look("a", since_ms=None) == [PAGES[0][1]]
