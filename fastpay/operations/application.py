"""Builds the application over its database and cache, and starts and closes every part of it in order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastpay import limits
from fastpay.api import context
from fastpay.api.app import RESOURCES, Application, create_app
from fastpay.api.card_texts import CardTexts
from fastpay.api.cors import Cors
from fastpay.api.openapi import codes_page
from fastpay.clock import Clock, DatabaseClock
from fastpay.config import Settings
from fastpay.domain.error_links import ErrorLinks
from fastpay.domain.identifiers import Scope
from fastpay.engine import ports
from fastpay.engine.background import Background
from fastpay.engine.dependencies import Readiness
from fastpay.engine.duty import Duty
from fastpay.engine.event_ports import EventLists
from fastpay.engine.expiry import Expirer
from fastpay.engine.failures import TransientFailure
from fastpay.engine.feeds import Feeds
from fastpay.engine.funds import FundsMover
from fastpay.engine.homes.homes import Homes
from fastpay.engine.homes.membership import Membership
from fastpay.engine.housekeeping import Housekeeper
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.indexing import Indexer
from fastpay.engine.read.reader import Reader
from fastpay.engine.relay.relay import Relay
from fastpay.engine.rollout.imported import Imported
from fastpay.engine.rollout.routes import Front
from fastpay.engine.shares import Shares
from fastpay.engine.timekeeper import MomentStore, Timekeeper
from fastpay.engine.write.dispatcher import Dispatcher
from fastpay.engine.write.ports import QueueingWriter
from fastpay.engine.write.trial import TrialWriter
from fastpay.engine.write.writer import Writer
from fastpay.observability import telemetry
from fastpay.observability.counters import Counters
from fastpay.operations.database import database_settings
from fastpay.operations.deadline import Deadline
from fastpay.operations.homes import Followers, Handover, Hearers, Observers, open_homes
from fastpay.operations.outages import Outages, watch_dependencies
from fastpay.operations.parts import Part
from fastpay.operations.processors import open_live_payments
from fastpay.operations.relay import open_relay
from fastpay.operations.replica import open_replica
from fastpay.operations.request_log import open_request_log
from fastpay.operations.rollout import open_front, open_legacy
from fastpay.store.announcements import Announcer, Listener
from fastpay.store.batches import PostgresBatches
from fastpay.store.challenge_tokens import SealedChallengeTokens
from fastpay.store.copies import RedisCopies
from fastpay.store.events import PostgresEvents
from fastpay.store.header_values import SealedHeaderValues
from fastpay.store.housekeeping import PostgresHousekeeping
from fastpay.store.imports import PostgresImports
from fastpay.store.keyring import PostgresKeyRing
from fastpay.store.ledger import PostgresLedger
from fastpay.store.members import PostgresMembers
from fastpay.store.pool import ReaderPool
from fastpay.store.postgres import DatabaseSettings
from fastpay.store.reads import PostgresReads
from fastpay.store.relay import PostgresDeliveries
from fastpay.store.sealing import Vault


@asynccontextmanager
async def open_application(
    settings: Settings,
    *,
    database_url: str,
    redis_url: str | None,
    clock: Clock,
    deadline: Deadline,
    vault: Vault | None = None,
    counters: Counters | None = None,
    stopping: asyncio.Event | None = None,
) -> AsyncIterator[Application]:
    """Build the application over its database and cache; close it at the end of the block, by the deadline.

    `clock` is the machine's, `counters` receives every part that counts. At `stopping` others take over.
    """
    database = database_settings(settings, database_url)
    async with AsyncExitStack() as stack:
        watch = (outages := watch_dependencies(settings, database, redis_url, clock=clock)).database
        open_pool = partial(_open_pool, stack, database, watch.failed, deadline, outages.readiness)
        pool, scan_pool = open_pool("reads"), open_pool("scans", settings.scan_connections_max)
        watch.when_lost = scan_pool.abandon_patient
        reads, counters, machine_clock = PostgresReads(pool, scan_pool), counters or Counters(), clock
        membership = Membership(PostgresMembers(pool), reads, clock=machine_clock)
        clock, identifiers = await _keep_time(stack, settings, membership, machine_clock, deadline, counters)
        outages.readiness.require(identifiers.fault)
        feeds = Feeds(reads.read_sequences, clock=machine_clock, is_away=watch.is_away)
        told = (counters, outages, hearers := Hearers(feeds.heard))
        reader, listed_events = _open_reader(stack, settings, reads, redis_url, (clock, deadline), told)
        background = Background(shares := Shares(requests_max=settings.contended_requests_max))
        observers, follower = Observers(reader, feeds), Followers(reader, hearers.heard)
        make = partial(Writer, clock=clock, observer=observers, background=background, failed=watch.failed)
        writer: QueueingWriter = (own := _open_writer(stack, database, deadline, make, outages))
        if settings.homes:
            homes = await open_homes(settings, membership, own, follower, clock, vault)
            writer = _keep_members(stack, deadline, homes, stopping, (counters, observers))
        is_away, keep, times = watch.is_away, partial(_keep_running, stack, deadline), (machine_clock, clock)
        live = partial(open_live_payments, vault=vault, clock=clock, identifiers=identifiers, outages=outages)
        opened, due, held = live(settings, pool, writer, reader), (pool, membership.duty), (pool, reads)
        keep(*opened.parts, *_create_timed(settings, due, writer, times, identifiers, is_away=is_away))
        notes, log_parts = open_request_log(settings, reads, pool, open_pool, counters, clock, is_away)
        keep(Indexer(reads.search_index, clock=clock, is_away=is_away), outages.monitor, feeds, *log_parts)
        services = context.Services(
            writer=writer,
            reader=reader,
            ledger=PostgresLedger(reads),
            events=PostgresEvents(reads),
            listed_events=listed_events,
            deliveries=PostgresDeliveries(reads),
            header_seal=SealedHeaderValues(clock=clock),
            request_notes=notes,
            live_payments=opened.payments,
            feeds=feeds,
            keys=await _open_keys(settings, open_pool, clock, vault),
            clock=clock,
            identifiers=identifiers,
            readiness=outages.readiness,
            resources=RESOURCES,
            challenges=SealedChallengeTokens(await reads.seal_key(), clock=clock),
            front=await _keep_front(stack, settings, database, (outages, counters), deadline, held, clock),
            imported=await _keep_imported(keep, pool, clock, is_away),
            settings=_settings_of_api(settings),
            cors=Cors(settings.cors_origins),
            card_texts=CardTexts(refuses=settings.card_numbers_in_text == "refuse"),
            shares=shares,
            background=background,
        )
        counters.add(services.card_texts, feeds, own, *opened.counting)
        relay = open_relay(settings, services, pool, reads, vault=vault, stopping=stopping)
        keep(_tell_relay(relay, counters, observers, hearers))
        yield create_app(services)


def _open_writer(
    stack: AsyncExitStack,
    database: DatabaseSettings,
    deadline: Deadline,
    make: Callable[..., Writer],
    outages: Outages,
) -> Dispatcher:
    """Start the two writers, each with connections of its own."""
    batches = [_open_batches(stack, database, deadline) for _ in ("plain", "bulk")]
    make = partial(make, refusal=outages.disk_fault)
    # A light batch bounds the time that the payments in it take.
    plain = make(batches[0], batch_weight_max=limits.plain_batch_weight_max)
    writer = Dispatcher(plain, bulk=make(batches[1]))
    outages.readiness.require(writer.fault)
    _keep_running(stack, deadline, writer)
    return writer


def _keep_members(
    stack: AsyncExitStack,
    deadline: Deadline,
    homes: Homes,
    stopping: asyncio.Event | None,
    told: tuple[Counters, Observers],
) -> Homes:
    """Hand over to the others at the stop, and close the connections to them at the end of the stack.

    `told` get to know what counts, and who else is told of commits.
    """
    counters, observers = told
    counters.add(homes)
    observers.add(homes.serving)
    stack.push_async_callback(_close_in_time, homes.close, deadline)
    _keep_running(stack, deadline, Handover(homes, stopping))
    return homes


async def _keep_front(
    stack: AsyncExitStack,
    settings: Settings,
    database: DatabaseSettings,
    told: tuple[Outages, Counters],
    deadline: Deadline,
    reading: tuple[ReaderPool, PostgresReads],
    clock: Clock,
) -> Front | None:
    """Return what stands in front of the legacy API, if there is one; the stack closes it.

    `told` get to know whether the legacy API can be reached, and what counts.
    """
    outages, counters = told
    legacy = open_legacy(settings, outages.legacy)
    if legacy is None:
        return None
    counters.add(legacy)
    stack.push_async_callback(_close_in_time, legacy.close, deadline)
    trial = TrialWriter(_open_batches(stack, database, deadline), clock)
    (pool, reads), is_away = reading, outages.database.is_away
    front = await open_front(settings, legacy, pool, trial, verify=reads.verify, clock=clock, is_away=is_away)
    counters.add(front.findings, front.guardrails, front.money, front.mistaken, front.merges)
    watching = (front.guardrails, front.money)
    _keep_running(stack, deadline, front.routes, front.findings, front.shadow, *watching)
    return front


async def _keep_imported(
    keep: Callable[..., object], pool: ReaderPool, clock: Clock, is_away: Callable[[], bool]
) -> Imported:
    """Return what finds imported objects. Which tenants have some is known from the beginning."""
    imported = Imported(PostgresImports(pool), clock=clock, is_away=is_away)
    await imported.read()
    keep(imported)
    return imported


def _tell_relay(relay: Relay, counters: Counters, observers: Observers, hearers: Hearers) -> Relay:
    """Let the relay know of commits, here and elsewhere, count what it does, and return it."""
    observers.add(relay)
    hearers.add(relay.heard)
    counters.add(relay)
    return relay


async def _open_keys(
    settings: Settings, open_pool: Callable[[str, int], ReaderPool], clock: Clock, vault: Vault | None
) -> PostgresKeyRing:
    pool = open_pool("keys", limits.key_connections_max)
    keys = PostgresKeyRing(pool, clock=clock, cache_ms=settings.key_cache_ms, vault=vault)
    await keys.warm_up()
    return keys


def _settings_of_api(settings: Settings) -> context.Settings:
    return context.Settings(
        body_bytes_max=settings.body_bytes_max,
        public_url=settings.public_url,
        test_delay_s=settings.test_delay_s,
        allows_plain_webhooks=bool(settings.outbound_allowed_networks) and settings.outbound_proxy is None,
        takes_card_numbers=settings.raw_card_numbers == "allow",
    )


def _create_housekeeper(
    settings: Settings, store: PostgresHousekeeping, machine_clock: Clock, is_away: Callable[[], bool]
) -> Housekeeper:
    hours = settings.idempotency_retention_hours
    return Housekeeper(store, clock=machine_clock, retention_hours=hours, is_away=is_away)


def _create_timed(
    settings: Settings,
    due: tuple[ReaderPool, Duty],
    writer: ports.Writer,
    clocks: tuple[Clock, Clock],
    identifiers: IdentifierFactory,
    *,
    is_away: Callable[[], bool],
) -> list[Part]:
    """Return the parts that act when their time has come. `clocks` are the machine's and the database's.

    `due` is what is asked for what is due, and whether this instance asks.
    """
    delay_s = settings.test_delay_s
    (pool, duty), (machine_clock, clock) = due, clocks
    store = PostgresHousekeeping(pool)
    links = ErrorLinks(codes_url=codes_page.address(settings.public_url))
    return [
        _create_housekeeper(settings, store, machine_clock, is_away),
        Expirer(
            store,
            writer,
            clock=clock,
            identifiers=identifiers,
            delay_s=delay_s,
            links=links,
            duty=duty,
            is_away=is_away,
        ),
        FundsMover(store, writer, clock=clock, identifiers=identifiers, step_s=delay_s, is_away=is_away),
    ]


def _open_batches(stack: AsyncExitStack, database: DatabaseSettings, deadline: Deadline) -> PostgresBatches:
    """Return the connections of a writer, and close them at the end of the stack."""
    batches = PostgresBatches(database)
    stack.push_async_callback(_close_in_time, batches.close, deadline)
    return batches


def _open_pool(
    stack: AsyncExitStack,
    database: DatabaseSettings,
    failed: Callable[[TransientFailure], None],
    deadline: Deadline,
    readiness: Readiness,
    name: str,
    connections_max: int | None = None,
) -> ReaderPool:
    """Open a pool, show its state under this name, and close it at the end of the stack."""
    pool = ReaderPool(database, connections_max=connections_max, failed=failed)
    readiness.watch_pool(name, pool.state)
    stack.push_async_callback(_close_in_time, pool.close, deadline)
    return pool


async def _keep_time(
    stack: AsyncExitStack,
    settings: Settings,
    moments: MomentStore,
    machine_clock: Clock,
    deadline: Deadline,
    counters: Counters,
) -> tuple[Clock, IdentifierFactory]:
    """Return a clock that follows the database's time, and the source of identifiers that uses it."""
    clock = DatabaseClock(machine_clock)
    identifiers = IdentifierFactory(clock)
    timekeeper = Timekeeper(
        moments, clock=clock, identifiers=identifiers, refused_ms=settings.clock_refused_ms
    )
    await timekeeper.look()
    _keep_running(stack, deadline, timekeeper)
    counters.add(timekeeper)
    return clock, identifiers


