"""The request log after a death: of the database, and of the server."""

import signal
from collections.abc import Sequence
from pathlib import Path

import httpx

from fastpay.operations.embedded import children
from tests.support.api import open_client
from tests.support.servers import PATIENCE_SECONDS, SpawnServer

LOGGING = {"FASTPAY_REQUEST_LOG": "complete"}


def customers(http: httpx.Client, count: int) -> list[str]:
    """Make customers, and return the identifiers of the requests that were answered."""
    answers = [http.post("/v1/customers") for _ in range(count)]
    return [answer.headers["request-id"] for answer in answers if answer.status_code == 200]


def is_found(http: httpx.Client, requests: Sequence[str]) -> bool:
    """Tell whether all of these are in the log."""
    return all(http.get(f"/v1/request_logs/{request}").status_code == 200 for request in requests)


def test_after_the_death_of_the_database_and_of_the_server_the_log_has_what_was_stored(
    spawn_server: SpawnServer, data_dir: Path
) -> None:
    server = spawn_server(data_dir=data_dir, environment=LOGGING)
    with open_client(server.url, server.test_key) as http:
        before = customers(http, 5)
        # The last of them may still wait.
        for pid in children.living_in(data_dir.resolve() / "postgresql"):
            children.send(pid, signal.SIGKILL)
        http.get("/v1/customers")
        assert children.wait_until(lambda: bool(customers(http, 1)), timeout_ms=PATIENCE_SECONDS * 1000)
        after = customers(http, 5)
        assert (len(before), len(after)) == (5, 5)
        assert children.wait_until(lambda: is_found(http, before + after), timeout_ms=PATIENCE_SECONDS * 1000)
        # What was found is stored. What comes now may be lost, and nothing else.
        customers(http, 1)
    server.kill()
    server = spawn_server(data_dir=data_dir, environment=LOGGING)
    with open_client(server.url, server.test_key) as http:
        assert is_found(http, before + after)
        assert is_found(http, customers(http, 3))
