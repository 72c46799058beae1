"""What comparing has found, as the database has it, and answers of the older API."""

import json
import time
from collections.abc import Callable

from tests.support.servers import PATIENCE_SECONDS, RunningServer, fetch

Counted = dict[tuple[str, str], int]


def answer_of(body: object, status: str = "200 OK", fields: str = "") -> bytes:
    """Return an answer as its bytes."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\n{fields}Content-Length: {len(text)}\r\n\r\n".encode() + text


def found(server: RunningServer, route: str) -> Counted:
    """Return what was counted on a route since it was set."""
    rows = fetch(
        server.database_url,
        "select measure, name, count from rollout_finding where route = $1 and change_id = "
        "(select max(change_id) from rollout_change where route in ($1, '*'))",
        route,
    )
    return {(row["measure"], row["name"]): row["count"] for row in rows}


def wait_for(server: RunningServer, route: str, is_there: Callable[[Counted], bool]) -> Counted:
    """Return what was counted on a route once it is complete."""
    end_s = time.monotonic() + PATIENCE_SECONDS
    while not is_there(counted := found(server, route)):
        assert time.monotonic() < end_s, counted
        time.sleep(0.05)
    return counted


def wait_for_outcomes(server: RunningServer, route: str, count: int) -> Counted:
    """Return what was counted on a route once so many requests have an outcome."""
    return wait_for(server, route, lambda counted: sum(outcomes(counted).values()) >= count)


def outcomes(counted: Counted) -> dict[str, int]:
    """Return how many requests had each outcome."""
    return {name: count for (measure, name), count in counted.items() if measure == "outcome"}


def differences(counted: Counted) -> set[str]:
    """Return the names of the differences."""
    return {name for measure, name in counted if measure == "difference"}
