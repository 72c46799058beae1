"""A database that hangs: it takes connections and messages, and never answers. Nobody waits for its end."""

import asyncio
from collections.abc import Awaitable, Iterator

import pytest

from fastpay import limits
from fastpay.api.search import parse
from fastpay.clock import SystemClock
from fastpay.domain import kinds
from fastpay.domain.identifiers import Scope
from fastpay.engine.failures import TransientFailure
from fastpay.engine.ports import Filter, Outcome, Page
from fastpay.errors import ConfigurationError, DatabaseUnavailable, FastpayError, OutcomeUnknown, Overloaded
from fastpay.operations.doctor import check_database as examine_database
from fastpay.store.connections import connected
from fastpay.store.keyring import PostgresKeyRing
from fastpay.store.postgres import DatabaseSettings
from fastpay.store.probe import PostgresProbe
from tests.support.books import check_database
from tests.support.engine import Engine, count, engine, make_tenant, read_objects, record, settle
from tests.support.postgres_proxy import Manner, Proxy
from tests.support.servers import PATIENCE_SECONDS
from tests.support.world import PAY

# As short as an outage may be noticed: nothing can be answered in time, however long it is.
_SHORT_MS = {
    "key_timeout_ms": 100,
    "read_timeout_ms": 150,
    "scan_wait_timeout_ms": 100,
    "prefetch_timeout_ms": 50,
    "begin_timeout_ms": 150,
    "commit_timeout_ms": 200,
    "resolve_timeout_ms": 100,
    "deadline_check_ms": 20,
    "probe_timeout_ms": 100,
}


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Make all deadlines short from `shorten` to the end of the block."""
    with monkeypatch.context() as patched:
        yield patched


def shorten(patched: pytest.MonkeyPatch) -> None:
    """Let nothing wait for long."""
    for name, value in _SHORT_MS.items():
        patched.setattr(limits, name, value)


async def failure_of(work: Awaitable[object], proxy: Proxy) -> BaseException | None:
    """Return what something fails with while the database hangs."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        (result,) = await asyncio.gather(work, return_exceptions=True)
    assert proxy.is_frozen
    return result if isinstance(result, BaseException) else None


@pytest.mark.parametrize("manner", ["before", "after"])
async def test_a_batch_is_answered_while_the_database_hangs_at_any_of_its_messages(
    database_url: str, impatience: pytest.MonkeyPatch, manner: Manner
) -> None:
    scope = await make_tenant(database_url)
    async with Proxy(database_url) as proxy, engine(proxy.url) as instance:
        log = await record(proxy, instance, scope)
        made = await count(database_url, "payment_intent")
        proxy.freezes_once_struck = True
        for place in range(len(log)):
            for key in (f"key {place}", None):
                proxy.arm(manner, place=place)
                shorten(impatience)
                failure = await failure_of(instance.submit(PAY, scope, key=key), proxy)
                impatience.undo()
                assert proxy.struck == 1, (place, proxy.log)
                # A block is not committed before its COMMIT. One statement commits what it writes, and nobody
                # tells how much of it has arrived.
                is_known = "begin" in proxy.log[: place + 1] and proxy.log[place] != "commit"
                # Whoever may not send it again is told so.
                assert isinstance(failure, FastpayError), (proxy.log, failure)
                assert failure.retryable == (key is not None or is_known), (proxy.log, failure)
                proxy.thaw()
                await settle(instance, PAY, scope, f"key {place}")
                # The key's is there once. Without a key it may be there as well.
                kept = await count(database_url, "payment_intent") - made
                assert kept in ((key is not None,) if key is not None or is_known else (0, 1)), proxy.log
                made += kept
    await check_database(database_url)


async def test_what_waits_behind_a_batch_that_hangs_is_refused_and_changes_nothing(
    database_url: str, impatience: pytest.MonkeyPatch
) -> None:
    scope, other = await make_tenant(database_url), await make_tenant(database_url, "other")
    async with Proxy(database_url) as proxy, engine(proxy.url) as instance:
        await instance.do(PAY, scope)
        await instance.do(PAY, other)
        proxy.freezes_once_struck = True
        proxy.arm("before", name="commit")
        impatience.setattr(limits, "begin_timeout_ms", 150)
        impatience.setattr(limits, "deadline_check_ms", 20)
        # The batch that hangs has all the time in the world, and the others are answered all the same.
        impatience.setattr(limits, "commit_timeout_ms", PATIENCE_SECONDS * 1000)
        first = asyncio.create_task(instance.submit(PAY, scope, key="first"))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not proxy.is_frozen:  # noqa: ASYNC110  what it waits for has no event
                await asyncio.sleep(0.001)
        waiting = [instance.submit(PAY, tenant) for tenant in (scope, other) for _ in range(50)]
        failures = await asyncio.gather(*(failure_of(work, proxy) for work in waiting))
        assert {type(failure) for failure in failures} == {DatabaseUnavailable}
        assert not first.done()
        impatience.undo()
        proxy.thaw()
        assert (await first).answer.error is None
        await settle(instance, PAY, scope, "last")
    assert await count(database_url, "payment_intent") == 4
    await check_database(database_url)


