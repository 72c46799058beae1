"""A real PgBouncer in transaction mode."""

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastpay.embedded import children
from fastpay.embedded.account import Account, make_directory

# A guard against a hang, never a measurement.
PATIENCE_SECONDS = 60
CLIENTS_MAX = 10_000


@contextlib.contextmanager
def running_pgbouncer(
    database_url: str, place: Path, *, account: Account | None, connections: int = 2
) -> Iterator[str]:
    """Run PgBouncer with so many connections to the database, and yield the URL through it."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed (Debian package pgbouncer)")
    make_directory(place, account)
    name, _, host = database_url.partition("@/")[2].partition("?host=")
    (place / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={host} user=fastpay\n"
        f"[pgbouncer]\npool_mode = transaction\nauth_type = any\nlisten_addr =\n"
        f"unix_socket_dir = {place}\nlisten_port = 6432\ndefault_pool_size = {connections}\n"
        f"max_client_conn = {CLIENTS_MAX}\n",
        encoding="utf-8",
    )
    (place / "pgbouncer.ini").chmod(0o644)
    log = place.with_suffix(".log")
    process = children.launch(
        [program, str(place / "pgbouncer.ini")], account=account, log=log, death_signal=signal.SIGKILL
    )
    try:
        assert children.wait_until((place / ".s.PGSQL.6432").exists, timeout_ms=PATIENCE_SECONDS * 1000), (
            log.read_text(encoding="utf-8")
        )
        yield f"postgresql://fastpay@/{name}?host={place}&port=6432"
    finally:
        process.kill()
        process.wait()
