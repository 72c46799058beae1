"""A reader's store in memory, that answers when it is told to; and a clock that is moved by hand."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from fastpay.domain.identifiers import Scope, digits
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.objects import Customer
from fastpay.domain.plan import Versioned
from fastpay.domain.rules import Rules
from fastpay.domain.search import Query
from fastpay.engine.ports import Commit, Filter, Page, Profile, Reading, Verification
from fastpay.engine.read.reader import Reader
from tests.support.memory import MOMENT_MS, TENANT
from tests.support.samples import charge

Answer = Callable[[], object]

STALENESS_MS = 100
ONE, OTHER, THIRD = (f"cus_{number:032x}" for number in (1, 2, 3))
# Of a kind that is not cached before it was read.
CHARGE = "ch_" + "4" * 32
LIST = (Filter(kind="cus"), Page(limit=10))


class HandClock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000

    def now_ms(self) -> int:
        """Return a wall clock that goes as the other one does."""
        return MOMENT_MS + self.ns // 1_000_000

    def monotonic_ns(self) -> int:
        """Return where it stands."""
        return self.ns

    def random_bytes(self, count: int) -> bytes:
        """Return nothing but zeros."""
        return bytes(count)

    def advance(self, milliseconds: int) -> None:
        """Let time pass."""
        self.ns += milliseconds * 1_000_000


class Pending:
    """A statement on its way: `look` decides what it sees, `answer` or `fail` what becomes of it."""

    def __init__(self, look: Answer) -> None:
        self._look = look
        self._seen: object = None
        self.is_seen = False
        self.future: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def look(self) -> None:
        """Take the statement's snapshot."""
        if not self.is_seen:
            self.is_seen = True
            self._seen = self._look()

    def answer(self) -> None:
        """Deliver what was seen."""
        self.look()
        if not self.future.done():
            self.future.set_result(self._seen)

    def fail(self, error: Exception) -> None:
        """Deliver an error instead."""
        if not self.future.done():
            self.future.set_exception(error)


class Objects:
    """Satisfies `ReaderStore`: customers and a charge, found by their digits alone, as a database finds them.

    `statements` counts what was asked. Where `is_held`, a statement waits in `pending`.
    """

    def __init__(self, *, is_held: bool = False) -> None:
        self.is_held = is_held
        self.pending: list[Pending] = []
        self.statements = 0
        self.asked: list[Sequence[tuple[Scope, str]]] = []
        self.versions: dict[tuple[Scope, str], Versioned] = {}
        self.sequences: dict[Scope, int] = {}
        self.failure: Exception | None = None

    def write(self, scope: Scope, identifier: str) -> Commit:
        """Commit a new version of a customer, or of the charge."""
        before = self.sequences.get(scope, 0)
        previous = self.versions.get((scope, digits(identifier)))
        version = 1 if previous is None else previous.version + 1
        name = f"{scope.tenant_id} {version}"
        customer = Customer(id=identifier, created=0, name=name)
        stored = charge(id=identifier) if identifier == CHARGE else customer
        written = Versioned(stored, version, before + 1)
        self.versions[scope, digits(identifier)] = written
        self.sequences[scope] = before + 1
        return Commit(scope, before, before + 1, [written])

    async def ping(self) -> None:
        """Answer."""

    async def read_latest(self, wanted: Sequence[tuple[Scope, str]]) -> Reading:
        """Return what is there by the time that the statement looks."""
        self.asked.append(wanted)
        found = await self._ask(
            lambda: Reading(
                [self.versions.get((scope, digits(identifier))) for scope, identifier in wanted],
                {scope: self.sequences.get(scope, 0) for scope, _ in wanted},
            )
        )
        assert isinstance(found, Reading)
        return found

    async def read_sequences(self, scopes: Sequence[Scope]) -> Mapping[Scope, int]:
        """Return how far the sequences have come."""
        found = await self._ask(lambda: {scope: self.sequences.get(scope, 0) for scope in scopes})
        assert isinstance(found, dict)
        return found

    async def get_objects_at(
        self, scope: Scope, identifiers: Sequence[str], sequence: int
    ) -> list[Versioned]:
        """Return what existed then, of the latest versions."""
        found = [self.versions.get((scope, digits(identifier))) for identifier in identifiers]
        return [one for one in found if one is not None and one.sequence <= sequence]

    async def get_transfers(self, scope: Scope, identifiers: Sequence[str]) -> list[tuple[Transfer, int]]:
        """Return none."""
        return []

    async def list_objects(self, scope: Scope, wanted: Filter, page: Page) -> list[Versioned]:
        """Return all of the tenant's."""
        found = await self._ask(lambda: [one for place, one in self.versions.items() if place[0] == scope])
        assert isinstance(found, list)
        return found

    async def list_each(
        self, scope: Scope, kind: str, field: str, bounds: Sequence[tuple[str, str]], limit: int
    ) -> list[list[Versioned]]:
        """Return nothing of any."""
        return [[] for _ in bounds]

    async def search(self, scope: Scope, query: Query, page: Page) -> list[Versioned]:
        """Return all of the tenant's."""
        return await self.list_objects(scope, Filter(kind="cus"), page)

    async def list_accounts(self, scope: Scope) -> list[Account]:
        """Return none."""
        return []

    async def read_profile(self, scope: Scope) -> Profile:
        """Return that of a new tenant."""
        return Profile(name="shop", created_ms=0, rules=Rules())

    async def verify(self, scope: Scope) -> Verification:
        """Find nothing wrong."""
        return Verification(balances=(), problems=())

    async def _ask(self, look: Answer) -> object:
        self.statements += 1
        if self.failure is not None:
            raise self.failure
        if not self.is_held:
            await asyncio.sleep(0)
            return look()
        pending = Pending(look)
        self.pending.append(pending)
        return await pending.future


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(12):
        await asyncio.sleep(0)


class Instance:
    """A reader with its store and its clock."""

    def __init__(self, *, is_held: bool = False, staleness_ms: int = STALENESS_MS) -> None:
        self.clock = HandClock()
        self.store = Objects(is_held=is_held)
        for identifier in (ONE, OTHER):
            self.store.write(TENANT, identifier)
        self.reader = Reader(self.store, clock=self.clock, staleness_ms=staleness_ms)

    async def version(self, identifier: str, scope: Scope = TENANT) -> int:
        """Return which version is shown; 0 for none."""
        found = await self.reader.get(scope, identifier)
        return 0 if found is None else found.version

    def begin(self, identifier: str, scope: Scope = TENANT) -> "asyncio.Task[int]":
        """Begin to read."""
        return asyncio.create_task(self.version(identifier, scope))

    async def answer(self) -> None:
        """Answer every statement that is under way."""
        await settle()
        while self.store.pending:
            self.store.pending.pop(0).answer()
            await settle()

    def announce(self, commit: Commit) -> None:
        """Let the reader hear of what another instance has committed."""
        versions = [(one.object.id, one.version) for one in commit.versions]
        self.reader.heard(commit.scope, versions)

    def evict(self) -> None:
        """Let the cache lose everything that it holds."""
        cache = self.reader.cache
        weight = cache.bytes_max // 20
        for number in range(64):
            cache.put(cache.partition("another"), str(number), 1, None, weight)
        assert not cache.partition(TENANT).entries
