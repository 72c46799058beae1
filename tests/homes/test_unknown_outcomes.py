"""An answer that never comes: the database is asked under the key before anybody is told anything."""

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Outcome, Reply, Submission
from fastpay.errors import DatabaseUnavailable, OutcomeUnknown
from tests.support.engine import check_books, count, make_tenant
from tests.support.homes import Cable, Instance, home_of, instance, introduce
from tests.support.servers import PATIENCE_SECONDS
from tests.support.world import PAY

# Where the home stops being heard: before it gets the command, or after it has committed it.
Where = Literal["questions", "answers"]
KEYS = pytest.mark.parametrize("key", [None, "key"], ids=["without a key", "with a key"])


@pytest.fixture
async def scope(database_url: str) -> Scope:
    return await make_tenant(database_url)


@pytest.fixture
async def pair(
    database_url: str, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Instance, Instance]]:
    """The home of the tenant, and the instance that is asked, which is in a hurry."""
    monkeypatch.setattr(limits, "home_check_ms", 10)
    async with instance(database_url) as one, instance(database_url) as other:
        await introduce(one, other)
        home, asked = home_of(scope, one, other)
        # Both have written for the tenant, so both have a working set that the other's next commit outdates.
        await home.submit(PAY, scope)
        await asked.submit(PAY, scope)
        monkeypatch.setattr(limits, "home_silence_ms", 50)
        yield home, asked


def hold(cable: Cable, where: Where) -> None:
    """Let nothing more through in one direction."""
    cable.holds_questions = where == "questions"
    cable.holds_answers = where == "answers"


