"""What a process depends on: the database, the embedded one's disk, Redis, processors, the legacy API."""

import os
from pathlib import Path
from typing import NamedTuple

from fastpay.clock import Clock
from fastpay.config import Settings, redact
from fastpay.engine.dependencies import Condition, Dependency, Readiness
from fastpay.engine.monitor import DatabaseWatch, DiskWatch, Monitor, Watch
from fastpay.operations.embedded.directory import free_bytes
from fastpay.store.postgres import DatabaseSettings
from fastpay.store.probe import PostgresProbe

_PROCESSORS_ADVICE = (
    "until then payments that have no other choice are refused; `fastpay processors test` says what is "
    "wrong, and `fastpay processors disable` sends no more payments there"
)


class Outages(NamedTuple):
    """The monitor of the dependencies, and the objects that other code reports failures to."""

    monitor: Monitor
    database: DatabaseWatch
    # Not monitored: the code that uses Redis reports its state.
    redis: Dependency
    # Neither: the code that calls them does.
    processors: Dependency
    legacy: Dependency
    readiness: Readiness
    # Why no writes may begin: the embedded database would not survive a full disk.
    disk_fault: Condition


def watch_dependencies(
    settings: Settings, database: DatabaseSettings, redis_url: str | None, *, clock: Clock
) -> Outages:
    """Return the monitor of a process with these settings, not started yet."""
    dependency = Dependency("database", clock=clock, advice=_database_advice(settings))
    watch = DatabaseWatch(PostgresProbe(database), dependency, clock=clock)
    redis = Dependency("redis", clock=clock, advice=_redis_advice(redis_url))
    watches: list[Watch] = [watch]
    processors = Dependency("processors", clock=clock, advice=_PROCESSORS_ADVICE)
    dependencies = [dependency, *([redis] if redis_url is not None else []), processors]
    readiness = Readiness(dependencies)
    readiness.require(watch.fault)
    disk_fault: Condition = _works
    if settings.database_url is None:
        advice = f"free space on the disk of {settings.data_dir}: PostgreSQL stops when it is full"
        disk = Dependency("disk", clock=clock, advice=advice)
        disk_watch = DiskWatch(lambda: free_bytes(Path(settings.data_dir)), disk)
        watches.append(disk_watch)
        dependencies.append(disk)
        disk_fault = disk_watch.fault
        readiness.require(disk_fault)
    advice = (
        f"requests to it are answered with 502; check that it runs and is reachable at {settings.legacy_url}"
    )
    legacy = Dependency("legacy", clock=clock, advice=advice)
    if settings.legacy_url is not None:
        dependencies.append(legacy)
    monitor = Monitor(watches, dependencies, suspected=watch.suspected)
    return Outages(monitor, watch, redis, processors, legacy, readiness, disk_fault)


def _works() -> None:
    """Return that nothing is wrong."""


def _database_advice(settings: Settings) -> str:
    if settings.database_url is None:
        return f"see {os.path.join(settings.data_dir, 'postgresql.log')}"
    return f"check that PostgreSQL runs and is reachable at {redact(settings.database_url)}"


def _redis_advice(redis_url: str | None) -> str:
    where = "" if redis_url is None else f" at {redact(redis_url)}"
    return (
        f"until then instances see each other's changes later; check that Redis runs and is reachable{where}"
    )
