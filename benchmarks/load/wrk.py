"""Closed-loop load by wrk: each connection sends its next request as soon as it has an answer."""

import os
import shutil
import subprocess
from pathlib import Path

import msgspec

from benchmarks.load.cores import BusyTime
from benchmarks.load.serving import Target

FOLDER = Path(__file__).parent
_MARK = "RESULT "
# Slower answers than this count as errors. Flask with 256 connections needs most of a second for one.
_TIMEOUT_SECONDS = 30
# How late wrk itself may end.
_PATIENCE_SECONDS = 60


class Sample(msgspec.Struct, frozen=True):
    """What one run of wrk found. `refused` are answers with a status of 400 and more."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    refused: int
    connect: int
    read: int
    write: int
    timeout: int
    # The part of the time in which each core worked, for whomever.
    busy: dict[int, float] = msgspec.field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def errors(self) -> int:
        """All that was not a good answer."""
        return self.refused + self.connect + self.read + self.write + self.timeout


def run_wrk(
    target: Target,
    script: str,
    arguments: list[str],
    *,
    connections: int,
    seconds: float,
    body: str | None = None,
) -> Sample:
    """Load a server and return what came of it. Raises: SystemExit on any error.

    `body` is that of payments, if they are not to be the usual ones.
    """
    program = shutil.which("wrk")
    if program is None:
        raise SystemExit("wrk is not installed (Debian package wrk)")
    # One thread makes more requests than any server here can answer, and leaves them the other cores.
    command = [
        program,
        "--threads",
        "1",
        "--connections",
        str(connections),
        "--timeout",
        str(_TIMEOUT_SECONDS),
    ]
    command += ["--duration", f"{max(1, round(seconds))}s", "--script", str(FOLDER / script)]
    command += [f"http://127.0.0.1:{target.port}/", "--", str(FOLDER), *arguments]
    environment = os.environ | {"LOAD_FOLDER": str(FOLDER)} | ({"LOAD_BODY": body} if body else {})
    busy_time = BusyTime()
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + _PATIENCE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise SystemExit(f"{target.name}: wrk did not end within {_PATIENCE_SECONDS} s of its time") from None
    busy = busy_time.shares()
    lines = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if done.returncode != 0 or not lines:
        raise SystemExit(f"wrk failed: {done.stderr.strip() or done.stdout.strip()}")
    sample = msgspec.json.decode(lines[-1].removeprefix(_MARK), type=Sample)
    if sample.errors:
        raise SystemExit(f"{target.name}: {sample.errors} of {sample.requests} requests went wrong: {sample}")
    return msgspec.structs.replace(sample, busy=busy)
