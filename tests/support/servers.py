"""`fastpay serve` processes and databases for tests: started, stopped, killed and asked."""

import asyncio
import atexit
import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import psycopg

from fastpay.operations.embedded import children
from fastpay.store.connections import ConnectionLost, connected
from tests.support.forked import run_forked
from tests.support.forks import ForkedProcess, can_fork, start_fork

# A guard against a hang, never a measurement.
PATIENCE_SECONDS = 60
NUMBERS = itertools.count(1)
# Another installation to test than this checkout: `make wheel` names those that it has made.
_INSTALLED = os.environ.get("FASTPAY_TEST_PROGRAM")
_CHECKOUT = (sys.executable, "-m", "fastpay")
_PROGRAM = _CHECKOUT if _INSTALLED is None else (_INSTALLED,)


class RunningServer:
    """A `fastpay serve` process of a test, as its ready file describes it."""

    def __init__(
        self,
        process: "subprocess.Popen[str] | ForkedProcess",
        *,
        data_dir: Path,
        ready_file: Path,
        output: Path,
    ) -> None:
        self.process = process
        self.pid = process.pid
        self.data_dir = data_dir
        self.ready_file = ready_file
        self._output = output
        self.url = ""
        self.test_key = ""
        self.database_url = ""
        self.admin_url = ""
        self.redis_url = ""

    def wait_ready(self) -> None:
        """Return once requests are served; fail with the process's output if it ends before."""
        assert children.wait_until(
            lambda: self.ready_file.exists() or self.process.poll() is not None,
            timeout_ms=PATIENCE_SECONDS * 1000,
        ), self.output
        assert self.process.poll() is None, self.output
        said = json.loads(self.ready_file.read_bytes())
        self.url = said["url"]
        self.test_key = said.get("test_key", "")
        self.database_url = said["database_url"]
        self.admin_url = said.get("admin_url", "")
        self.redis_url = said["redis_url"] or ""

    @property
    def output(self) -> str:
        """All that the process wrote so far."""
        return self._output.read_text(encoding="utf-8")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal, wait for the end and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        """End the process without giving it a chance."""
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)

    def embedded_pids(self) -> list[int]:
        """Return the pids of the embedded servers, PostgreSQL's backends among them."""
        places = [self.data_dir.resolve() / name for name in ("postgresql", "redis")]
        return [pid for place in places for pid in children.living_in(place)]


class SpawnServer(Protocol):
    """Starts servers for one test; all are ended after it."""

    def __call__(
        self,
        *arguments: str,
        data_dir: Path | None = None,
        environment: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
        wait: bool = True,
    ) -> RunningServer:
        """Run `fastpay serve` with a free port; return once it serves, or at once without `wait`."""


@contextlib.contextmanager
def fresh_database(server_url: str, *, template: str) -> Iterator[str]:
    """Make a database from a template for the block, and drop it after."""
    name = f"test{next(NUMBERS)}"
    administration = _administration(server_url.replace("/fastpay?", "/postgres?"))
    # The other way writes every page of the template to the log, and takes twice as long.
    administration.execute(f"create database {name} template {template} strategy file_copy")
    try:
        yield server_url.replace("/fastpay?", f"/{name}?")
    finally:
        administration.execute(f"drop database {name} with (force)")


_ADMINISTRATION: "dict[str, psycopg.Connection[Any]]" = {}


def _administration(url: str) -> "psycopg.Connection[Any]":
    """Return a connection that is kept: hundreds of tests have a database of their own."""
    connection = _ADMINISTRATION.get(url)
    if connection is None or connection.closed:
        connection = _ADMINISTRATION[url] = psycopg.connect(url, autocommit=True)
        atexit.register(connection.close)
    return connection


def execute(url: str, statement: str) -> None:
    """Run one statement on a connection of its own."""

    async def work() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(work())


def fetch(url: str, query: str, *values: Any) -> list[Any]:
    """Run one query on a connection of its own and return its rows."""

    async def work() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()

    return asyncio.run(work())


