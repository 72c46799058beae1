"""What a reader shows another instance, and what it takes from one."""

import asyncio
from collections.abc import Sequence

import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Versioned
from fastpay.engine.read.copy_ports import Answers, Key, Seen
from fastpay.engine.read.reader import Reader
from tests.support.memory import OTHER_TENANT, TENANT
from tests.unit.engine.readings import ONE, OTHER, STALENESS_MS, Instance


class Home:
    """Another instance over the same database. Satisfies `Neighbours` and `Neighbour`."""

    def __init__(self, beside: Instance) -> None:
        self.reader = Reader(beside.store, clock=beside.clock, staleness_ms=STALENESS_MS)
        self.asked = 0
        # What it says in place of what it shows now.
        self.seen: Seen | None = None
        self.is_late = False

    def home(self, scope: Scope) -> "Home":
        """Return the home of all."""
        return self

    def wants(self, identifier: str) -> bool:
        """Want everything."""
        return True

    def find(self, keys: Sequence[Key], answers: Answers) -> None:
        """Answer at once."""
        self.asked += 1
        answers([self.seen if self.is_late else self.reader.show(*key) for key in keys])


def pair() -> tuple[Instance, Home]:
    """Return an instance and its home."""
    one = Instance()
    home = Home(one)
    one.reader.ask(home)
    return one, home


async def test_what_the_home_has_is_shown_without_a_statement_and_cached() -> None:
    one, home = pair()
    await home.reader.get(TENANT, ONE)
    statements = one.store.statements
    assert [await one.version(ONE), await one.version(ONE)] == [1, 1]
    assert (one.store.statements, home.asked) == (statements, 1)


async def test_nothing_is_shown_to_others_that_was_not_confirmed_within_the_bound() -> None:
    one, home = pair()
    await home.reader.get(TENANT, ONE)
    one.clock.advance(STALENESS_MS - 1)
    seen = home.reader.show(TENANT, ONE)
    assert seen is not None
    assert (seen.sequence, seen.age_ns) == (2, (STALENESS_MS - 1) * 1_000_000)
    one.clock.advance(1)
    assert home.reader.show(TENANT, ONE) is None
    assert home.reader.show(OTHER_TENANT, ONE) is None


async def test_what_a_home_shows_ends_with_its_proof_and_not_a_bound_later() -> None:
    one, home = pair()
    await home.reader.get(TENANT, ONE)
    one.clock.advance(STALENESS_MS - 1)
    assert await one.version(ONE) == 1
    one.store.write(TENANT, ONE)
    one.clock.advance(1)
    assert await one.version(ONE) == 2


async def test_nothing_older_is_shown_than_what_was_answered_here() -> None:
    one, home = pair()
    await home.reader.get(TENANT, ONE)
    commit = one.store.write(TENANT, ONE)
    one.reader.acknowledged(TENANT, commit.after)
    assert await one.version(ONE) == 2


async def test_nothing_older_is_shown_than_what_the_database_has_shown_here() -> None:
    one, home = pair()
    await home.reader.get(TENANT, ONE)
    # A proof of the sequence that the home knows, too.
    await one.version(OTHER)
    home.seen = home.reader.show(TENANT, ONE)
    one.store.write(TENANT, ONE)
    home.reader.partition(TENANT).entries.clear()
    assert await one.version(ONE) == 2
    one.evict()
    home.is_late = True
    assert await one.version(ONE) == 2


async def test_after_all_was_forgotten_no_proof_from_before_is_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, home = pair()
    await home.reader.get(TENANT, ONE)
    one.clock.advance(3)
    commit = one.store.write(TENANT, ONE)
    one.reader.acknowledged(TENANT, commit.after)
    monkeypatch.setattr(limits, "cached_scopes_max", 1)
    one.reader.acknowledged(OTHER_TENANT, 1)
    assert await one.version(ONE) == 2


async def test_a_question_has_so_many_objects_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    one, home = pair()
    monkeypatch.setattr(limits, "home_find_objects_max", 1)
    await home.reader.get(TENANT, ONE)
    await home.reader.get(TENANT, OTHER)
    versions = await asyncio.gather(one.version(ONE), one.version(OTHER))
    assert list(versions) == [1, 1]
    assert home.asked == 2


async def test_a_tenant_that_is_asked_for_is_confirmed_from_then_on() -> None:
    _, home = pair()
    assert home.reader.show(TENANT, ONE) is None
    await home.reader.confirmations.confirm()
    seen = home.reader.show(TENANT, ONE)
    assert seen is not None
    assert seen.sequence == 2


async def test_a_copy_with_an_end_of_its_own_is_not_shown_to_others() -> None:
    """Commits that its partition has applied may be missing in it."""
    one, home = pair()
    await home.reader.get(TENANT, OTHER)
    found = one.store.versions[TENANT, ONE.removeprefix("cus_")]
    until_ns = one.clock.ns + STALENESS_MS * 1_000_000
    home.reader.cache.put(home.reader.partition(TENANT), ONE, 1, found, 1_000, until_ns)
    seen = home.reader.show(TENANT, ONE)
    assert seen is not None
    assert seen.versioned is None


async def test_a_large_object_is_read_from_the_database() -> None:
    one, home = pair()
    await home.reader.get(TENANT, OTHER)
    found = one.store.versions[TENANT, ONE.removeprefix("cus_")]
    home.reader.cache.put(home.reader.partition(TENANT), ONE, 1, found, limits.home_notice_bytes_max)
    assert isinstance(found, Versioned)
    seen = home.reader.show(TENANT, ONE)
    assert seen is not None
    assert seen.versioned is None


async def test_with_no_staleness_allowed_no_home_is_asked() -> None:
    one = Instance(staleness_ms=0)
    home = Home(one)
    one.reader.ask(home)
    assert (await one.version(ONE), home.asked) == (1, 0)
