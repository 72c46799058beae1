"""Reads a list to its end once for all that look for something in it, one reading at a time.

A server without searches shows what became of an order in its whole list only. If dozens of inquiries read
that at once, a slow server answers none of them in time, and those that pay at it get no answer either.

    the list is being read          who looks now follows
    -----------------------------   ------------------------------------------------------
    since `since_ms`, or later      this reading, from its first page
    since before, or not at all     the next reading, which begins once this one is over

A reading ends early if nobody follows it any more.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from fastpay.clock import Clock
from fastpay.engine.processors.ports import Outcome
from fastpay.outbound.http import NoAnswerError


class Referenced(Protocol):
    """An object that may have our reference."""

    @property
    def id(self) -> str:
        """Return what the server calls it."""

    @property
    def reference(self) -> str | None:
        """Return the reference."""


Object = TypeVar("Object", bound=Referenced)
Pages = AsyncIterator[Sequence[Object] | Outcome]


class SharedReading(Generic[Object]):
    """Looks through the pages of one list. It belongs to the event loop of its first look."""

    def __init__(self, read: Callable[[], Pages[Object]], clock: Clock) -> None:
        """`read` yields the pages, and at last why there are no more if the end cannot be reached."""
        self._read = read
        self._clock = clock
        # The one that has not begun, and the one that began last.
        self._next: _Reading[Object] | None = None
        self._begun: _Reading[Object] | None = None

    async def look(self, reference: str, *, since_ms: int | None) -> Sequence[Object] | Outcome:
        """Return what has a reference on the first page with any of it, and nothing if the list has none.

        The reading has begun at `since_ms` or later, by the wall clock; None is now. Raises: NoAnswerError,
        and what `read` raises.
        """
        reading = self._choose(since_ms)
        reading.followers += 1
        try:
            return await reading.look(reference)
        finally:
            reading.followers -= 1
            if not reading.followers:
                assert reading.task is not None
                reading.task.cancel()
                if self._next is reading:
                    self._next = None

    def _choose(self, since_ms: int | None) -> "_Reading[Object]":
        begun = self._begun
        # Nobody follows a reading that all have left: it is being cancelled.
        is_open = begun is not None and not begun.is_over and begun.followers > 0
        if begun is not None and is_open and since_ms is not None and begun.begun_ms >= since_ms:
            return begun
        if self._next is None:
            self._next = _Reading()
            self._next.task = asyncio.create_task(self._go_through(self._next, begun), name="read a list")
        return self._next

    async def _go_through(self, reading: "_Reading[Object]", before: "_Reading[Object] | None") -> None:
        try:
            if before is not None and before.task is not None:
                await asyncio.wait((before.task,))
            self._next, self._begun = None, reading
            reading.begun_ms = self._clock.now_ms()
            async for page in self._read():
                if isinstance(page, Outcome):
                    reading.ended = page
                    break
                reading.pages.append(page)
                reading.turn()
                # Who has found something leaves first: for the last one there is no next page.
                await asyncio.sleep(0)
            reading.error = None
        except Exception as error:  # noqa: BLE001  each of those that follow it raises it
            reading.error = error
        finally:
            reading.is_over = True
            reading.turn()
            # Those that follow it have it. Nobody else needs its pages.
            if self._begun is reading:
                self._begun = None


class _Reading(Generic[Object]):
    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.followers = 0
        self.begun_ms = 0
        self.pages: list[Sequence[Object]] = []
        self.ended: Outcome | None = None
        # A reading that is cut off proves nothing.
        self.error: Exception | None = NoAnswerError("the reading of the list was given up")
        self.is_over = False
        self._turned = asyncio.Event()

    def turn(self) -> None:
        """Wake those that wait for a page."""
        self._turned.set()
        self._turned = asyncio.Event()

    async def look(self, reference: str) -> Sequence[Object] | Outcome:
        """Follow the pages as they come."""
        seen = 0
        while True:
            while seen < len(self.pages):
                found = [one for one in self.pages[seen] if one.reference == reference]
                if found:
                    return found
                seen += 1
            if self.is_over:
                break
            await self._turned.wait()
        if self.error is not None:
            raise self.error
        return [] if self.ended is None else self.ended
