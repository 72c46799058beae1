"""Servers that the tests start as forks are like programs where tests look."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.api import ask
from tests.support.forks import ForkedProcess, can_fork
from tests.support.servers import PATIENCE_SECONDS, SpawnServer, clean_environment, fetch


def test_a_fork_ends_as_a_program_does(spawn_server: SpawnServer) -> None:
    servers = [spawn_server(wait=False) for _ in range(2)]
    for server in servers:
        server.wait_ready()
        assert isinstance(server.process, ForkedProcess)
        assert server.process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0)
    killed, stopped = servers
    # What it logs is not kept back until its end.
    assert killed.url in killed.output
    killed.kill()
    assert killed.process.returncode == -signal.SIGKILL
    assert ask(f"{stopped.url}/healthz").status_code == 200
    assert stopped.stop() == 0
    # Nobody is sent a signal that was meant for the one before.
    stopped.process.send_signal(signal.SIGKILL)


def test_two_forks_draw_other_random_values(spawn_server: SpawnServer) -> None:
    first, second = spawn_server(), spawn_server()
    drawn = {ask(f"{server.url}/healthz").headers["request-id"] for server in (first, second)}
    assert len(drawn) == 2
    assert first.test_key != second.test_key


def test_a_fork_and_a_program_are_of_one_release(spawn_server: SpawnServer) -> None:
    fork = spawn_server()
    # `env` is a program, and starts one.
    program = spawn_server(environment={"FASTPAY_DATABASE_URL": fork.database_url}, prefix=("env",))
    assert not isinstance(program.process, ForkedProcess)
    # A server that could not write its row at the start is ready all the same, and writes it later.
    until = time.monotonic() + PATIENCE_SECONDS
    while len(releases := [row[0] for row in fetch(fork.database_url, "select release from member")]) < 2:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert len(set(releases)) == 1


def test_a_fork_has_only_what_a_program_inherits(spawn_server: SpawnServer) -> None:
    server = spawn_server()
    folder = Path(f"/proc/{server.pid}")
    assert os.readlink(folder / "cwd") == os.getcwd()
    opened = {int(entry.name): os.readlink(entry) for entry in (folder / "fd").iterdir()}
    assert opened[0] == os.devnull
    assert opened[1] == opened[2]
    # No other descriptor of this, and nothing of its parent, such as a pipe of another server.
    assert [number for number, place in opened.items() if place == opened[1]] == [1, 2]
    status = dict(line.split(":\t") for line in (folder / "status").read_text().splitlines() if ":\t" in line)
    theirs = {os.readlink(entry) for entry in Path(f"/proc/{status['PPid']}/fd").iterdir()}
    shared = theirs & set(opened.values()) - {os.devnull}
    assert not [place for place in shared if place.startswith(("pipe:", "socket:"))]
    # SIGINT (2) is not ignored, as it is by its parent.
    assert not int(status["SigIgn"], 16) & 1 << 1


@pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="there is one processor")
def test_a_fork_runs_on_the_processors_of_whoever_starts_it(
    spawn_server: SpawnServer, database_url: str
) -> None:
    environment = {"FASTPAY_DATABASE_URL": database_url}
    every = os.sched_getaffinity(0)
    one = {min(every)}
    try:
        os.sched_setaffinity(0, one)
        first = spawn_server(environment=environment)
    finally:
        os.sched_setaffinity(0, every)
    # Both processes that fork: one of them may have been started just now.
    others = [spawn_server(environment=environment) for _ in range(2)]
    found = [os.sched_getaffinity(server.pid) for server in (first, *others)]
    assert found == [one, every, every]


@pytest.mark.parametrize("name", ["PYTHONPATH", "LD_PRELOAD", "OTEL_EXPORTER_OTLP_ENDPOINT", "TZ"])
def test_what_changes_how_python_starts_is_not_for_a_fork(name: str) -> None:
    assert can_fork(clean_environment(FASTPAY_PORT="0"))
    assert not can_fork(clean_environment(**{name: "x"}))
