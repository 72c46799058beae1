"""Who watches the writer hears of what was committed, before anyone is answered, and of nothing else."""

import asyncio
from collections.abc import Sequence

import pytest

from fastpay.clock import SystemClock
from fastpay.domain.customers import CreateCustomer, UpdateCustomer
from fastpay.engine.failures import RefusedBatch, TransientFailure, UnknownOutcome
from fastpay.engine.ports import Commit, Outcome, Submission
from fastpay.engine.write.writer import Writer
from fastpay.errors import DatabaseUnavailable
from tests.support.commands import Regretful, Unwritable
from tests.support.memory import OTHER_TENANT, TENANT, MemoryStore, submission
from tests.support.world import PAY

MISSING = UpdateCustomer(id="cus_" + "0" * 32, fields={})
JOIN = CreateCustomer(fields={"name": "Ada"})


class Witness:
    """Hears of commits, and notes whether anyone had been answered by then."""

    def __init__(self) -> None:
        self.commits: list[Commit] = []
        self.answers: list[asyncio.Task[Outcome]] = []
        self.answered_before: list[bool] = []

    def committed(self, commits: Sequence[Commit]) -> None:
        """Take note."""
        self.commits += commits
        self.answered_before.append(any(answer.done() for answer in self.answers))


async def run(store: MemoryStore, *submissions: Submission) -> tuple[Witness, list[object]]:
    """Submit all at once; return who heard of it and what came."""
    witness = Witness()
    writer = Writer(store, clock=SystemClock(), observer=witness)
    writer.start()
    answers = [asyncio.create_task(writer.submit(one)) for one in submissions]
    witness.answers = answers
    results: list[object] = list(await asyncio.gather(*answers, return_exceptions=True))
    await writer.close()
    return witness, results


def check(store: MemoryStore, witness: Witness) -> None:
    """Hold what was heard against what is committed: every version once, without a gap in the sequence."""
    for scope in (TENANT, OTHER_TENANT):
        commits = [commit for commit in witness.commits if commit.scope == scope]
        heard = [versioned for commit in commits for versioned in commit.versions]
        assert heard == [versioned for place, versioned in store.state.versions if place == scope]
        places = [0] + [place for commit in commits for place in (commit.before, commit.after)]
        places.append(store.state.books[scope].sequence)
        assert places[::2] == places[1::2]


async def test_every_version_of_a_batch_is_heard_of_before_anyone_is_answered() -> None:
    store = MemoryStore()
    witness, _ = await run(store, submission(PAY), submission(JOIN), submission(PAY, scope=OTHER_TENANT))
    assert len(witness.commits) >= 2
    assert not any(witness.answered_before)
    check(store, witness)


async def test_nothing_is_heard_of_a_command_that_changed_nothing() -> None:
    store = MemoryStore()
    witness, _ = await run(store, submission(Regretful()), submission(MISSING))
    assert witness.commits == []


@pytest.mark.parametrize("failures", [1, 2])
async def test_a_batch_that_was_tried_again_is_heard_of_once(failures: int) -> None:
    store = MemoryStore()
    store.failures = [TransientFailure("40001") for _ in range(failures)]
    witness, _ = await run(store, submission(PAY), submission(JOIN))
    check(store, witness)
    assert witness.commits


async def test_of_an_isolated_batch_only_the_innocent_are_heard_of() -> None:
    store = MemoryStore()
    store.refuses = lambda changes: any(
        getattr(versioned.object, "email", None) == "unwritable" for _, versioned in changes.versions
    )
    witness, results = await run(store, *(submission(one) for one in (JOIN, Unwritable(), PAY)))
    assert [isinstance(result, Exception) for result in results] == [False, True, False]
    check(store, witness)


async def test_a_batch_that_was_refused_at_its_commit_and_then_isolated_is_heard_of_once() -> None:
    store = MemoryStore()
    store.failures = [RefusedBatch("23514", "a_test_refuses")]
    witness, results = await run(store, submission(JOIN), submission(PAY))
    assert not any(isinstance(result, Exception) for result in results)
    check(store, witness)


@pytest.mark.parametrize("failure", [UnknownOutcome(), RefusedBatch("XX000", None)])
async def test_nothing_is_heard_of_what_is_not_known_to_be_committed(failure: Exception) -> None:
    store = MemoryStore()
    (store.lost if isinstance(failure, UnknownOutcome) else store.failures).extend([failure] * 2)
    witness, results = await run(store, submission(PAY))
    assert isinstance(results[0], Exception)
    assert witness.commits == []


async def test_a_database_that_stays_away_is_heard_of_nothing() -> None:
    store = MemoryStore()
    store.failures = [TransientFailure("08006") for _ in range(20)]
    witness, results = await run(store, submission(JOIN))
    assert isinstance(results[0], DatabaseUnavailable)
    assert witness.commits == []
