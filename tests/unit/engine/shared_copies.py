"""A shared cache in memory: commands arrive when they are told to, and anything may be lost."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Versioned
from fastpay.engine.read.copy_ports import Copy

Key = tuple[Scope, str]
Found = Mapping[Key, Copy]


class MemoryCopies:
    """Satisfies `CopyStore`. What one instance sends arrives in its order, when `deliver` is called.

    A question is answered by what is held then, and the answer arrives when `reply` is called. If it is not
    `is_held`, all of that happens at once. `held` is shared by all instances.
    """

    def __init__(self, held: dict[Key, Copy], *, is_held: bool = False) -> None:
        self.held = held
        self.is_open = True
        self.is_held = is_held
        self.asked: list[Sequence[Key]] = []
        self.underway: deque[Callable[[], object]] = deque()
        self.replies: deque[tuple[asyncio.Future[Found], Found]] = deque()
        self._waiting: list[asyncio.Future[Found]] = []

    def wants(self, identifier: str) -> bool:
        """Want everything."""
        return self.is_open

    async def find(self, wanted: Sequence[Key]) -> Found:
        """Return what is there when the question arrives."""
        self.asked.append(wanted)
        future: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._send(lambda: self.replies.append((future, self._look(wanted))))
        return await future

    def judge(self, *, looked_for: int, shown: int) -> None:
        """Want everything, whatever it is worth."""

    def keep(self, scope: Scope, sequence: int, versions: Sequence[Versioned]) -> None:
        """Send what was read on its way."""
        copies = {(scope, one.object.id): Copy(one, sequence) for one in versions}
        self._send(lambda: self.held.update(copies))

    def counts(self) -> Mapping[str, int]:
        """Count nothing."""
        return {}

    def deliver(self) -> None:
        """Let the oldest of what is on its way arrive."""
        if self.underway:
            self.underway.popleft()()

    def reply(self) -> None:
        """Let the oldest answer arrive."""
        if self.replies:
            future, found = self.replies.popleft()
            if not future.done():
                future.set_result(found)

    def cut(self) -> None:
        """Lose all that is on its way; whoever waits finds nothing."""
        self.underway.clear()
        self.replies.clear()
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result({})

    def _look(self, wanted: Sequence[Key]) -> Found:
        return {key: self.held[key] for key in wanted if key in self.held}

    def _send(self, command: Callable[[], object]) -> None:
        self.underway.append(command)
        if not self.is_held:
            self.deliver()
            self.reply()
