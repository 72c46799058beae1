"""A machine for benchmarks, made of the servers that all tests share."""

import itertools
from pathlib import Path

import pytest

from benchmarks.load.machine import Machine, write_sealing_keys
from fastpay.operations.embedded.servers import EmbeddedServers

_NUMBERS = itertools.count(1)


@pytest.fixture
def machine(embedded_servers: EmbeddedServers, redis_url: str, scratch: Path) -> Machine:
    """Databases on the shared PostgreSQL, and a directory of one's own."""
    assert embedded_servers.database_url is not None
    directory = scratch / f"bench{next(_NUMBERS)}"
    directory.mkdir()
    write_sealing_keys(directory)
    return Machine(embedded_servers.database_url, redis_url, directory)
