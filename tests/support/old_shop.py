"""The older payment API that routes are moved away from: the "before" of the benchmarks.

It is `benchmarks/peers/flask_app.py` on gunicorn. Each write is one transaction, the idempotency key's first
answer included.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

from tests.support.servers import PATIENCE_SECONDS, clean_environment, free_port

WORKERS = "3"
# What is loaded before the workers are forked is loaded once. The application is still each worker's own.
_GUNICORN = "import benchmarks.peers.flask_app; from gunicorn.app.wsgiapp import run; run()"


class OldShop:
    """The processes, which may be killed and started again."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start them, and return at once. Their database must run."""
        command = [
            sys.executable,
            "-c",
            _GUNICORN,
            "--bind",
            f"127.0.0.1:{self._port}",
            "--log-level",
            "error",
        ]
        command += ["--workers", WORKERS, "--no-control-socket", "benchmarks.peers.flask_app:create_app()"]
        # Version 4, as most APIs have it: fastpay knows its own objects by version 7.
        environment = {"PEER_DATABASE_URL": self._database_url, "PEER_UUID_VERSION": "4"}
        # As a supervisor does: gunicorn ends if its database goes away while a worker starts. A test that was
        # killed leaves nothing running.
        again = ["sh", "-c", 'while kill -0 $PPID; do "$@"; sleep 0.1; done', "older-api"]
        self._process = subprocess.Popen(
            [*again, *command],
            env=clean_environment(**environment),
            stdin=subprocess.DEVNULL,
            # A database that is killed fills pages with what a worker thinks of it.
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait_ready(self) -> None:
        """Return once it answers."""
        assert self._process is not None
        end_s = time.monotonic() + PATIENCE_SECONDS
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.url}/health", timeout=PATIENCE_SECONDS).read()
                return
            assert self._process.poll() is None, "the older API has ended"
            assert time.monotonic() < end_s, "the older API did not start"
            time.sleep(0.05)

    def kill(self) -> None:
        """End all of it without giving it a chance."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE_SECONDS)
            self._process = None


@contextlib.contextmanager
def running_shop(database_url: str) -> Iterator[OldShop]:
    """Run one for the block."""
    shop = OldShop(database_url)
    shop.launch()
    try:
        shop.wait_ready()
        yield shop
    finally:
        shop.kill()
