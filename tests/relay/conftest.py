"""Servers and a receiver for tests of the relay."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.relay.shop import ENVIRONMENT, Shop
from tests.support.receiver import Receiver, running_receiver
from tests.support.servers import RunningServer, running_server


@pytest.fixture(scope="package")
def receiver(scratch: Path) -> Iterator[Receiver]:
    """One receiver for all tests; each has paths of its own."""
    with running_receiver(scratch) as running:
        yield running


@pytest.fixture(scope="module")
def relaying_server(cluster: Path) -> Iterator[RunningServer]:
    """One server for the tests that do not kill it."""
    environment = {**ENVIRONMENT, "FASTPAY_HOMES": "false"}
    with running_server("relaying", cluster, environment=environment) as running:
        yield running


@pytest.fixture
def shop(relaying_server: RunningServer) -> Shop:
    """A tenant of the test's own."""
    return Shop(relaying_server)
