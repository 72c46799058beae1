"""What `fastpay doctor` says of the replica that an operator named."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fastpay import limits
from fastpay.clock import Clock
from fastpay.config import Settings, redact
from fastpay.engine.read.replica_ports import Position
from fastpay.errors import ConfigurationError
from fastpay.operations.findings import Finding
from fastpay.store.connections import connected
from fastpay.store.reads import log_position
from fastpay.store.statements import SQL

_MEANWHILE = "the primary answers in its place"


async def check_replica(settings: Settings, primary: Any, *, clock: Clock) -> AsyncIterator[Finding]:
    """Check that it is a standby of this primary, and no further behind than reads may be.

    `primary`: a connection to the primary. A replica that cannot be used for now is worth a note, since
    requests are answered without it; one that can never be used is a fault.
    """
    assert settings.replica_url is not None
    name, age_ms = redact(settings.replica_url), settings.read_staleness_ms
    try:
        async with connected(settings.replica_url) as replica:
            yield await _compare(primary, replica, name, clock=clock, staleness_ms=age_ms)
            if await replica.fetchval(SQL["probe_feedback"]) != "on":
                yield Finding(
                    "replica feedback",
                    "note",
                    "hot_standby_feedback is off: reads of removed rows are cancelled",
                    "set hot_standby_feedback = on in the replica's postgresql.conf and reload",
                )
    except ConfigurationError as error:
        seen = str(error).rpartition("; ")[0]
        advice = f"check FASTPAY_REPLICA_URL and that the standby runs; {_MEANWHILE}"
        yield Finding("replica", "note", seen, advice)


async def _compare(primary: Any, replica: Any, name: str, *, clock: Clock, staleness_ms: int) -> Finding:
    asked_ns = clock.monotonic_ns()
    wanted = await _ask(primary)
    found = await _ask(replica)
    if not found.is_standby:
        advice = "name a standby of the database in FASTPAY_REPLICA_URL, or leave it out"
        return Finding("replica", "fault", f"{name} is no standby", advice)
    if found.history.partition(":")[0] != wanted.history.partition(":")[0]:
        advice = "name a standby of this database in FASTPAY_REPLICA_URL, or leave it out"
        return Finding("replica", "fault", f"{name} is a standby of another database", advice)
    if found.history != wanted.history:
        advice = f"it is used after its next restart point (checkpoint_timeout); {_MEANWHILE}"
        return Finding("replica", "note", f"{name} has not followed the primary's failover yet", advice)
    # Until it shows what the primary had when it was asked: its age, also where nothing is written.
    while found.place < wanted.place and clock.monotonic_ns() - asked_ns < staleness_ms * 1_000_000:
        await asyncio.sleep(staleness_ms / limits.replica_checks_per_bound / 1_000)
        found = await _ask(replica)
    if found.place < wanted.place:
        seen = f"{name} is {wanted.place - found.place} bytes of the log behind after {staleness_ms} ms"
        advice = f"look at pg_stat_replication on the primary and at the replica's log; {_MEANWHILE}"
        return Finding("replica", "note", seen, advice)
    return Finding("replica", "good", f"reached {name}, a standby no older than {staleness_ms} ms")


async def _ask(connection: Any) -> Position:
    return log_position(await connection.fetchrow(SQL["probe_position"]))