@contextlib.contextmanager
def locked(url: str, statement: str) -> Iterator[None]:
    """Run a statement that takes locks, in a thread, and keep its transaction open for the block.

    The database may end meanwhile, and the locks with it.
    """
    held, done = threading.Event(), threading.Event()

    async def hold() -> None:
        with contextlib.suppress(asyncpg.InterfaceError, ConnectionLost):
            async with connected(url) as connection, connection.transaction():
                await connection.execute(statement)
                held.set()
                await asyncio.to_thread(done.wait, PATIENCE_SECONDS)

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    assert held.wait(PATIENCE_SECONDS)
    try:
        yield
    finally:
        done.set()
        thread.join(PATIENCE_SECONDS)


def clean_environment(**more: str) -> dict[str, str]:
    """Return our environment without the settings that a developer may have in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FASTPAY_", "OTEL_"))}
    return kept | more


def run_fastpay(
    *arguments: str,
    environment: dict[str, str] | None = None,
    prefix: tuple[str, ...] = (),
    given: str = "",
) -> "subprocess.CompletedProcess[str]":
    """Run a fastpay command to its end; `given` is its standard input."""
    variables = environment or {}
    if not prefix and "LD_PRELOAD" not in variables:
        return run_forked(arguments, clean_environment(**variables), timeout_s=PATIENCE_SECONDS, given=given)
    return subprocess.run(
        [*prefix, sys.executable, "-m", "fastpay", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
        env=clean_environment(**variables),
        input=given,
    )


def start_server(
    data_dir: Path,
    scratch: Path,
    *arguments: str,
    environment: dict[str, str] | None = None,
    prefix: Sequence[str] = (),
    program: Sequence[str] = _PROGRAM,
    pass_fds: Sequence[int] = (),
    is_fork: bool = True,
) -> RunningServer:
    """Start `fastpay serve` on a free port and return at once; as a fork, if that is as good and allowed."""
    number = next(NUMBERS)
    place = data_dir.parent if prefix else scratch
    ready_file, output = place / f"ready{number}.json", scratch / f"output{number}.txt"
    # One given in `environment` or `arguments` counts; by default there is one port for it on a machine.
    settings = {"FASTPAY_ADMIN_PORT": "0", **(environment or {})}
    own = ["--port", "0", "--data-dir", str(data_dir), "--ready-file", str(ready_file)]
    process: subprocess.Popen[str] | ForkedProcess
    variables = clean_environment(**settings)
    with open(output, "wb") as file:
        if (
            is_fork
            and not prefix
            and not pass_fds
            and program is _PROGRAM is _CHECKOUT
            and can_fork(variables)
        ):
            process = start_fork(["serve", *own, *arguments], variables, output)
        else:
            process = subprocess.Popen(
                [*prefix, *program, "serve", *own, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
                env=variables,
                pass_fds=pass_fds,
            )
    return RunningServer(process, data_dir=data_dir, ready_file=ready_file, output=output)


def copy_cluster(cluster: Path, data_dir: Path) -> None:
    """Give a data directory that does not exist yet a copy of a cluster at rest."""
    data_dir.mkdir(mode=0o700)
    subprocess.run(["cp", "-a", cluster / "postgresql", data_dir], check=True)


@contextlib.contextmanager
def running_server(
    name: str, cluster: Path, *, environment: dict[str, str] | None = None
) -> Iterator[RunningServer]:
    """Run a server for the block, on a copy of the cluster unless the environment names a database."""
    scratch = cluster.parent
    if "FASTPAY_DATABASE_URL" not in (environment or {}):
        copy_cluster(cluster, scratch / name)
    running = start_server(scratch / name, scratch, environment=environment)
    try:
        running.wait_ready()
        yield running
        # The tests that met a server which had crashed do not know why.
        assert running.process.poll() in (None, 0, -signal.SIGKILL), running.output
    finally:
        end_server(running)


@contextlib.contextmanager
def not_forever(process: "subprocess.Popen[Any]") -> Iterator[None]:
    """Kill a process whose output is read for the block if that takes too long: its reader sees the end."""
    timer = threading.Timer(PATIENCE_SECONDS, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def end_server(running: RunningServer) -> None:
    """End a server and whatever it started, however the test left them."""
    if running.process.poll() is None:
        running.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(10)
    if running.process.poll() is None:
        running.kill()
    # After a kill the kernel ends its children; this is for those that did not hear.
    if not children.wait_until(lambda: not running.embedded_pids(), timeout_ms=5_000):
        for pid in running.embedded_pids():
            children.send(pid, signal.SIGKILL)
    shutil.rmtree(running.data_dir, ignore_errors=True)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
