"""The dependencies of a running process: the database, the embedded database's disk, and Redis."""

import os
from typing import NamedTuple

from fastpay.clock import Clock
from fastpay.config import Settings, redact
from fastpay.engine.dependencies import Dependency, Readiness
from fastpay.engine.monitor import DatabaseWatch, DiskWatch, Monitor, Watch
from fastpay.store.postgres import DatabaseSettings
from fastpay.store.probe import PostgresProbe


class Outages(NamedTuple):
    """The monitor of the dependencies, and the objects that other code reports failures to."""

    monitor: Monitor
    database: DatabaseWatch
    # Not monitored: the code that uses Redis reports its state.
    redis: Dependency
    readiness: Readiness


def watch_dependencies(
    settings: Settings, database: DatabaseSettings, redis_url: str | None, *, clock: Clock
) -> Outages:
    """Return the monitor of a process with these settings, not started yet."""
    dependency = Dependency("database", clock=clock, advice=_database_advice(settings))
    watch = DatabaseWatch(PostgresProbe(database), dependency, clock=clock)
    redis = Dependency("redis", clock=clock, advice=_redis_advice(redis_url))
    watches: list[Watch] = [watch]
    dependencies = [dependency, redis]
    readiness = Readiness()
    readiness.require(watch.fault)
    if settings.database_url is None:
        advice = f"free space on the disk of {settings.data_dir}: PostgreSQL stops when it is full"
        disk = Dependency("disk", clock=clock, advice=advice)
        disk_watch = DiskWatch(lambda: _free_bytes(settings.data_dir), disk)
        watches.append(disk_watch)
        dependencies.append(disk)
        readiness.require(disk_watch.fault)
    monitor = Monitor(watches, dependencies, suspected=watch.suspected)
    return Outages(monitor, watch, redis, readiness)


def _database_advice(settings: Settings) -> str:
    if settings.database_url is None:
        return f"see {os.path.join(settings.data_dir, 'postgresql.log')}"
    return f"check that PostgreSQL runs and is reachable at {redact(settings.database_url)}"


def _redis_advice(redis_url: str | None) -> str:
    where = "" if redis_url is None else f" at {redact(redis_url)}"
    return (
        f"until then instances see each other's changes later; check that Redis runs and is reachable{where}"
    )


def _free_bytes(path: str) -> int:
    # What an unprivileged user such as PostgreSQL's may still use.
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize
