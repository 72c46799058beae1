"""A real PgBouncer in transaction mode."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastpay.operations.embedded import children
from fastpay.operations.embedded.account import Account, make_directory

# A guard against a hang, never a measurement.
PATIENCE_SECONDS = 60
CLIENTS_MAX = 10_000


class PgBouncer:
    """A PgBouncer that can be killed and started again, with so many connections to the database at most.

    The database is reached by its Unix socket, or at an address (as a proxy has one).
    """

    def __init__(
        self, database_url: str, place: Path, *, account: Account | None, connections: int = 2
    ) -> None:
        program = find_pgbouncer()
        if program is None:
            pytest.skip("pgbouncer is not installed (Debian package pgbouncer)")
        make_directory(place, account)
        name, target = _target(database_url)
        (place / "pgbouncer.ini").write_text(
            f"[databases]\n* = {target} user=fastpay\n"
            f"[pgbouncer]\npool_mode = transaction\nauth_type = any\nlisten_addr =\n"
            f"unix_socket_dir = {place}\nlisten_port = 6432\ndefault_pool_size = {connections}\n"
            # A database that was away is asked again as soon as it can be, not after 15 seconds.
            f"max_client_conn = {CLIENTS_MAX}\nserver_login_retry = 1\nserver_tls_sslmode = disable\n",
            encoding="utf-8",
        )
        (place / "pgbouncer.ini").chmod(0o644)
        self.url = f"postgresql://fastpay@/{name}?host={place}&port=6432"
        self._command = (program, str(place / "pgbouncer.ini"))
        self._account = account
        self._socket = place / ".s.PGSQL.6432"
        self._log = place.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id. Only while it runs."""
        assert self._process is not None
        return self._process.pid

    def launch(self) -> None:
        """Start it and return at once. Call it from the main thread."""
        self._process = children.launch(
            self._command, account=self._account, log=self._log, death_signal=signal.SIGKILL
        )

    def wait_ready(self) -> None:
        """Return once it takes connections; fail with its log if it does not."""
        assert children.wait_until(self._listens, timeout_ms=PATIENCE_SECONDS * 1000), self._log.read_text(
            encoding="utf-8"
        )

    def kill(self) -> None:
        """End it without giving it a chance."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        # One that was killed leaves its socket behind.
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.connect(str(self._socket))
            return True
        return False


@contextlib.contextmanager
def running_pgbouncer(
    database_url: str, place: Path, *, account: Account | None, connections: int = 2
) -> Iterator[PgBouncer]:
    """Run PgBouncer for the block."""
    bouncer = PgBouncer(database_url, place, account=account, connections=connections)
    try:
        bouncer.launch()
        bouncer.wait_ready()
        yield bouncer
    finally:
        bouncer.kill()


def find_pgbouncer() -> str | None:
    """Return the path of the program, None where it is not installed."""
    return shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


def _target(database_url: str) -> tuple[str, str]:
    """Return the name of the database, and where PgBouncer is to look for it."""
    found = re.fullmatch(
        r"postgresql://\w+@(?:(?P<host>[\w.]+):(?P<port>\d+))?/(?P<name>\w+)\?(.*)", database_url
    )
    assert found is not None, database_url
    if found["host"]:
        return found["name"], f"host={found['host']} port={found['port']}"
    return found["name"], f"host={found[4].removeprefix('host=')}"
