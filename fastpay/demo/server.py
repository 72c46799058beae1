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
from fastpay.embedded import children
from fastpay.errors import ConfigurationError

_PREFIX = "fastpay-demo-"


class Place(msgspec.Struct, frozen=True):
    """Where payments can be made, and with which key."""

    url: str
    test_key: str


@contextlib.contextmanager
def run_server(data_dir: str | None) -> Iterator[Place]:
    """Run a server for the block, on `data_dir`, or on a directory that is removed at the end.

    Raises: ConfigurationError with what the server said when it does not start.
    """
    with contextlib.ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        ready_file, log = directory / "ready.json", directory / "server.log"
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
