"""The one who carries the search index on: when, how far, and never in the way."""

import asyncio

import pytest

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.engine.indexing import Indexer
from fastpay.engine.indexing_ports import Backlog
from fastpay.errors import DatabaseUnavailable

ONE = Scope("1", False)


class Index:
    """Scopes with so many events, of which so many are sorted in."""

    def __init__(self, **events: int) -> None:
        self.sequences = {Scope(name[1:], False): count for name, count in events.items()}
        self.sorted_in = dict.fromkeys(self.sequences, 0)
        self.is_away = False

    async def list_backlogs(self, scopes_max: int) -> list[Backlog]:
        if self.is_away:
            raise DatabaseUnavailable("away")
        behind = [
            Backlog(scope, sequence, sequence - self.sorted_in[scope])
            for scope, sequence in self.sequences.items()
            if sequence > self.sorted_in[scope]
        ]
        return behind[:scopes_max]

    async def advance(self, scope: Scope) -> int:
        count = min(limits.search_batch_events, self.sequences[scope] - self.sorted_in[scope])
        self.sorted_in[scope] += count
        return count


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let little be much."""
    for name, value in (("pause_ms", 0), ("batch_events", 2), ("backlog_max", 10), ("visit_batches_max", 4)):
        monkeypatch.setattr(limits, f"search_{name}", value)


def test_what_was_written_lately_waits_until_nothing_more_is_written() -> None:
    index = Index(s1=5)
    indexer = Indexer(index, clock=SystemClock())
    assert asyncio.run(indexer.look()) == 0
    index.sequences[ONE] = 6
    assert asyncio.run(indexer.look()) == 0
    assert asyncio.run(indexer.look()) == 6
    assert asyncio.run(indexer.look()) == 0


def test_who_never_rests_is_carried_on_once_too_much_waits_and_not_endlessly() -> None:
    index = Index(s1=11)
    assert asyncio.run(Indexer(index, clock=SystemClock()).look()) == 8
    assert index.sorted_in[ONE] == 8


def test_one_who_rests_does_not_wait_for_one_who_does_not() -> None:
    index = Index(s1=3, s2=3)
    indexer = Indexer(index, clock=SystemClock())
    asyncio.run(indexer.look())
    index.sequences[ONE] = 4
    assert asyncio.run(indexer.look()) == 3
    assert index.sorted_in == {ONE: 0, Scope("2", False): 3}


def test_a_database_that_is_away_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "search_interval_ms", 1)

    async def life() -> None:
        index = Index(s1=3)
        index.is_away = True
        indexer = Indexer(index, clock=SystemClock())
        indexer.start()
        await asyncio.sleep(0.01)
        index.is_away = False
        while index.sorted_in[ONE] < 3:  # noqa: ASYNC110  it is nobody's place to say when
            await asyncio.sleep(0.001)
        await indexer.close()

    asyncio.run(life())
