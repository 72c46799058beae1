"""The demo's own server: a child process on its own data directory, stopped at the end."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from fastpay import limits
from fastpay.config import PREFIX
from fastpay.errors import ConfigurationError
from fastpay.operations.embedded import children

_PREFIX = "fastpay-demo-"


class Target(msgspec.Struct, frozen=True):
    """The server to make payments at, and its key."""

    url: str
    test_key: str


@contextlib.contextmanager
def run_server(data_dir: str | None, counts: dict[str, int]) -> Iterator[Target]:
    """Run a server for the block, on `data_dir` or on a temporary directory.

    At the end of the block `counts` receives the server's counters. Raises: ConfigurationError with the
    server's message if it does not start.
    """
    with contextlib.ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        ready_file, log = directory / "ready.json", directory / "server.log"
        # Callbacks run in reverse order: the counters are logged while the server stops.
        stack.callback(lambda: counts.update(read_counts(log)))
        data = str(Path(data_dir).absolute() if data_dir is not None else directory / "data")
        arguments = ["--port", "0", "--data-dir", data, "--ready-file", str(ready_file)]
        process = children.launch(
            [sys.executable, "-m", "fastpay", "serve", *arguments],
            account=None,
            log=log,
            death_signal=signal.SIGTERM,
            environment=_environment(),
        )
        stack.callback(_stop, process)
        patience_ms = limits.embedded_start_timeout_ms
        children.wait_until(lambda: ready_file.exists() or process.poll() is not None, timeout_ms=patience_ms)
        if not ready_file.exists():
            said = log.read_text(encoding="utf-8", errors="replace").strip()
            raise ConfigurationError(f"the demo's server did not start; it said:\n{said}")
        yield msgspec.json.decode(ready_file.read_bytes(), type=Target)


def read_counts(log: Path) -> dict[str, int]:
    """Return the server's counters, from the log of its stop; empty if it did not stop in order."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    said = [
        line.partition(" info counters_reported ")[2] for line in lines if " info counters_reported " in line
    ]
    pairs = (word.partition("=") for word in said[-1].split()) if said else ()
    return {name: int(value) for name, _, value in pairs if value.isdecimal()}


def _environment() -> dict[str, str]:
    """Return our environment without settings: the demo must not use the operator's database."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(limits.stop_timeout_ms / 1000 + 1)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
