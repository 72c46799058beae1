"""The demo's own server: a child process on a data directory of its own, gone when the demo is."""

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


class Place(msgspec.Struct, frozen=True):
    """Where payments can be made, and with which key."""

    url: str
    test_key: str


@contextlib.contextmanager
def run_server(data_dir: str | None, counts: dict[str, int]) -> Iterator[Place]:
    """Run a server for the block, on `data_dir`, or on a directory that is removed at the end.

    At the end of the block `counts` is filled with what the server says that it counted.

    Raises: ConfigurationError with what the server said when it does not start.
    """
    with contextlib.ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        ready_file, log = directory / "ready.json", directory / "server.log"
        # What was registered last is done first: the server says it while it stops.
        stack.callback(lambda: counts.update(read_counts(log)))
        place = str(Path(data_dir).absolute() if data_dir is not None else directory / "data")
        arguments = ["--port", "0", "--data-dir", place, "--ready-file", str(ready_file)]
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
        yield msgspec.json.decode(ready_file.read_bytes(), type=Place)


def read_counts(log: Path) -> dict[str, int]:
    """Return what a server has counted, from the log of its stop; nothing where it was not in order."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    said = [line.partition(" info counted ")[2] for line in lines if " info counted " in line]
    pairs = (word.partition("=") for word in said[-1].split()) if said else ()
    return {name: int(value) for name, _, value in pairs if value.isdecimal()}


def _environment() -> dict[str, str]:
    """Return ours without what is set for the operator's own server: the demo must not find its database."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(limits.stop_timeout_ms / 1000 + 1)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
