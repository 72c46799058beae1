"""localstripe from PyPI: somebody else's server of the dialect, without idempotency keys or searches."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from fastpay.operations.embedded import children
from tests.support import packages
from tests.support.servers import PATIENCE_SECONDS

VERSION = "1.15.10"


@contextlib.contextmanager
def running(place: Path) -> Iterator[str]:
    """Run it for the block in a new folder, and yield its URL; skip the test if it cannot be installed."""
    installed = packages.installed(
        "localstripe", f"localstripe=={VERSION}", "python-dateutil>=2.6.1", "six>=1.5"
    )
    place.mkdir()
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "localstripe.server", "--from-scratch", "--port", str(port)]
    with (place / "output").open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=place, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        assert children.wait_until(lambda: _answers(port), timeout_ms=PATIENCE_SECONDS * 1000)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(PATIENCE_SECONDS)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
