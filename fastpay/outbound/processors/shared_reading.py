"""Reads a list to its end once for all that look for something in it, one reading at a time.

A server without searches shows what became of an order in its whole list only. If dozens of inquiries read
that at once, a slow server answers none of them in time, and those that pay at it get no answer either.

    look, look, look ---> next reading ---> it begins once the one before is over ---> pages ---> over

Who comes while the list is being read waits for the next reading: what was read before says nothing about
an order that arrived later. A reading ends early if nobody follows it any more.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from fastpay.engine.processors.ports import Outcome


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

    def __init__(self, read: Callable[[], Pages[Object]]) -> None:
        """`read` yields the pages, and at last why there are no more if the end cannot be reached."""
        self._read = read
        # The one that has not begun, and the one that began last.
        self._next: _Reading[Object] | None = None
        self._begun: asyncio.Task[None] | None = None

    async def look(self, reference: str) -> Sequence[Object] | Outcome:
        """Return what has a reference on the first page with any of it, and nothing if the list has none.

        Raises: what `read` raises.
        """
        if self._next is None:
            self._next = _Reading()
            self._next.task = asyncio.create_task(self._go_through(self._next), name="read a list")
        reading = self._next
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

    async def _go_through(self, reading: "_Reading[Object]") -> None:
        if self._begun is not None:
            await asyncio.wait((self._begun,))
        self._next, self._begun = None, reading.task
        try:
            async for page in self._read():
                if isinstance(page, Outcome):
                    reading.ended = page
                    break
                reading.pages.append(page)
                reading.turn()
        except Exception as error:  # noqa: BLE001  each of those that follow it raises it
            reading.error = error
        finally:
            reading.is_over = True
            reading.turn()


class _Reading(Generic[Object]):
    def __init__(self) -> None:
        self.pages: list[Sequence[Object]] = []
        self.ended: Outcome | None = None
        self.error: Exception | None = None
        self.is_over = False
        self.followers = 0
        self.task: asyncio.Task[None] | None = None
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
