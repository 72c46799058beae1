"""Puts the processors of all tenants together, for a server and for the command line."""

from typing import NamedTuple

from fastpay import limits
from fastpay.api.openapi import codes_page
from fastpay.clock import Clock
from fastpay.config import Settings
from fastpay.domain.error_links import ErrorLinks
from fastpay.engine.dependency_ports import Parts
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.periodic import PeriodicWork
from fastpay.engine.ports import Writer
from fastpay.engine.processors.actions import CardholderActions
from fastpay.engine.processors.calls import CallTimes, ProcessorCalls
from fastpay.engine.processors.janitor import AttemptJanitor
from fastpay.engine.processors.live_payments import LivePayments
from fastpay.engine.processors.notices import ProcessorNotices
from fastpay.engine.processors.settling import Settling
from fastpay.engine.read.reader import Reader
from fastpay.engine.timed_commands import TimedCommands
from fastpay.engine.write.ports import QueueingWriter
from fastpay.observability import telemetry
from fastpay.operations.outages import Outages
from fastpay.outbound.processors.making import ProcessorMaker
from fastpay.outbound.processors.registry import Registry
from fastpay.outbound.processors.rehearsal import Rehearsals
from fastpay.store.housekeeping import PostgresHousekeeping
from fastpay.store.pool import ReaderPool
from fastpay.store.processors import PostgresProcessors
from fastpay.store.sealing import Vault
from fastpay.store.settlements import PostgresSettlements

_log = telemetry.Log("fastpay.processors")


class OpenLivePayments(NamedTuple):
    """What carries out live payments in a server. `parts` are in the order in which they are started."""

    parts: tuple[Registry, PeriodicWork, Rehearsals, ProcessorCalls, AttemptJanitor]
    counting: tuple[ProcessorCalls, AttemptJanitor, ProcessorNotices]
    payments: LivePayments


def open_processors(
    settings: Settings, pool: ReaderPool, *, vault: Vault | None, clock: Clock, dependency: Parts
) -> Registry:
    """Return the processors that operators have configured, as they are used by a server."""
    maker = ProcessorMaker(clock=clock, arrival_s=settings.processor_arrival_s, dependency=dependency)
    return Registry(PostgresProcessors(pool, vault=vault), maker, clock=clock)


def open_live_payments(
    settings: Settings,
    pool: ReaderPool,
    writer: QueueingWriter,
    reader: Reader,
    *,
    vault: Vault | None,
    clock: Clock,
    identifiers: IdentifierFactory,
    outages: Outages,
) -> OpenLivePayments:
    """Return what calls processors, and what inquires of the payments that they did not answer."""
    registry = open_processors(settings, pool, vault=vault, clock=clock, dependency=outages.processors)
    is_away = outages.database.is_away
    probing = PeriodicWork(
        ("processors", registry.probe, limits.processor_probing_ms), clock=clock, log=_log, is_away=is_away
    )
    # Test cards have processors of their own.
    processors = Rehearsals(registry, clock=clock)
    links = ErrorLinks(codes_url=codes_page.address(settings.public_url))
    calls = ProcessorCalls(
        processors,
        writer,
        clock=clock,
        identifiers=identifiers,
        times=CallTimes(
            timeout_ms=settings.processor_timeout_ms,
            wait_ms=settings.processor_wait_ms,
            arrival_s=settings.processor_arrival_s,
            inquiry_s=settings.processor_inquiry_s,
        ),
    )
    janitor = AttemptJanitor(
        PostgresHousekeeping(pool),
        TimedCommands(writer, identifiers),
        processors,
        clock=clock,
        inquiry_s=settings.processor_inquiry_s,
        reader=reader,
        links=links,
        is_away=is_away,
    )
    notices = ProcessorNotices(processors, writer, identifiers=identifiers, reader=reader, links=links)
    actions = CardholderActions(processors, reader, writer, identifiers=identifiers, links=links)
    processors.hear = notices.record
    parts = (registry, probing, processors, calls, janitor)
    settling = make_settling(settings, pool, writer, identifiers)
    payments = LivePayments(calls, notices, settling, actions)
    return OpenLivePayments(parts, (calls, janitor, notices), payments)


def make_settling(
    settings: Settings, pool: ReaderPool, writer: Writer, identifiers: IdentifierFactory
) -> Settling:
    """Return what settles, in a server and for the command line."""
    links = ErrorLinks(codes_url=codes_page.address(settings.public_url))
    return Settling(PostgresSettlements(pool), writer, identifiers=identifiers, links=links)
