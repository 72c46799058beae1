"""What attacks share: a second instance on the database of the server that all tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fastpay.store.sealing import KEY_FILE
from tests.support.servers import RunningServer, running_server


@pytest.fixture(scope="session")
def environment(server: RunningServer) -> dict[str, str]:
    """Settings of another instance on the same database."""
    return {
        "FASTPAY_DATABASE_URL": server.database_url,
        "FASTPAY_SEALING_KEY_FILE": str(server.data_dir / KEY_FILE),
    }


@pytest.fixture(scope="session")
def second(environment: dict[str, str], cluster: Path) -> Iterator[RunningServer]:
    """Another instance."""
    with running_server("second", cluster, environment=environment) as running:
        yield running
