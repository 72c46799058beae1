"""The server process. Only this module and application.py know every floor of the package.

The start takes as long as PostgreSQL or the imports, whichever is slower: the embedded servers are launched
first, and the heavy modules are imported while they start.
"""

import asyncio
import contextlib
import faulthandler
import functools
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

import msgspec

from fastpay import limits
from fastpay.clock import Clock, SystemClock
from fastpay.config import Settings
from fastpay.errors import ConfigurationError
from fastpay.observability import telemetry, trace_setup
from fastpay.observability.counters import Counters
from fastpay.operations import gc
from fastpay.operations.deadline import Deadline
from fastpay.operations.embedded.directory import DataDirectory, has_directory
from fastpay.operations.embedded.servers import EmbeddedServers
from fastpay.operations.predecessor import ADMIN, PUBLIC, Inheritance, inherit
from fastpay.operations.preflight import open_files_missing, require_all
from fastpay.operations.readiness import Ready, ReadyFile, greet
from fastpay.operations.service_manager import Watchdog, notify
from fastpay.operations.upgrade import Upgrade

if TYPE_CHECKING:
    from fastpay.api.app import Application
    from fastpay.operations.admin import AdminListener
    from fastpay.server.listener import Server
    from fastpay.store.sealing import Vault

WATCH_SECONDS = 0.25


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, and return the exit status.

    Raises: ConfigurationError for a problem that the operator must fix.
    """
    # A crash in compiled code leaves the stack of every thread on stderr.
    faulthandler.enable()
    _leave_no_memory_behind()
    gc.collect_less_often()
    inheritance = inherit()
    require_all(settings, is_inherited=inheritance.socket_of(PUBLIC) is not None)
    trace_setup.set_up_tracing()
    _raise_file_limit()
    deadline = Deadline(settings.drain_timeout_ms)
    with ExitStack() as stack:
        stack.callback(trace_setup.stop_tracing)
        stack.enter_context(_stopping_on_signals())
        directory, servers = None, None
        if settings.database_url is not None:
            # Before the data directory is created: a problem must leave nothing behind.
            asyncio.run(prepare_database(settings.database_url, allow_unsafe=settings.allow_unsafe_database))
        if settings.database_url is None or settings.redis_url is None:
            is_new = not has_directory(settings.data_dir)
            directory = stack.enter_context(DataDirectory(settings.data_dir))
            telemetry.log.info("data_directory_opened", path=directory.path, new=is_new)
            servers = EmbeddedServers(
                directory,
                with_postgres=settings.database_url is None,
                with_redis=settings.redis_url is None,
            )
            stack.callback(lambda: servers.stop(timeout_ms=deadline.left_ms()))
            servers.launch()
        import uvloop  # noqa: PLC0415 - imported while PostgreSQL starts, as are the floors below

        import fastpay.operations.application  # noqa: PLC0415
        import fastpay.store.migrate  # noqa: F401, PLC0415

        if servers is not None:
            servers.wait_ready()
        return uvloop.run(_serve(settings, directory, servers, deadline, inheritance))


async def _serve(
    settings: Settings,
    directory: DataDirectory | None,
    servers: EmbeddedServers | None,
    deadline: Deadline,
    inheritance: Inheritance,
) -> int:
    from fastpay.operations.admin import AdminListener  # noqa: PLC0415 - see `run`
    from fastpay.operations.application import open_application  # noqa: PLC0415 - see `run`
    from fastpay.store.postgres import DatabaseSettings  # noqa: PLC0415

    loop, stopping, ending = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, functools.partial(_begin_stop, stopping, ending, deadline))
    clock = SystemClock()
    database_url = settings.database_url or (servers.database_url if servers is not None else None)
    redis_url = settings.redis_url or (servers.redis_url if servers is not None else None)
    assert database_url is not None
    embedded = directory if settings.database_url is None else None
    vault, test_key, invitation = await _open_installation(settings, database_url, embedded, clock)
    status, counters = 0, Counters()
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(
            open_application(
                settings,
                database_url=database_url,
                redis_url=redis_url,
                clock=clock,
                deadline=deadline,
                vault=vault,
                counters=counters,
                stopping=stopping,
            )
        )
        server = _make_server(app, settings, inheritance.socket_of(PUBLIC))
        admin = AdminListener(settings, app, server, counters, inherited=inheritance.socket_of(ADMIN))
        stack.push_async_callback(admin.stop)
        stack.push_async_callback(_stop_server, server, deadline)
        await server.open()
        database = DatabaseSettings(url=database_url, session_state=not settings.transaction_pooling)
        await admin.start(database, vault=vault, clock=clock)
        loop.add_signal_handler(signal.SIGHUP, functools.partial(_reload, server))
        gc.spare()
        ready = Ready(server.url, os.getpid(), database_url, redis_url, admin.url, test_key or msgspec.UNSET)
        greet(ready, settings, invitation)
        file = ReadyFile(settings.ready_file, ready)
        watcher = asyncio.create_task(_watch(servers, stopping), name="watch embedded servers")
        upgrade = await stack.enter_async_context(_upgradable(settings, server, admin, stopping, file))
        # Whoever reads it may send SIGUSR2 at once, which ends a process that does not wait for it.
        file.write()
        stack.callback(file.remove)
        # Last: the connections of a newcomer that fails before this stay with its predecessor.
        server.accept()
        _tell_ready(inheritance)
        await stopping.wait()
        # A stream has no end of its own that the server could wait for.
        app.drain()
        await _hand_over(settings, server, admin, is_replaced=upgrade.is_done, until=ending)
        deadline.start()
        telemetry.log.info("stop_requested")
        file.remove()
        status = 0 if await watcher else 1
    telemetry.log.info("counters_reported", **counters.read())
    telemetry.log.info("process_stopped")
    return status


async def _open_installation(
    settings: Settings, database_url: str, embedded: DataDirectory | None, clock: Clock
) -> tuple["Vault | None", str | None, str | None]:
    """Return the vault and, of an embedded database, the test key and its owner's invitation if due."""
    from fastpay.operations.console.first_operator import invite_owner  # noqa: PLC0415 - see `run`
    from fastpay.operations.sealing_keys import keep_test_key, open_at_start  # noqa: PLC0415
    from fastpay.store.connections import connected  # noqa: PLC0415

    if embedded is not None:
        await prepare_database(database_url, allow_unsafe=settings.allow_unsafe_database)
    async with connected(database_url) as connection:
        vault = await open_at_start(settings, connection, clock=clock)
        if embedded is None:
            return vault, None, None
        test_key = await keep_test_key(connection, embedded, vault=vault)
        return vault, test_key, None if vault is None else await invite_owner(connection, clock)


