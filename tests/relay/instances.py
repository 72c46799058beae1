"""Relays in the process of the test, on a real database and over real HTTP, each as an own instance."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

from fastpay.api.app import RESOURCES
from fastpay.api.context import Services
from fastpay.api.resources.events.shape import render_occurrences
from fastpay.clock import Clock, SystemClock
from fastpay.domain.customers import CreateCustomer
from fastpay.domain.identifiers import Scope, digits
from fastpay.domain.plan import Command
from fastpay.domain.webhook_endpoints import CreateEndpoint, ReportEndpoint, WebhookEndpoint
from fastpay.engine.event_ports import Occurrence
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.relay.event_log import EventLog, Form
from fastpay.engine.relay.relay import Ports, Relay
from fastpay.engine.timed_commands import TimedCommands
from fastpay.outbound.webhooks import WebhookDeliverer, WebhookSettings
from fastpay.store.connections import connected
from fastpay.store.events import PostgresEvents
from fastpay.store.relay import PostgresLeases
from fastpay.store.webhook_endpoints import PostgresEndpoints
from tests.support.engine import Engine, engine
from tests.support.servers import PATIENCE_SECONDS

CLOCK = SystemClock()
# An attempt may take as long as a busy machine lets it.
TIMEOUT_MS = PATIENCE_SECONDS * 1000


class Instance:
    """A relay over an engine."""

    def __init__(self, relay: Relay, over: Engine, store: PostgresLeases) -> None:
        self.relay = relay
        self.engine = over
        self.store = store

    async def endpoint(self, scope: Scope, url: str, *types: str, **fields: object) -> str:
        """Create an endpoint and return its identifier."""
        given = {"url": url, "enabled_events": types or ("*",), **fields}
        made: WebhookEndpoint = await self.do(CreateEndpoint(salt="5a" * 16, fields=given), scope)
        return made.id

    async def do(self, command: Command, scope: Scope) -> Any:
        """Commit a command, wake the relay, and return the object."""
        made = await self.engine.do(command, scope)
        self.relay.heard(scope)
        return made

    async def make_events(self, scope: Scope, count: int) -> None:
        """Make so many events."""
        await asyncio.gather(*(self.engine.do(CreateCustomer(fields={}), scope) for _ in range(count)))
        self.relay.heard(scope)

    async def configuration(self, scope: Scope, endpoint_id: str) -> WebhookEndpoint:
        """Return the endpoint as it is stored."""
        found = await self.engine.reader.get(scope, endpoint_id)
        assert found is not None
        assert isinstance(found.object, WebhookEndpoint)
        return found.object

    async def die(self) -> None:
        """Stop without storing or leaving anything, as a kill would."""
        relay = self.relay
        relay._has_left = True
        for channel in relay.leases.channels.values():
            channel.is_leaving = True
        for task in (*relay._tasks, relay._recorder._task):
            assert task is not None
            task.cancel()


@asynccontextmanager
async def instance(
    database_url: str,
    *,
    relay_url: str | None = None,
    timeout_ms: int = TIMEOUT_MS,
    clock: Clock = CLOCK,
) -> AsyncIterator[Instance]:
    """Run an instance for the block; `relay_url` where its relay takes another way to the database."""
    async with AsyncExitStack() as stack:
        over = await stack.enter_async_context(engine(database_url, staleness_ms=0))
        own = over
        if relay_url is not None:
            own = await stack.enter_async_context(engine(relay_url))
        events = PostgresEvents(own.reads)
        services = cast("Services", SimpleNamespace(resources=RESOURCES, events=events))
        commands = TimedCommands(over.writer, IdentifierFactory(clock))

        async def render(scope: Scope, found: Sequence[Occurrence], form: Form) -> list[bytes]:
            return await render_occurrences(services, scope, found)

        async def submit(scope: Scope, command: ReportEndpoint) -> None:
            await commands.submit([(scope, command)])

        store = PostgresLeases(own.pool)
        settings = WebhookSettings(allowed_networks=("127.0.0.0/8",))
        ports = Ports(
            store=store,
            endpoints=PostgresEndpoints(own.reads, vault=None),
            log=EventLog(events, render),
            deliverer=WebhookDeliverer(settings, clock=clock, timeout_ms=timeout_ms),
            submit=submit,
        )
        relay = Relay(ports, clock=clock, instance_id=CLOCK.random_bytes(16).hex(), retention_days=30)
        relay.start()
        stack.push_async_callback(relay.close)
        yield Instance(relay, over, store)


async def until(condition: Callable[[], Any]) -> None:
    """Return once it holds; it may be a coroutine function."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            holds = condition()
            if asyncio.iscoroutine(holds):
                holds = await holds
            if holds:
                return
            await asyncio.sleep(0.02)


async def fetch(database_url: str, statement: str, *values: Any) -> list[dict[str, Any]]:
    """Return the rows of a query."""
    async with connected(database_url) as connection:
        return [dict(row) for row in await connection.fetch(statement, *values)]


async def cursor(database_url: str, endpoint_id: str) -> dict[str, Any]:
    """Return the cursor of an endpoint, with what it claims to have delivered."""
    statement = (
        "select c.*, coalesce(least(position, (select min(sequence) - 1 from webhook_exception e where "
        "e.webhook_endpoint_id = c.webhook_endpoint_id)), -1) as delivered_through, "
        "(select sequence from book b where b.tenant_id = c.tenant_id and b.livemode = c.livemode) as last "
        "from webhook_progress c where webhook_endpoint_id = $1"
    )
    found = await fetch(database_url, statement, digits(endpoint_id))
    return found[0] if found else {"delivered_through": -1, "last": 0, "holder": None, "fence": 0}


async def is_delivered(database_url: str, *endpoint_ids: str) -> bool:
    """Tell whether everything is acknowledged."""
    states = [await cursor(database_url, endpoint_id) for endpoint_id in endpoint_ids]
    return all(state["delivered_through"] >= state["last"] > 0 for state in states)


async def attempts(database_url: str, endpoint_id: str) -> list[dict[str, Any]]:
    """Return the attempts to an endpoint, in their order."""
    statement = "select * from webhook_attempt where webhook_endpoint_id = $1 order by attempt_id"
    return await fetch(database_url, statement, digits(endpoint_id))