def every_read(instance: Engine, scope: Scope, known: str) -> list[Awaitable[object]]:
    """Return reads of every kind that a request may ask for."""
    reads, reader = instance.reads, instance.reader
    keys = PostgresKeyRing(instance.pool, clock=SystemClock(), cache_ms=0)
    page = Page(limit=1)
    return [
        *(reader.get(scope, known[:-1] + digit) for digit in "0123456789abcdef"),
        reads.list_objects(scope, Filter(kind="pi"), page),
        reads.list_accounts(scope),
        reads.search(scope, parse("name:'nobody'", kinds.CUSTOMER), page),
        reads.get_objects_at(scope, [known], 1),
        reads.search_index.list_backlogs(1),
        reads.verify(scope),
        keys.authenticate("sk_test_none"),
    ]


async def test_reads_of_every_kind_are_answered_while_the_database_hangs(
    database_url: str, impatience: pytest.MonkeyPatch
) -> None:
    scope = await make_tenant(database_url)
    async with Proxy(database_url) as proxy, engine(proxy.url) as instance:
        paid = await instance.do(PAY, scope)
        # Once on connections that are open, and once while they would have to be opened.
        for _ in range(2):
            await asyncio.gather(*(instance.reads.list_accounts(scope) for _ in range(4)))
            proxy.freeze()
            shorten(impatience)
            waiting = every_read(instance, scope, paid.id)
            failures = await asyncio.gather(*(failure_of(work, proxy) for work in waiting))
            assert {type(failure) for failure in failures} <= {DatabaseUnavailable, Overloaded}
            again = [failure_of(instance.reads.list_accounts(scope), proxy) for _ in range(10)]
            assert {type(failure) for failure in await asyncio.gather(*again)} == {DatabaseUnavailable}
            impatience.undo()
            proxy.thaw()
            assert len(await read_objects(instance.reads, scope, [paid.id])) == 1
            assert (await instance.reads.verify(scope)).problems == ()


async def test_a_verification_that_takes_long_ends_when_the_database_is_lost(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with Proxy(database_url) as proxy, engine(proxy.url) as instance:
        await instance.reads.verify(scope)
        proxy.arm()
        proxy.freeze()
        verifying = asyncio.create_task(instance.reads.verify(scope))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not proxy.log:  # noqa: ASYNC110  what it waits for has no event
                await asyncio.sleep(0.001)
        instance.scan_pool.abandon_patient()
        assert isinstance(await failure_of(verifying, proxy), DatabaseUnavailable)
        proxy.thaw()
        assert (await instance.reads.verify(scope)).problems == ()


async def test_a_probe_is_not_held_up_by_what_it_looks_at(
    database_url: str, impatience: pytest.MonkeyPatch
) -> None:
    async with Proxy(database_url) as proxy:
        probe = PostgresProbe(DatabaseSettings(url=proxy.url))
        assert await probe.look(afresh=False)
        proxy.freeze()
        shorten(impatience)
        # On a connection that it has, on one that it would have to open, and when it is to write.
        for look in (probe.look(afresh=False), probe.look(afresh=True), probe.write()):
            assert isinstance(await failure_of(look, proxy), TransientFailure)
        impatience.undo()
        proxy.thaw()
        assert await probe.look(afresh=False)
        await probe.write()
        await probe.close()


async def test_without_a_key_a_commit_that_hangs_is_said_to_be_unknown_and_may_yet_take_effect(
    database_url: str, impatience: pytest.MonkeyPatch
) -> None:
    scope = await make_tenant(database_url)
    async with Proxy(database_url) as proxy, engine(proxy.url) as instance:
        await instance.do(PAY, scope)
        proxy.freezes_once_struck = True
        proxy.arm("after", name="commit")
        shorten(impatience)
        outcomes: list[Outcome] = []

        async def pay() -> None:
            outcomes.append(await instance.submit(PAY, scope))

        assert isinstance(await failure_of(pay(), proxy), OutcomeUnknown)
        impatience.undo()
        proxy.thaw()
        assert outcomes == []
        await settle(instance, PAY, scope, "key")
    # It was committed, and that is why nobody was told that it was not.
    assert await count(database_url, "payment_intent") == 3
    await check_database(database_url)


async def test_an_operators_command_ends_with_a_message_while_the_database_hangs(
    database_url: str, impatience: pytest.MonkeyPatch
) -> None:
    async with Proxy(database_url) as proxy:

        async def command() -> None:
            async with connected(proxy.url) as connection:
                proxy.freeze()
                await connection.fetchval("select 1")

        impatience.setattr(limits, "operator_timeout_ms", 200)
        impatience.setattr(limits, "farewell_timeout_ms", 50)
        failure = await failure_of(command(), proxy)
        assert isinstance(failure, ConfigurationError)
        assert "does not answer" in str(failure)
        impatience.setattr(limits, "connect_timeout_ms", 100)
        (looked,) = [finding async for finding in examine_database(proxy.url, clock=SystemClock())]
        assert (looked.state, "did not answer" in looked.seen) == ("fault", True)
        for url in (proxy.url, proxy.url.replace("sslmode=disable", "sslmode=require")):
            with pytest.raises(ConfigurationError, match="did not answer"):
                async with connected(url):
                    raise AssertionError("nobody can be connected to it")
        assert proxy.is_frozen