async def prepare_database(database_url: str, *, allow_unsafe: bool) -> None:
    """Check that the database is safe to use, and apply pending migrations.

    Raises: ConfigurationError.
    """
    from fastpay.store.migrate import migrate  # noqa: PLC0415 - see `run`

    missing = await _inspect_patiently(database_url, allow_unsafe=allow_unsafe)
    if missing:
        applied = await migrate(database_url)
        telemetry.log.info(
            "migrations_applied", revisions=" ".join(applied) or "none, another instance applied them"
        )


async def _inspect_patiently(database_url: str, *, allow_unsafe: bool) -> bool:
    """Do what `_inspect` does, again if the connection is lost.

    After a restart of PostgreSQL a pooler has dead connections, and finds each by a statement of ours.
    """
    from fastpay.store.connections import ConnectionLost  # noqa: PLC0415 - see `run`

    for _ in range(limits.start_attempts_max - 1):
        with contextlib.suppress(ConnectionLost):
            return await _inspect(database_url, allow_unsafe=allow_unsafe)
        await asyncio.sleep(limits.start_retry_ms / 1000)
    return await _inspect(database_url, allow_unsafe=allow_unsafe)


async def _inspect(database_url: str, *, allow_unsafe: bool) -> bool:
    """Check that the database is safe to use, and tell whether migrations are pending."""
    from fastpay.store.connections import connected  # noqa: PLC0415 - see `run`
    from fastpay.store.health import inspect_database, require_usable, unsafe_settings  # noqa: PLC0415
    from fastpay.store.migrate import pending_on  # noqa: PLC0415

    async with connected(database_url) as connection:
        facts = await inspect_database(connection)
        require_usable(facts, allow_unsafe=allow_unsafe)
        for fault in unsafe_settings(facts):
            telemetry.log.warning("database_risk_accepted", fault=fault)
        return bool(await pending_on(connection))


