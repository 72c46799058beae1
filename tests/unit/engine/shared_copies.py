"""What instances share in Redis, in memory: commands arrive when they are told to, and anything may be lost.

The two scripts stand here a second time, so that reads can be tried in every order; that they do the same as
those in `fastpay/store/lua` is tested on a real Redis.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy

from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Versioned
from fastpay.engine.read.copy_ports import Found

Place = tuple[Scope, str]


class SharedState:
    """Marks and copies. `ticks` stands for the clock of Redis, `patience` for how long a mark may wait."""

    def __init__(self, *, patience: int = 3) -> None:
        self.marks: dict[Scope, tuple[int, int, int]] = {}
        self.copies: dict[Place, tuple[int, Versioned]] = {}
        self.ticks = 0
        self._patience = patience
        self._generations = 0

    def new_generation(self) -> int:
        """Return one that was never used, not even before everything was put back."""
        self._generations += 1
        return self._generations

    def prime(self, scope: Scope, before: int, after: int, versions: Sequence[Versioned]) -> int:
        """Do as `copies_prime.lua` does."""
        mark = self.marks.get(scope)
        if mark is not None and mark[2] == before:
            generation, outcome = mark[0], 1
        elif mark is not None and mark[2] >= after:
            return 0
        else:
            generation, outcome = self.new_generation(), 2
        self.marks[scope] = (generation, self.ticks, after)
        for versioned in versions:
            self.copies[scope, versioned.object.id] = (generation, versioned)
        return outcome

    def fill(self, scope: Scope, read: int, versions: Sequence[Versioned]) -> int:
        """Do as `copies_fill.lua` does."""
        mark = self.marks.get(scope)
        if mark is not None and mark[2] > read:
            return 0
        if mark is not None and (mark[2] == read or self.ticks - mark[1] <= self._patience):
            generation, outcome = mark[0], 1
        else:
            generation, outcome = self.new_generation(), 2
            self.marks[scope] = (generation, self.ticks, read)
        for versioned in versions:
            self.copies[scope, versioned.object.id] = (generation, versioned)
        return outcome

    def find(self, wanted: Sequence[Place]) -> Found:
        """Return the copies that belong to their marks."""
        copies = {}
        for place in wanted:
            generation, versioned = self.copies.get(place, (0, None))
            if versioned is not None and self.marks.get(place[0], (-1, 0, 0))[0] == generation:
                copies[place] = versioned
        marked = {scope for scope, _ in wanted if scope in self.marks}
        return Found({scope: self.marks[scope][2] for scope in marked}, copies)

    def save(self) -> object:
        """Return all that is there."""
        return deepcopy((self.marks, self.copies))

    def put_back(self, saved: object) -> None:
        """Go back to what was there."""
        assert isinstance(saved, tuple)
        self.marks, self.copies = deepcopy(saved)


class MemoryCopies:
    """Satisfies `CopyStore`. What one instance sends arrives in its order, when `deliver` is called.

    A question is answered by how things are then, and the answer arrives when `reply` is called. Where it is
    not `is_held`, all of that happens at once.
    """

    def __init__(self, state: SharedState, *, is_held: bool = False) -> None:
        self.state = state
        self.is_open = True
        self.is_held = is_held
        self.asked: list[Sequence[Place]] = []
        self.underway: deque[Callable[[], object]] = deque()
        self.replies: deque[tuple[asyncio.Future[Found], Found]] = deque()
        self._waiting: list[asyncio.Future[Found]] = []

    def wants(self, identifier: str) -> bool:
        """Want everything."""
        return self.is_open

    async def find(self, wanted: Sequence[Place]) -> Found:
        """Return what is there when the question arrives."""
        self.asked.append(wanted)
        future: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._send(lambda: self.replies.append((future, self.state.find(wanted))))
        return await future

    def prime(self, scope: Scope, before: int, after: int, versions: Sequence[Versioned]) -> None:
        """Send a commit on its way."""
        latest = {one.object.id: one for one in versions}
        self._send(lambda: self.state.prime(scope, before, after, list(latest.values())))

    def fill(self, scope: Scope, sequence: int, versions: Sequence[Versioned]) -> None:
        """Send what was read on its way."""
        self._send(lambda: self.state.fill(scope, sequence, list(versions)))

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
        """Lose all that is on its way; nobody who waits is answered with anything."""
        self.underway.clear()
        self.replies.clear()
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(Found({}, {}))

    def _send(self, command: Callable[[], object]) -> None:
        self.underway.append(command)
        if not self.is_held:
            self.deliver()
            self.reply()
