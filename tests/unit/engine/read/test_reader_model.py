"""Two readers over one database against what they promise, however reads, commits and announcements
interleave, and whatever becomes of the copies that they share."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import event, given, settings
from hypothesis import strategies as st

from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Versioned
from fastpay.engine.ports import Commit, Filter, Page
from fastpay.engine.read.copy_ports import Answers, Copy, Seen
from fastpay.engine.read.reader import Reader
from fastpay.errors import DatabaseUnavailable
from tests.support.memory import OTHER_TENANT, TENANT
from tests.support.seeds import size
from tests.unit.engine.readings import HandClock, Objects, settle
from tests.unit.engine.shared_copies import Key, MemoryCopies

STALENESS_MS = 100
STEPS = 250
NAMES = [f"cus_{number:032x}" for number in range(2)]
SCOPES = (TENANT, OTHER_TENANT)

# What may happen next, and how likely it is.
ACTIONS = {
    "write": 6,
    "hear": 8,
    "announce": 6,
    "lose": 1,
    "read": 20,
    "list": 4,
    "look": 8,
    "answer": 12,
    "flush": 3,
    "fail": 1,
    "cancel": 1,
    "confirm": 4,
    "replay": 2,
    "wait": 6,
    "evict": 3,
    "deliver": 20,
    "reply": 12,
    "cut": 1,
    "lose copy": 2,
    "flush copies": 1,
    "save copies": 1,
    "put copies back": 1,
    "close copies": 1,
    "ask": 12,
    "tell": 12,
    "lose question": 1,
    "close homes": 1,
}
# The same with little but copies to read from, and much that becomes of them.
WITH_COPIES = ACTIONS | {
    "write": 5,
    "list": 0,
    "cancel": 0,
    "fail": 0,
    "replay": 1,
    "answer": 6,
    "flush": 10,
    "confirm": 8,
    "wait": 8,
    "deliver": 24,
    "reply": 16,
    "cut": 2,
    "save copies": 3,
    "put copies back": 3,
}
FILTER, PAGE = Filter(kind="cus"), Page(limit=10)


@dataclass
class Read:
    """A read that was begun: what it must not be older than."""

    instance: int
    scope: Scope
    least: dict[str, int]
    task: "asyncio.Task[list[Versioned]]"


class Home:
    """The other instance. Satisfies `Neighbours` and `Neighbour`; frames arrive when they are told to."""

    def __init__(self, reader: Reader) -> None:
        self.is_open = True
        self.underway: list[tuple[Sequence[Key], Answers]] = []
        self.replies: list[tuple[list[Seen | None], Answers]] = []
        self._reader = reader

    def home(self, scope: Scope) -> "Home":
        """Return the home of all tenants."""
        return self

    def wants(self, identifier: str) -> bool:
        """Want everything."""
        return self.is_open

    def find(self, keys: Sequence[Key], answers: Answers) -> None:
        """Send a question on its way."""
        self.underway.append((keys, answers))

    def step(self, action: str) -> None:
        """Let the oldest question arrive, or the oldest answer; or lose all that is on its way."""
        match action:
            case "ask" if self.underway:
                keys, answers = self.underway.pop(0)
                self.replies.append(([self._reader.show(*key) for key in keys], answers))
            case "tell" if self.replies:
                seen, answers = self.replies.pop(0)
                answers(seen)
            case "lose question":
                replies, self.replies = self.replies, []
                underway, self.underway = self.underway, []
                for keys, answers in underway:
                    answers([None] * len(keys))
                for seen, answers in replies:
                    answers([None] * len(seen))
            case "close homes":
                self.is_open = not self.is_open


@dataclass
class World:
    """Two instances, the database under them, and everything that is on its way."""

    clock: HandClock = field(default_factory=HandClock)
    store: Objects = field(default_factory=lambda: Objects(is_held=True))
    readers: list[Reader] = field(default_factory=list)
    # Committed, and the instance has not heard of it yet; then: heard, and the other has not.
    unheard: list[tuple[int, Commit]] = field(default_factory=list)
    unannounced: list[tuple[int, Commit]] = field(default_factory=list)
    # The versions that each instance has acknowledged, those that it has shown in answers to reads of one
    # object, and when every version came about.
    acknowledged: list[dict[Key, int]] = field(default_factory=lambda: [{}, {}])
    shown: list[dict[Key, int]] = field(default_factory=lambda: [{}, {}])
    history: list[tuple[int, Scope, str, int]] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    others: "set[asyncio.Task[None]]" = field(default_factory=set)
    shared: dict[Key, Copy] = field(default_factory=dict)
    copies: list[MemoryCopies] = field(default_factory=list)
    saved: list[dict[Key, Copy]] = field(default_factory=list)
    homes: "list[Home]" = field(default_factory=list)

    def least(self, instance: int, scope: Scope, identifiers: list[str]) -> dict[str, int]:
        """Return the versions that a read which begins now must not be older than."""
        floor = self.clock.ns - STALENESS_MS * 1_000_000
        old = {(owner, name): version for moment, owner, name, version in self.history if moment <= floor}
        known = [old, self.acknowledged[instance]]
        if len(identifiers) == 1:
            # A list may be joined that began before these were shown.
            known.append(self.shown[instance])
        return {name: max(versions.get((scope, name), 0) for versions in known) for name in identifiers}

    async def step(self, action: str, number: int, name: str, scope: Scope) -> None:
        """Do one thing."""
        match action:
            case "write":
                commit = self.store.write(scope, name)
                self.history.append((self.clock.ns, scope, name, commit.versions[0].version))
                self.unheard.append((number, commit))
            case "hear" if self.unheard:
                # A writer hears of its batches in the order that it commits them in.
                instance = self.unheard[number % len(self.unheard)][0]
                place = next(place for place, one in enumerate(self.unheard) if one[0] == instance)
                _, commit = self.unheard.pop(place)
                self.readers[instance].committed([commit])
                written = commit.versions[0]
                note(self.acknowledged[instance], commit.scope, written)
                if written.version > 1:
                    self.unannounced.append((1 - instance, commit))
            case "announce" if self.unannounced:
                instance, commit = self.unannounced.pop(number % len(self.unannounced))
                # Now and then a lie.
                lie = 1_000 if number == 0 else 0
                versions = [(one.object.id, one.version + lie) for one in commit.versions]
                self.readers[instance].heard(commit.scope, versions)
            case "lose" if self.unannounced:
                self.unannounced.pop(number % len(self.unannounced))
            case "read":
                least = self.least(number, scope, [name])
                self.reads.append(
                    Read(number, scope, least, asyncio.create_task(self.get(number, scope, name)))
                )
            case "list":
                least = self.least(number, scope, NAMES)
                self.reads.append(Read(number, scope, least, asyncio.create_task(self.list(number, scope))))
            case "look" if self.store.pending:
                self.store.pending[number % len(self.store.pending)].look()
            case "answer" if self.store.pending:
                self.store.pending.pop(number % len(self.store.pending)).answer()
            case "flush":
                while self.store.pending:
                    self.store.pending.pop(0).answer()
                    await settle()
            case "fail" if self.store.pending:
                self.store.pending.pop(number % len(self.store.pending)).fail(DatabaseUnavailable("Away."))
            case "cancel" if self.reads:
                self.reads.pop(number % len(self.reads)).task.cancel()
            case "confirm":
                self.others.add(asyncio.create_task(self.readers[number].confirmations.confirm()))
            case "replay":
                sequence = self.store.sequences.get(scope, 0)
                self.readers[number].acknowledged(scope, sequence)
                for (owner, _), version in self.store.versions.items():
                    if owner == scope:
                        note(self.acknowledged[number], scope, version)
            case "evict":
                cache = self.readers[number % 2].cache
                for one in range(64):
                    cache.put(cache.partition("another"), f"{self.clock.ns} {one}", 1, None, 1_000)
            case "wait":
                self.clock.advance(number)
            case "ask" | "tell" | "lose question" | "close homes":
                self.homes[number % 2].step(action)
            case _:
                self.change_copies(action, number)
        await settle()
        self.check()

    def change_copies(self, action: str, number: int) -> None:
        """Do something to what the instances share."""
        shared = self.shared
        match action:
            case "deliver":
                self.copies[number % 2].deliver()
            case "reply":
                self.copies[number % 2].reply()
            case "cut":
                self.copies[number % 2].cut()
            case "close copies":
                self.copies[number % 2].is_open = not self.copies[number % 2].is_open
            case "lose copy" if shared:
                del shared[list(shared)[number % len(shared)]]
            case "flush copies":
                shared.clear()
            case "save copies":
                self.saved.append(dict(shared))
            case "put copies back" if self.saved:
                shared.update(self.saved[number % len(self.saved)])

    async def get(self, instance: int, scope: Scope, name: str) -> list[Versioned]:
        """Read one object."""
        found = await self.readers[instance].get(scope, name)
        return [] if found is None else [found]

    async def list(self, instance: int, scope: Scope) -> list[Versioned]:
        """Read a list."""
        return list(await self.readers[instance].list(scope, FILTER, PAGE))

    def check(self) -> None:
        """Hold every read that has ended against its promise."""
        for read in [read for read in self.reads if read.task.done()]:
            self.reads.remove(read)
            error = read.task.exception()
            if error is not None:
                assert isinstance(error, DatabaseUnavailable)
                continue
            found = {one.object.id: one for one in read.task.result()}
            for name, least in read.least.items():
                version = found[name].version if name in found else 0
                assert version >= least, (name, version, least)
            if len(read.least) == 1:
                for one in found.values():
                    note(self.shown[read.instance], read.scope, one)
            for one in found.values():
                assert getattr(one.object, "name", "").startswith(read.scope.tenant_id)

    async def end(self) -> None:
        """Answer everything, so that nobody waits for ever; check that nobody does."""
        on_their_way: list[MemoryCopies | Home] = [*self.copies, *self.homes]
        while self.store.pending or any(one.underway or one.replies for one in on_their_way):
            for copies in self.copies:
                copies.deliver()
                copies.reply()
            for home in self.homes:
                home.step("lose question")
            await settle()
            if self.store.pending:
                self.store.pending.pop().answer()
            await settle()
        self.check()
        assert not self.reads
        for reader in self.readers:
            await reader.close()
        await asyncio.gather(*self.others)


def note(versions: dict[Key, int], scope: Scope, versioned: Versioned) -> None:
    """Note that a client has seen a version."""
    key = (scope, versioned.object.id)
    versions[key] = max(versions.get(key, 0), versioned.version)


async def run(seed: int, bytes_max: int, actions: dict[str, int] = ACTIONS) -> World:
    """Let things happen by chance."""
    world = World()
    chance = random.Random(seed)
    for _ in range(2):
        copies = MemoryCopies(world.shared, is_held=True)
        reader = Reader(
            world.store,
            clock=world.clock,
            staleness_ms=STALENESS_MS,
            cache_bytes_max=bytes_max,
            copies=copies,
        )
        world.copies.append(copies)
        world.readers.append(reader)
    # Each asks the other, whatever the other knows.
    world.homes += [Home(reader) for reader in world.readers]
    for home, reader in zip(world.homes, reversed(world.readers), strict=True):
        reader.ask(home)
    scopes = SCOPES[: chance.randint(1, 2)]
    for action in chance.choices(list(actions), list(actions.values()), k=STEPS):
        highest = {"wait": 40} | dict.fromkeys(("write", "read", "list", "confirm", "replay"), 1)
        number = chance.randint(0, highest.get(action, 9))
        await world.step(action, number, chance.choice(NAMES), chance.choice(scopes))
    await world.end()
    return world


@settings(max_examples=size(100, soak=5_000))
@given(st.integers(0, 1 << 64), st.sampled_from([0, 32_000, 32_000, 1 << 20]))
def test_no_read_is_older_than_agreed_nor_than_what_was_acknowledged_here(seed: int, bytes_max: int) -> None:
    world = asyncio.run(run(seed, bytes_max))
    hits = sum(reader.counts()["reads_process_hits"] for reader in world.readers)
    event(f"hits: {'many' if hits > 10 else 'some' if hits else 'none'}")


@settings(max_examples=size(150, soak=5_000))
@given(st.integers(0, 1 << 64), st.sampled_from([0, 0, 0, 32_000]))
def test_no_copy_is_shown_that_breaks_this_whatever_becomes_of_copies(seed: int, bytes_max: int) -> None:
    world = asyncio.run(run(seed, bytes_max, WITH_COPIES))
    for source in ("copies", "homes"):
        shown = sum(reader.counts()[f"reads_{source}_shown"] for reader in world.readers)
        event(f"{source}: {'many' if shown > 3 else 'some' if shown else 'none'}")
