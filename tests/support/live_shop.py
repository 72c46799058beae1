"""A live tenant on a real engine, with processors that do what a test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from fastpay import limits
from fastpay.domain.charging import Terms
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.processor_objects import Attempt
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ports import Outcome, Submission
from fastpay.engine.processors.calls import CallTimes, ProcessorCalls
from fastpay.engine.processors.janitor import AttemptJanitor
from fastpay.engine.processors.ports import CardData
from fastpay.engine.processors.routed import Routed
from fastpay.engine.timed_commands import TimedCommands
from fastpay.store.connections import connected
from fastpay.store.housekeeping import PostgresHousekeeping
from tests.support.engine import CLOCK, Engine, check_books, engine, make_tenant
from tests.support.fake_processor import CARD_NUMBER, FakeProcessor, FakeProcessors
from tests.support.world import PAY

CARD = CardData(number=CARD_NUMBER, exp_month=12, exp_year=2034)
# Longer than any wait of a test, and shorter than its patience.
LONG_MS = 30_000


class Shop:
    """A tenant with one instance and the processors that it calls."""

    def __init__(
        self,
        database_url: str,
        instance: Engine,
        scope: Scope,
        processors: FakeProcessors,
        *,
        wait_ms: int,
        timeout_ms: int,
        calls_max: int,
    ) -> None:
        self.database_url, self.instance, self.scope = database_url, instance, scope
        self.processors = processors
        identifiers = IdentifierFactory(CLOCK)
        self.calls = ProcessorCalls(
            processors,
            instance.writer,
            clock=CLOCK,
            identifiers=identifiers,
            times=CallTimes(wait_ms=wait_ms, timeout_ms=timeout_ms, inquiry_s=0),
            calls_max=calls_max,
        )
        self.janitor = AttemptJanitor(
            PostgresHousekeeping(instance.pool),
            TimedCommands(instance.writer, identifiers),
            processors,
            clock=CLOCK,
            inquiry_s=0,
            reader=instance.reader,
        )

    async def route(self) -> Routed:
        routed = await self.calls.route(self.scope, amount=1000, currency="usd", method="card", card=CARD)
        assert routed is not None
        return routed

    async def submission(self, routed: Routed, *, key: str | None = None, **fields: str) -> Submission:
        command = msgspec.structs.replace(PAY, terms=Terms(route=routed.route), fields=fields)
        return self.instance.submission(command, self.scope, key=key)

    async def pay(self, *, key: str | None = None, routed: Routed | None = None, **fields: str) -> Outcome:
        """Do what a request does, and return its answer."""
        routed = routed or await self.route()
        submission = await self.submission(routed, key=key, **fields)
        outcome = await self.instance.writer.submit(submission)
        return await self.calls.follow(routed, submission, outcome)

    async def follow_up(self, command: Any, *, key: str | None = None) -> Outcome:
        """Do what a request to capture, to cancel or to refund does, and return its answer."""
        followed = self.calls.follow_up(self.scope)
        command = msgspec.structs.replace(command, terms=followed.terms)
        submission = self.instance.submission(command, self.scope, key=key)
        outcome = await self.instance.writer.submit(submission)
        return await self.calls.follow(followed, submission, outcome)

    async def objects(self, kind: type) -> list[Any]:
        """Return all objects of a kind as they are now."""
        listed = await select(self.database_url, "select distinct kind, object_id from object_version")
        prefix = kind.prefix  # type: ignore[attr-defined]
        names = [f"{prefix}_{row['object_id'].hex}" for row in listed]
        reading = await self.instance.reads.read_latest([(self.scope, name) for name in names])
        return [one.object for one in reading.objects if isinstance(one.object, kind)]

    async def intent(self) -> PaymentIntent:
        (found,) = await self.objects(PaymentIntent)
        assert isinstance(found, PaymentIntent)
        return found

    async def attempt(self, operation: str = "authorize") -> Attempt:
        found = [one for one in await self.objects(Attempt) if isinstance(one, Attempt)]
        (only,) = [one for one in found if one.operation == operation]
        return only

    async def in_doubt(self) -> int:
        rows = await select(self.database_url, "select credits_pending from account where code = 'in_doubt'")
        return sum(row["credits_pending"] for row in rows)


@asynccontextmanager
async def shop(
    database_url: str,
    *,
    wait_ms: int = LONG_MS,
    timeout_ms: int = LONG_MS,
    calls_max: int = limits.processor_calls_max,
    **named: FakeProcessor,
) -> AsyncIterator[Shop]:
    """Open a shop, and find nothing wrong in its books at the end."""
    scope = await make_tenant(database_url, livemode=True)
    async with engine(database_url) as instance:
        processors = FakeProcessors(**named)
        opened = Shop(
            database_url,
            instance,
            scope,
            processors,
            wait_ms=wait_ms,
            timeout_ms=timeout_ms,
            calls_max=calls_max,
        )
        yield opened
        await opened.calls.close()
    await check_books(database_url, scope)


async def select(database_url: str, query: str) -> list[Any]:
    """Return rows of the database."""
    async with connected(database_url) as connection:
        found: list[Any] = await connection.fetch(query)
    return found


async def until(is_true: Callable[[], bool]) -> None:
    """Return once something is true."""

    async def ask() -> bool:
        return is_true()

    await until_async(ask)


async def until_async(is_true: Callable[[], Awaitable[object]]) -> None:
    """Return once the database says something. Raises: TimeoutError."""
    async with asyncio.timeout(30):
        while not await is_true():  # noqa: ASYNC110  the database says it
            await asyncio.sleep(0.01)
