"""A real streaming replica of an embedded PostgreSQL."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fastpay.operations.backup import Programs
from fastpay.operations.embedded import children
from fastpay.operations.embedded.access import run_servers
from fastpay.operations.embedded.account import choose_account
from fastpay.operations.embedded.directory import DataDirectory
from fastpay.operations.embedded.postgres import find_installation
from tests.support.servers import PATIENCE_SECONDS, execute, fetch


class Standby(NamedTuple):
    """A standby that runs: its URL, and where its files are."""

    url: str
    cluster: Path

    def wait_replayed(self, primary_url: str) -> None:
        """Return once it has replayed what the primary has written by now."""
        ((place,),) = fetch(primary_url, "select pg_current_wal_flush_lsn()")
        query = "select pg_last_wal_replay_lsn() >= $1"
        assert children.wait_until(
            lambda: fetch(self.url, query, place)[0][0], timeout_ms=PATIENCE_SECONDS * 1000
        )

    def configure(self, setting: str) -> None:
        """Change a setting, and wait until it is in force."""
        execute(self.url, f"alter system set {setting}")
        execute(self.url, "select pg_reload_conf()")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes."""
        for pid in children.living_in(self.cluster):
            children.send(pid, number)


@contextlib.contextmanager
def running_standby(primary_url: str, place: Path) -> Iterator[Standby]:
    """Copy a running cluster, and follow it for the block."""
    place.mkdir(mode=0o711)
    cluster = place / "postgresql"
    account = choose_account(cluster)
    programs = Programs(find_installation(cluster) / "bin")
    options = ("--wal-method=stream", "--checkpoint=fast", "--write-recovery-conf", f"--pgdata={cluster}")
    programs.run("pg_basebackup", *options, database_url=primary_url)
    if account is not None:
        for path in (cluster, *cluster.rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)
    with (
        DataDirectory(place) as directory,
        run_servers(directory, with_postgres=True, with_redis=False) as servers,
    ):
        servers.wait_ready()
        assert servers.database_url is not None
        standby = Standby(servers.database_url, cluster)
        try:
            yield standby
        finally:
            # One that is frozen could not stop.
            standby.signal(signal.SIGCONT)
