"""The data directory: locked by one process at a time, with a few small files."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from fastpay.errors import ConfigurationError
from fastpay.observability.program_name import command_name

# The tenant whose key is kept in a data directory.
TEST_TENANT = "test"


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses of the embedded servers of a data directory while they run."""

    database_url: str | None
    redis_url: str | None


def free_bytes(path: Path) -> int:
    """Return the space that an unprivileged user, such as PostgreSQL's, may still use. Raises: OSError."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


class DirectoryInUseError(ConfigurationError):
    """Another process holds the data directory."""


class DataDirectory:
    """A data directory that this process holds exclusively until `release`.

    The lock is the kernel's (flock), so it ends with the process in every case.
    """

    def __init__(self, path: str | Path) -> None:
        """Create the directory if it is missing, and lock it.

        Raises: DirectoryInUseError if another process holds it, ConfigurationError if it is unusable.
        """
        self.path = Path(path).absolute()  # resolved below: the kernel knows processes by real paths
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path = self.path.resolve()
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"the data directory {self.path} cannot be used: {error.strerror}; "
                "give another --data-dir, or run as the user who owns it"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._lock)
            raise DirectoryInUseError(
                f"the data directory {self.path} is in use by the fastpay with pid {holder}; "
                "stop it first, or give another --data-dir"
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Release the directory for other processes."""
        os.ftruncate(self._lock, 0)
        os.close(self._lock)

    def __enter__(self) -> Self:
        """Hold the directory for a `with` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release it at the end of the block."""
        self.release()

    def read_test_key(self) -> str | None:
        """Return the API key of the embedded test tenant, or None before the first run."""
        try:
            return (self.path / "test_key").read_text(encoding="ascii").strip() or None
        except FileNotFoundError:
            return None

    def write_test_key(self, key: str) -> None:
        """Store the test tenant's key for later starts; only the owner may read it."""
        write_private(self.path / "test_key", key.encode() + b"\n")

    def write_addresses(self, addresses: Addresses) -> None:
        """Publish the servers' addresses for other commands on this machine."""
        write_private(self.path / "addresses.json", msgspec.json.encode(addresses))

    def remove_addresses(self) -> None:
        """Remove the addresses after the servers have stopped."""
        (self.path / "addresses.json").unlink(missing_ok=True)


def has_directory(path: str | Path) -> bool:
    """Return whether there is a data directory at this path."""
    return os.path.lexists(Path(path) / "lock")


def require_cluster(path: str | Path) -> None:
    """Require a data directory with a database in it: a command that only reads must not create one.

    Raises: ConfigurationError. A directory without permission to enter is accepted here: locking it reports
    the error.
    """
    hidden = os.path.isdir(path) and not os.access(path, os.X_OK)
    if not hidden and not os.path.isdir(Path(path) / "postgresql"):
        raise ConfigurationError(
            f"no data directory at {Path(path).absolute()}; run {command_name()} serve, or give --data-dir"
        )


def read_addresses(path: str | Path) -> Addresses | None:
    """Return the addresses that the holder of a data directory wrote, or None."""
    try:
        return msgspec.json.decode((Path(path) / "addresses.json").read_bytes(), type=Addresses)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}/addresses.json: {error.strerror}") from error


def write_private(path: Path, content: bytes) -> None:
    """Write a file atomically that only its owner may read."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
