"""What an instance does for a commit beside the database: with no followers of events, and with a thousand.

The followers are of another tenant. What those of the same tenant cost is in their feed, which wakes them
after the commit; `tests/unit/engine/test_feeds.py` counts that.
"""

from collections.abc import Callable, Mapping, Sequence

from benchmarks import samples
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.engine.feeds import Feeds, News
from fastpay.engine.ports import Commit
from fastpay.engine.read.reader import Reader
from fastpay.operations.homes import Observers
from fastpay.store.reads import PostgresReads

FOLLOWERS = 1_000
_OTHER = Scope("f" * 32, False)


def commit_paths(store: PostgresReads) -> dict[str, Callable[[], None]]:
    """Return functions that tell everybody of the commit of a payment, by name. `store` is never asked."""
    return {
        "what follows a commit": _telling(store, followers=0),
        "the same beside 1,000 followers": _telling(store, followers=FOLLOWERS),
    }


def observing(store: PostgresReads, *, followers: int = 0) -> Observers:
    """Return whom an instance tells of its commits, with so many followers of another tenant."""
    clock = SystemClock()
    feeds = Feeds(_read_sequences, clock=clock)
    for _ in range(followers):
        feeds.follow(_OTHER, 0, _read)
    return Observers(Reader(store, clock=clock), feeds)


def _telling(store: PostgresReads, *, followers: int) -> Callable[[], None]:
    observers = observing(store, followers=followers)
    versions = samples.decide(samples.new_workspace(), samples.new_command()).versions
    sequence = 0

    def tell() -> None:
        nonlocal sequence
        before, sequence = sequence, sequence + len(versions)
        observers.committed([Commit(samples.SCOPE, before, sequence, versions)])

    return tell


async def _read(after: int) -> News:
    return News(after, after, after)


async def _read_sequences(scopes: Sequence[Scope]) -> Mapping[Scope, int]:
    return dict.fromkeys(scopes, 0)
