"""An instance that is replaced again and again, and clients who pay meanwhile and note what they saw."""

import datetime as dt
import itertools
import json
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from fastpay.operations.embedded import children
from tests.support.doors import Certificate
from tests.support.servers import RunningServer, run_fastpay, start_server

PATIENCE_MS = 60_000
PAUSE_SECONDS = 0.02
_PAYMENT = {"amount": 1999, "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}


class Installation:
    """A program behind a link, as an operator installs one version beside the other, and its instance."""

    def __init__(self, scratch: Path, program: Path) -> None:
        self.link = scratch / "current"
        self._program = program
        self.install(program)

    def install(self, program: Path | None = None) -> None:
        """Let the link point to this program; without one to the right one."""
        new = self.link.with_name("next")
        new.unlink(missing_ok=True)
        new.symlink_to(program or self._program)
        new.rename(self.link)

    def plant_late_death(self, name: str) -> None:
        """Install the program with one fault: it ends with status 3 when it has nearly started."""
        # For a second clients connect, and would lose what it had accepted.
        fault = (
            "import asyncio, os; from fastpay.operations.admin import AdminListener\n"
            "async def die(*_, **__): await asyncio.sleep(1); os._exit(3)\n"
            "AdminListener.start = die\n"
            "from fastpay.cli import main; main()"
        )
        self.plant(name, f"exec {sys.executable} -c '{fault}' \"$@\"")

    def plant(self, name: str, script: str) -> None:
        """Install a program that does something else."""
        path = self.link.with_name(name)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        self.install(path)


@contextmanager
def running_installation(
    installation: Installation, data_dir: Path, scratch: Path, *arguments: str, environment: dict[str, str]
) -> Iterator[RunningServer]:
    """Run the installed program for the block, and end whichever process serves at its end."""
    running = start_server(
        data_dir, scratch, *arguments, environment=environment, program=[str(installation.link)]
    )
    try:
        running.wait_ready()
        yield running
    finally:
        for pid in {running.pid, pid_of(running)}:
            children.send(pid, signal.SIGTERM)
            wait_ended(pid, running)


def pid_of(running: RunningServer) -> int:
    """Return the process that serves now."""
    try:
        return int(json.loads(running.ready_file.read_bytes())["pid"])
    except FileNotFoundError:
        return running.pid


def upgrade(running: RunningServer) -> tuple[int, str]:
    """Run `fastpay upgrade`; return its status and what it said."""
    done = run_fastpay("upgrade", "--ready-file", str(running.ready_file))
    return done.returncode, done.stdout + done.stderr


def wait_ended(pid: int, running: RunningServer) -> None:
    """Return when the process has ended by itself."""
    assert children.wait_until(lambda: not _is_alive(pid, running), timeout_ms=PATIENCE_MS), running.output


def _is_alive(pid: int, running: RunningServer) -> bool:
    if pid == running.pid:
        return running.process.poll() is None
    try:
        # One that has ended and was our grandchild stays until init has taken it.
        return "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


class Crowd:
    """Clients who pay, each in its own way, until they are told to stop.

    Each has a TLS context of its own. httpcore sets the protocols to ask for on the context at every new
    connection, so clients of one context ask for each other's protocol at times.
    """

    def __init__(
        self, url: str, key: str, certificate: Certificate | None = None, *, prefix: str = ""
    ) -> None:
        self._url = url
        self._prefix = prefix
        self._key = key
        self._certificate = certificate
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        # What was acknowledged: the key of each payment, and the payment's identifier.
        self.paid: dict[str, str] = {}
        self.failures: list[str] = []

    def send_in(self, *, kept: int, new: int, http2: int) -> None:
        """Start clients that keep their connection, that open one for each request, and that use HTTP/2."""
        ways = (
            [("kept", self._keep)] * kept
            + [("new", self._renew)] * new
            + [("http2", self._multiplex)] * http2
        )
        for number, (name, way) in enumerate(ways):
            thread = threading.Thread(
                target=self._run, args=(f"{self._prefix}{name}-{number}", way), daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def wait_paid(self, more: int) -> None:
        """Return when so many more payments were acknowledged, or one failed."""
        until = len(self.paid) + more
        assert children.wait_until(
            lambda: len(self.paid) >= until or bool(self.failures), timeout_ms=PATIENCE_MS
        ), f"{len(self.paid)} of {until}"

    def stop(self) -> None:
        """Let all of them finish."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(PATIENCE_MS / 1000)
            assert not thread.is_alive()

    def _client(self, context: ssl.SSLContext, *, http2: bool = False) -> httpx.Client:
        return httpx.Client(
            base_url=self._url,
            auth=(self._key, ""),
            http1=not http2,
            http2=http2,
            verify=context,
            trust_env=False,
            timeout=PATIENCE_MS / 1000,
        )

    def _run(self, name: str, way: Callable[[Iterator[str], ssl.SSLContext], None]) -> None:
        keys = (f"{name}-{number}" for number in itertools.count())
        cafile = None if self._certificate is None else self._certificate.cert
        try:
            way(keys, ssl.create_default_context(cafile=cafile))
        except Exception as failure:  # noqa: BLE001 - what a client saw is the result
            moment = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
            self.failures.append(f"{moment} {name}: {failure!r}")

    def _keep(self, keys: Iterator[str], context: ssl.SSLContext) -> None:
        with self._client(context) as client:
            while not self._stopping.is_set():
                self._pay(client, next(keys), "HTTP/1.1")

    def _renew(self, keys: Iterator[str], context: ssl.SSLContext) -> None:
        while not self._stopping.is_set():
            with self._client(context) as client:
                self._pay(client, next(keys), "HTTP/1.1")

    def _multiplex(self, keys: Iterator[str], context: ssl.SSLContext) -> None:
        with self._client(context, http2=True) as client:
            while not self._stopping.is_set():
                self._pay(client, next(keys), "HTTP/2")

    def _pay(self, client: httpx.Client, key: str, version: str) -> None:
        answer = client.post("/v1/payment_intents", data=_PAYMENT, headers={"Idempotency-Key": key})
        if answer.status_code != 200:
            self.failures.append(f"{key}: {answer.status_code} {answer.text}")
            return
        if answer.http_version != version:
            self.failures.append(f"{key}: {answer.http_version} instead of {version}")
        with self._lock:
            self.paid[key] = answer.json()["id"]
        # What replaces the server starts beside them.
        time.sleep(PAUSE_SECONDS)
