"""What `fastpay doctor` says of PostgreSQL's settings that cost connections or time, and no payment."""

from typing import Any

from fastpay import limits
from fastpay.config import Settings
from fastpay.operations.findings import Finding
from fastpay.store.health import SpeedFacts, inspect_speed


def check_connections(settings: Settings, allowed: int) -> Finding:
    """Check whether the database allows enough connections. `allowed`: for all its users together."""
    pools = settings.reader_connections_max + settings.scan_connections_max + limits.key_connections_max
    count = pools + limits.probe_connections + limits.writer_connections + settings.request_log_connections
    seen = f"an instance opens up to {count}, the database allows {allowed} in total"
    if count <= allowed:
        return Finding("database connections", "good", seen)
    advice = "raise max_connections in postgresql.conf, or lower reader_connections_max"
    return Finding("database connections", "fault", seen, advice)


async def check_speed(connection: Any) -> Finding:
    """Name the settings that make payments slower than they could be. `connection` is asyncpg's."""
    return judge_speed(await inspect_speed(connection))


def judge_speed(facts: SpeedFacts) -> Finding:
    """Hold the settings against those of the embedded server; OPERATIONS.md says why."""
    wanted = {
        "max_wal_size = 4GB": facts.max_wal_bytes >= limits.wal_bytes_advised,
        "checkpoint_timeout = 15min": facts.checkpoint_s >= limits.checkpoint_s_advised,
        "wal_buffers = 16MB": facts.wal_buffer_bytes >= limits.wal_buffer_bytes_advised,
        "wal_compression = on": facts.wal_compression != "off",
        "wal_init_zero = off": facts.wal_init_zero == "off",
        "jit = off": facts.jit == "off",
    }
    missing = [setting for setting, is_met in wanted.items() if not is_met]
    if not missing:
        return Finding("database speed", "good", f"all {len(wanted)} settings are as advised")
    seen = f"{len(missing)} of {len(wanted)} settings are not as advised"
    advice = f"in postgresql.conf set {', '.join(missing)}, and restart"
    return Finding("database speed", "note", seen, advice)