async def payments_reach(database_url: str, wanted: int) -> None:
    """Return once so many payments are committed."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await count(database_url, "payment_intent") < wanted:  # noqa: ASYNC110  only the database knows
            await asyncio.sleep(0.01)


@KEYS
@pytest.mark.parametrize("where", ["questions", "answers"])
async def test_what_a_silent_home_got_is_carried_out_once_and_answered_once(
    pair: tuple[Instance, Instance], scope: Scope, database_url: str, where: Where, key: str | None
) -> None:
    home, asked = pair
    cable = asked.cable
    hold(cable, where)
    outcome = await asked.submit(PAY, scope, key=key)
    assert outcome.answer.error is None
    # The client has not seen it before, whoever did it.
    assert outcome.original_request_id is None
    assert (asked.count("fallbacks_silent"), asked.count("asked_again")) == (1, 1)
    assert await count(database_url, "payment_intent") == 3
    served = home.count("served")
    # What the home gets only now, it finds done.
    cable.release()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while home.count("served") == served and where == "questions":  # noqa: ASYNC110  it comes by itself
            await asyncio.sleep(0.005)
    last = await home.submit(PAY, scope)
    assert last.answer.sequence > outcome.answer.sequence
    assert await check_books(database_url, scope) == 4 * 3
    if key is not None:
        replay = await home.submit(PAY, scope, key=key)
        assert replay.answer == outcome.answer
        assert replay.original_request_id is not None


@KEYS
async def test_a_home_that_dies_after_its_commit_has_carried_it_out(
    pair: tuple[Instance, Instance], scope: Scope, database_url: str, key: str | None
) -> None:
    _, asked = pair
    hold(asked.cable, "answers")
    waiting = asyncio.create_task(asked.submit(PAY, scope, key=key))
    await payments_reach(database_url, 3)
    asked.cable.wire.abort()
    outcome = await waiting
    assert outcome.answer.error is None
    assert outcome.original_request_id is None
    assert asked.count("asked_again") == 1
    assert await check_books(database_url, scope) == 3 * 3


async def test_a_slow_home_is_not_waited_for(
    pair: tuple[Instance, Instance], scope: Scope, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, asked = pair
    monkeypatch.setattr(limits, "home_answer_ms", 50)
    writer, held = home.engine.writer, list[tuple[Submission, Reply]]()
    put = writer.put
    monkeypatch.setattr(writer, "put", lambda *given: held.append(given))
    first = await asked.submit(PAY, scope)
    assert (first.answer.error, asked.count("fallbacks_slow")) == (None, 1)
    for one in held:
        put(*one)
    await home.homes.serving.close()
    assert await check_books(database_url, scope) == 3 * 3


@KEYS
async def test_a_client_learns_that_the_outcome_is_unknown_where_the_database_does_not_tell(
    pair: tuple[Instance, Instance], scope: Scope, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    _, asked = pair

    async def fail(_: Submission) -> Outcome:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(asked.engine.writer, "submit", fail)
    hold(asked.cable, "answers")
    # Without a key the client must not send it again; with one it may.
    with pytest.raises(OutcomeUnknown if key is None else DatabaseUnavailable) as failed:
        await asked.submit(PAY, scope, key=key)
    assert failed.value.retryable == (key is not None)
    assert "Nothing was" not in failed.value.message


@pytest.mark.parametrize("says", ["nothing", "refused", "unknown", "done"])
async def test_a_home_that_is_late_is_believed_where_this_instance_could_do_nothing(
    pair: tuple[Instance, Instance],
    scope: Scope,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    says: str,
) -> None:
    """As beside a database that hangs: without a key the client may repeat only what was done nowhere."""
    home, asked = pair
    monkeypatch.setattr(limits, "home_answer_ms", 50)
    held: list[tuple[Submission, Reply]] = []
    put = home.engine.writer.put
    monkeypatch.setattr(home.engine.writer, "put", lambda *given: held.append(given))

    async def fail(_: Submission) -> Outcome:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(asked.engine.writer, "submit", fail)
    waiting = asyncio.create_task(asked.submit(PAY, scope))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not asked.count("asked_again"):  # noqa: ASYNC110  it gives up by itself
            await asyncio.sleep(0.005)
    ((submission, reply),) = held
    match says:
        case "nothing":
            asked.cable.wire.abort()
        case "refused":
            reply.set_exception(DatabaseUnavailable("nothing was done"))
        case "unknown":
            reply.set_exception(OutcomeUnknown("perhaps"))
        case _:
            put(submission, reply)
    if says == "done":
        outcome = await waiting
        assert (outcome.answer.error, outcome.original_request_id) == (None, None)
    else:
        with pytest.raises(DatabaseUnavailable if says == "refused" else OutcomeUnknown) as failed:
            await waiting
        assert failed.value.retryable == (says == "refused")
    assert await count(database_url, "payment_intent") == 2 + (says == "done")


async def test_two_instances_that_both_believe_to_be_the_home_are_right_and_meet_conflicts_only(
    pair: tuple[Instance, Instance], scope: Scope, database_url: str
) -> None:
    for one in pair:
        one.homes._see((), 1)
    outcomes = await asyncio.gather(*(one.submit(PAY, scope) for one in pair * 10))
    assert {outcome.answer.error for outcome in outcomes} == {None}
    assert await check_books(database_url, scope) == 22 * 3


async def test_an_instance_that_cannot_reach_the_home_writes_by_itself(
    pair: tuple[Instance, Instance], scope: Scope, database_url: str
) -> None:
    home, asked = pair
    asked.network.connects = False
    asked.cable.wire.abort()
    (link,) = asked.homes._links.values()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while link.is_open:  # noqa: ASYNC110  the loss is noticed by itself
            await asyncio.sleep(0.005)
    before = asked.count("local"), asked.count("forwarded")
    await asyncio.gather(asked.submit(PAY, scope), home.submit(PAY, scope))
    assert (asked.count("local"), asked.count("forwarded")) == (before[0] + 1, before[1])
    asked.network.connects = True
    await introduce(home, asked)
    forwarded = asked.count("forwarded")
    await asked.submit(PAY, scope)
    assert asked.count("forwarded") == forwarded + 1
    assert await check_books(database_url, scope) == 5 * 3


async def test_a_home_that_leaves_hands_over_what_it_is_asked_and_answers_what_it_has(
    pair: tuple[Instance, Instance], scope: Scope, database_url: str
) -> None:
    home, asked = pair
    waiting = [asyncio.create_task(asked.submit(PAY, scope)) for _ in range(5)]
    await asyncio.sleep(0)
    await home.homes.leave()
    # Its own clients are served by whoever stays.
    late = await home.submit(PAY, scope)
    outcomes = [*await asyncio.gather(*waiting), await asked.submit(PAY, scope), late]
    assert {outcome.answer.error for outcome in outcomes} == {None}
    assert home.count("forwarded") == 1
    # By then it was known there that the home stops.
    assert asked.count("local") == 1
    assert asked.count("asked_again") == 0
    assert await check_books(database_url, scope) == 9 * 3
