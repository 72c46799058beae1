"""The servers that are measured: how each is started, known to be ready, and stopped by its pid."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Protocol

import msgspec

from benchmarks.load.machine import SEALING_KEYS
from fastpay.operations.interpreter import describe_interpreter

ROOT = Path(__file__).parents[2]
NAMES = ("fastpay", "fastapi", "flask")
PATIENCE_SECONDS = 60.0
STOP_SECONDS = 10.0
# PostgreSQL's default are 100, of which some are reserved.
_PEER_CONNECTIONS = 80
_PR_SET_PDEATHSIG = 1
# How many words of a command come before what it is told: `python -m fastpay`.
_PROGRAM_WORDS = 3
# Looked up before the fork, after which only system calls are safe.
_PRCTL = ctypes.CDLL(None).prctl


class Process(Protocol):
    """What is asked of a server that was started: a part of `subprocess.Popen`."""

    pid: int

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises: subprocess.TimeoutExpired."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""


class Target(msgspec.Struct, frozen=True):
    """A server that answers on 127.0.0.1."""

    name: str
    port: int
    pid: int


@contextmanager
def serve(  # noqa: PLR0913 - all but the first are named, and most have a default
    name: str,
    *,
    database_url: str,
    redis_url: str,
    directory: Path,
    workers: int | None = None,
    port: int = 0,
    instance: int = 0,
    idle_seconds: int = 75,
    more: Mapping[str, str] | None = None,
    program: Sequence[str] = (),
) -> Iterator[Target]:
    """Start a server for the block. `workers` None means what the peer's own documentation advises.

    Instances of fastpay with a port given share it. `idle_seconds` is how long connections may be idle, and
    `more` are further environment variables. `program` stands for `python -m fastpay`.
    """
    shared, port = port != 0, port or free_port()
    ready_file = directory / f"{name}.{instance}.ready.json"
    # One of an earlier server must not be taken for this one's.
    ready_file.unlink(missing_ok=True)
    command = _command(name, port, workers, ready_file, directory, idle_seconds)
    if program:
        command = [*program, *command[_PROGRAM_WORDS:]]
    environment = _environment(name, database_url, redis_url)
    if name == "fastpay":
        environment |= {
            "FASTPAY_IDLE_TIMEOUT_MS": f"{idle_seconds * 1000}",
            # The load generator is one address that stands for many clients.
            "FASTPAY_ADDRESS_CONNECTIONS_MAX": f"{1 << 20}",
            "FASTPAY_ADDRESS_CONNECTIONS_PER_SECOND": f"{1 << 20}",
            "FASTPAY_SEALING_KEY_FILE": str(directory / SEALING_KEYS),
        }
        command += ["--reuse-port"] if shared else []
    else:
        # As many connections as PostgreSQL has for all processes, and 16 at most.
        pool = _PEER_CONNECTIONS // (workers or default_workers(name))
        environment |= {"PEER_POOL": str(max(1, min(16, pool)))}
    environment |= more or {}
    process = start(command, environment, directory / f"{name}.log")
    try:
        # Of instances that share a port any may answer: the file of this one says that it serves.
        waited_for = ready_file if name == "fastpay" and shared else None
        _wait_ready(process, port, directory / f"{name}.log", waited_for)
        yield Target(name, port, process.pid)
    finally:
        _stop(process)


def start(command: list[str], environment: dict[str, str], log: Path) -> Process:
    """Start a program that adds what it prints to `log`; return at once."""
    with open(log, "ab") as file:
        # A session of its own: a terminal's Ctrl-C reaches us alone, and we stop what we started.
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - one call to prctl, looked up before the fork
        )


def default_workers(name: str) -> int:
    """Return how many processes serve on the cores that whoever is started has.

    uvicorn has one a core, gunicorn two a core and one, fastpay one.
    """
    cores = len(os.sched_getaffinity(0))
    return {"fastpay": 1, "fastapi": cores, "fastapi_ledger": cores, "flask": 2 * cores + 1}[name]


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def versions() -> dict[str, str]:
    """Return the versions of what is measured, for the record."""
    from importlib import metadata  # noqa: PLC0415 - for the record only

    names = (
        "fastpay",
        "fastapi",
        "uvicorn",
        "flask",
        "gunicorn",
        "sqlalchemy",
        "psycopg",
        "asyncpg",
        "redis",
    )
    found = {"python": describe_interpreter()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _command(
    name: str, port: int, workers: int | None, ready_file: Path, directory: Path, idle_seconds: int
) -> list[str]:
    count = str(workers if workers is not None else default_workers(name))
    match name:
        case "fastpay":
            # One process is what one instance is; --workers speaks of the peers.
            own = [
                "--port",
                str(port),
                "--admin-port",
                "0",
                "--data-dir",
                str(directory / "fastpay"),
                "--ready-file",
                str(ready_file),
            ]
            return [sys.executable, "-m", "fastpay", "serve", *own]
        case "fastapi" | "fastapi_ledger":
            application = "app" if name == "fastapi" else "ledger"
            options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
            # Long enough that no connection of a load is closed for being idle.
            options += ["--timeout-keep-alive", str(idle_seconds), "--backlog", "4096"]
            place = ["--host", "127.0.0.1", "--port", str(port), "--workers", count]
            return [
                sys.executable,
                "-m",
                "uvicorn",
                f"benchmarks.peers.fastapi_{application}:app",
                *place,
                *options,
            ]
        case "flask":
            place = ["--bind", f"127.0.0.1:{port}", "--workers", count, "--no-control-socket"]
            return [sys.executable, "-m", "gunicorn", *place, "benchmarks.peers.flask_app:create_app()"]
    raise SystemExit(f"no such server: {name}; there are {', '.join(NAMES)}")


def _environment(name: str, database_url: str, redis_url: str) -> dict[str, str]:
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("FASTPAY_", "OTEL_", "PEER_"))
    }
    prefix = "FASTPAY" if name == "fastpay" else "PEER"
    # For runs that compare settings: BENCH_FASTPAY_NAME is FASTPAY_NAME of the servers.
    kept |= {
        key.removeprefix("BENCH_"): value
        for key, value in os.environ.items()
        if key.startswith("BENCH_FASTPAY_")
    }
    return kept | {f"{prefix}_DATABASE_URL": database_url, f"{prefix}_REDIS_URL": redis_url}


def _end_with_parent() -> None:
    """Have the kernel stop the server should we be killed without a chance to do it."""
    _PRCTL(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def _wait_ready(process: Process, port: int, log: Path, ready_file: Path | None) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if ready_file is not None:
            if ready_file.exists():
                return
            time.sleep(0.05)
            continue
        try:
            with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
                connection.request("GET", "/health")
                # fastpay has no such path, and an answer that says so will do.
                connection.getresponse().read()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(
        f"the server did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}"
    )


def _stop(process: Process) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        # The session is the one that we made, so that this ends the workers too and nobody else.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()


def machine_facts() -> dict[str, object]:
    """Return what the figures were taken on, how busy it was included."""
    model = ""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "cores": os.cpu_count(),
        "cpu": model,
        "load_average": os.getloadavg(),
        "versions": versions(),
        "commit": commit.stdout.strip(),
        "taken_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def write_results(name: str, results: object) -> Path:
    """Write the figures beside those of earlier runs and return where."""
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return path
