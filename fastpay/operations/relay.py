"""Puts the relay of webhooks together."""

import asyncio
from collections.abc import Sequence

from fastpay.api.context import Services
from fastpay.api.resources.events.shape import render_occurrences, render_thin
from fastpay.clock import Clock
from fastpay.config import Settings
from fastpay.domain.identifiers import Scope
from fastpay.domain.webhook_endpoints import ReportEndpoint
from fastpay.engine.event_ports import Occurrence
from fastpay.engine.relay.event_log import EventLog, Form
from fastpay.engine.relay.relay import Ports, Relay
from fastpay.engine.timed_commands import TimedCommands
from fastpay.outbound.webhooks import WebhookDeliverer, WebhookSettings
from fastpay.store.pool import ReaderPool
from fastpay.store.reads import PostgresReads
from fastpay.store.relay import PostgresLeases
from fastpay.store.sealing import Vault
from fastpay.store.webhook_endpoints import PostgresEndpoints

_INSTANCE_BYTES = 16


def open_relay(
    settings: Settings,
    services: Services,
    pool: ReaderPool,
    reads: PostgresReads,
    *,
    vault: Vault | None,
    stopping: asyncio.Event | None,
) -> Relay:
    """Return the relay, which begins to deliver when it is started."""
    commands = TimedCommands(services.writer, services.identifiers)

    async def render(scope: Scope, found: Sequence[Occurrence], form: Form) -> list[bytes]:
        if form.payload == "thin":
            return render_thin(services.resources, scope, found)
        return await render_occurrences(services, scope, found)

    async def submit(scope: Scope, command: ReportEndpoint) -> None:
        await commands.submit([(scope, command)])

    networks, proxy = settings.outbound_allowed_networks, settings.outbound_proxy
    chosen = WebhookSettings(allowed_networks=networks, proxy=proxy)
    ports = Ports(
        store=PostgresLeases(pool),
        endpoints=PostgresEndpoints(reads, vault=vault),
        log=EventLog(services.events, render),
        deliverer=WebhookDeliverer(chosen, clock=services.clock),
        submit=submit,
    )
    clock: Clock = services.clock
    return Relay(
        ports,
        clock=clock,
        instance_id=clock.random_bytes(_INSTANCE_BYTES).hex(),
        retention_days=settings.webhook_attempt_days,
        stopping=stopping,
    )