def _open_reader(
    stack: AsyncExitStack,
    settings: Settings,
    reads: PostgresReads,
    redis_url: str | None,
    time: tuple[Clock, Deadline],
    told: tuple[Counters, Outages, Hearers],
) -> tuple[Reader, EventLists]:
    """Start the reader, with its connections to Redis and to a replica if there are any.

    `told` get to know what counts, what can be reached, and what other instances change. Returns what lists
    events for clients too.
    """
    (clock, deadline), (counters, outages, hearers) = time, told
    redis, replica = outages.redis, open_replica(settings, reads, outages.readiness, clock=clock)
    _keep_running(stack, deadline, *([] if replica is None else [replica]))
    staleness_ms, bytes_max = settings.read_staleness_ms, settings.cache_bytes_max
    announcer = copies = None
    if redis_url is not None:
        announcer = Announcer(redis_url, clock=clock, part=redis.part())
        _keep_running(stack, deadline, announcer)
        counters.add(announcer)
    if redis_url is not None and settings.redis_copies and staleness_ms:
        copies = RedisCopies(redis_url, clock=clock, identify=reads.identify, part=redis.part())
        _keep_running(stack, deadline, copies)
        counters.add(copies)
    reader = Reader(
        reads,
        clock=clock,
        staleness_ms=staleness_ms,
        cache_bytes_max=bytes_max,
        announcer=announcer,
        copies=copies,
        replica=None if replica is None else replica.choice,
    )
    _keep_running(stack, deadline, reader)
    counters.add(reader)
    if announcer is not None and redis_url is not None:

        def heard(scope: Scope, versions: Sequence[tuple[str, int]]) -> None:
            reader.heard(scope, versions)
            hearers.heard(scope)

        listener = Listener(redis_url, origin=announcer.origin, heard=heard, part=redis.part())
        _keep_running(stack, deadline, listener)
        counters.add(listener)
    events = PostgresEvents(reads)
    return reader, events if replica is None else replica.list_events(reader, events)


def _keep_running(stack: AsyncExitStack, deadline: Deadline, *parts: Part) -> None:
    """Start parts of the engine, and close them at the end of the stack."""
    for part in parts:
        part.start()
        stack.push_async_callback(_close_in_time, part.close, deadline)


async def _close_in_time(close: Callable[[], Awaitable[None]], deadline: Deadline) -> None:
    """Close in order, within half of the remaining time: later parts need some as well."""
    try:
        async with asyncio.timeout(deadline.left_ms() / 2000):
            await close()
    except TimeoutError:
        telemetry.log.warning("close_forced", advice="the database did not answer; check that it works")