@asynccontextmanager
async def _upgradable(
    settings: Settings, server: "Server", admin: "AdminListener", stopping: asyncio.Event, file: ReadyFile
) -> AsyncIterator[Upgrade]:
    """Let SIGUSR2 start the next program, and stop this one when that serves; keep the watchdog quiet."""

    def replaced(pid: int) -> None:
        notify(f"MAINPID={pid}")
        stopping.set()

    sockets = {PUBLIC: server.listening, ADMIN: admin.listening}
    upgrade = Upgrade(
        settings,
        {name: one for name, one in sockets.items() if one is not None},
        replaced=replaced,
        failed=file.note_failure,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, upgrade.begin)
    watchdog = Watchdog()
    watchdog.start()
    try:
        yield upgrade
    finally:
        watchdog.stop()
        await upgrade.close()


def _tell_ready(inheritance: Inheritance) -> None:
    if inheritance.has_predecessor:
        # The manager takes messages from the process that it knows, which tells it of this one.
        inheritance.tell_ready()
    else:
        notify("READY=1")


async def _hand_over(
    settings: Settings, server: "Server", admin: "AdminListener", *, is_replaced: bool, until: asyncio.Event
) -> None:
    """Serve the open connections for a while if another process takes the new ones."""
    if not is_replaced or until.is_set():
        notify("STOPPING=1")
        return
    # A scrape is to find the process that serves.
    await admin.stop()
    await server.hand_over(period_ms=settings.upgrade_drain_ms, until=until)


def _make_server(app: "Application", settings: Settings, inherited: socket.socket | None) -> "Server":
    from fastpay.server.listener import Server, ServerSettings  # noqa: PLC0415 - see `run`

    names = (field.name for field in msgspec.structs.fields(ServerSettings))
    # Settings have the same name on both sides; the other fields keep their default.
    chosen = {name: getattr(settings, name) for name in names if hasattr(settings, name)}
    # The application checks the limit of each path. The transport uses the largest of them.
    chosen["body_bytes_max"] = settings.body_bytes_max * limits.ledger_batch_body_factor
    return Server(app, ServerSettings(**chosen), request_times=app.request_times, inherited=inherited)


async def _stop_server(server: "Server", deadline: Deadline) -> None:
    """Wait for an orderly end until the deadline, then continue without it."""
    try:
        async with asyncio.timeout(deadline.left_ms() / 1000):
            await server.stop()
    except TimeoutError:
        telemetry.log.warning("stop_forced", advice="a longer drain_timeout_ms lets more requests finish")


async def _watch(servers: EmbeddedServers | None, stopping: asyncio.Event) -> bool:
    """Restart embedded servers that have ended, until the stop; return False to give up."""
    while not stopping.is_set():
        if servers is not None and not servers.revive():
            stopping.set()
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(WATCH_SECONDS):
                await stopping.wait()
    return True


def _begin_stop(stopping: asyncio.Event, ending: asyncio.Event, deadline: Deadline) -> None:
    deadline.start()
    ending.set()
    stopping.set()


def _reload(server: "Server") -> None:
    try:
        server.reload_tls()
    except ConfigurationError as error:
        advice = "the old certificate is still served; install a matching pair and send SIGHUP again"
        telemetry.log.error("certificate_reload_failed", reason=str(error), advice=advice)
    else:
        telemetry.log.info("certificate_reloaded")


@contextmanager
def _stopping_on_signals() -> Iterator[None]:
    """Make SIGTERM and SIGINT unwind the start (or the stop) while no event loop runs."""

    def leave(number: int, _: object) -> NoReturn:
        raise SystemExit(0)

    # The handlers stay installed: a second signal must not interrupt the stop.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)


def _leave_no_memory_behind() -> None:
    """Forbid core dumps: the memory of a server holds card numbers while a processor is asked.

    A limit of one byte, and not of none: the kernel writes no file that is smaller than a page, and 1 alone
    keeps it from piping the memory to a program of `core_pattern` too (core(5), Linux `coredump.c`).
    """
    resource.setrlimit(resource.RLIMIT_CORE, (1, 1))


def _raise_file_limit() -> None:
    """Raise the limit of open files to the maximum, because every connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if (missing := open_files_missing()) is not None:
        advice = "ulimit -Hn, or LimitNOFILE in the systemd unit: every connection is one"
        telemetry.log.warning(
            "open_files_limited", limit=missing, wanted=limits.open_files_min, advice=advice
        )
