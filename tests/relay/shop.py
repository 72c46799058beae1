"""A tenant with webhook endpoints on running servers, and the history that its receiver has to agree with."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import httpx

from fastpay.domain import events
from fastpay.domain.identifiers import Scope, digits
from fastpay.domain.plan import Command
from fastpay.domain.webhook_endpoints import CreateEndpoint
from tests.support.api import open_client
from tests.support.engine import engine
from tests.support.receiver import Receiver
from tests.support.servers import RunningServer, execute, fetch
from tests.support.tenants import make_tenant

ENVIRONMENT = {"FASTPAY_OUTBOUND_ALLOWED_NETWORKS": "127.0.0.0/8", "FASTPAY_TEST_DELAY_S": "0"}
_OWN = "tenant_id = $1 and not livemode"


class Shop:
    """One tenant. `server` is the instance that its requests go to."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.tenant = make_tenant(server.database_url)
        self.scope = Scope(self.tenant.tenant_id.hex, False)
        self._count = 0

    @property
    def _url(self) -> str:
        return self.server.database_url

    def client(self) -> httpx.Client:
        """Return a client of the instance."""
        return open_client(self.server.url, self.tenant.secret)

    def endpoint(self, url: str, *types: str, **fields: object) -> str:
        """Create an endpoint and return its identifier."""
        given = {"url": url, "enabled_events": types or ("*",), **fields}
        return self.do(CreateEndpoint(salt=digits("f" * 32), fields=given, start_after_sequence=0))

    def do(self, command: Command) -> str:
        """Commit a command, and return what it is about."""

        async def work() -> str:
            async with engine(self._url) as instance:
                return (await instance.do(command, self.scope)).id

        return asyncio.run(work())

    def make_events(self, count: int) -> None:
        """Create customers, with an event each."""
        with self.client() as client:
            for _ in range(count):
                self._count += 1
                answer = client.post("/v1/customers", data={"name": f"number {self._count}"})
                assert answer.status_code == 200, answer.text

    def change_customer(self, identifier: str, times: int) -> None:
        """Change one customer again and again."""
        with self.client() as client:
            for number in range(times):
                client.post(
                    f"/v1/customers/{identifier}", data={"description": f"{number}"}
                ).raise_for_status()

    def sequence(self) -> int:
        """Return how far the tenant's sequence has come."""
        found: int = fetch(self._url, f"select sequence from book where {_OWN}", self.scope.tenant_id)[0][0]
        return found

    def wanted(self, types: Iterable[str] = events.TYPES) -> list[int]:
        """Return the numbers of the events of these types that clients see."""
        statement = f"select sequence from event where {_OWN} and type = any($2) order by sequence"
        return [row[0] for row in fetch(self._url, statement, self.scope.tenant_id, list(types))]

    def state(self, endpoint_id: str) -> dict[str, Any]:
        """Return the cursor of an endpoint, with `delivered_through`."""
        statement = (
            "select *, least(position, (select min(sequence) - 1 from webhook_exception e where "
            "e.webhook_endpoint_id = c.webhook_endpoint_id)) as delivered_through "
            "from webhook_progress c where webhook_endpoint_id = $1"
        )
        found = fetch(self._url, statement, digits(endpoint_id))
        return dict(found[0]) if found else {"delivered_through": -1, "position": -1, "failures": 0}

    def attempts(self, endpoint_id: str) -> list[dict[str, Any]]:
        """Return the attempts to an endpoint, in their order."""
        statement = "select * from webhook_attempt where webhook_endpoint_id = $1 order by attempt_id"
        return [dict(row) for row in fetch(self._url, statement, digits(endpoint_id))]

    def make_due(self) -> None:
        """Make everything that waits for its next attempt due, as time would. No instance may run."""
        execute(self._url, "update webhook_exception set next_attempt_at = now()")
        execute(self._url, "update webhook_position set resume_at = null")

    def is_delivered(self, endpoint_id: str) -> bool:
        """Tell whether everything is acknowledged."""
        through = self.state(endpoint_id)["delivered_through"]
        return through is not None and through >= self.sequence()

    def is_all_delivered(self) -> bool:
        """Tell whether everything is acknowledged by all endpoints."""
        statement = (
            "select bool_and(position >= sequence and not exists (select from webhook_exception as e where "
            "e.webhook_endpoint_id = c.webhook_endpoint_id)) from webhook_progress as c "
            f"join book using (tenant_id, livemode) where {_OWN}"
        )
        return bool(fetch(self._url, statement, self.scope.tenant_id)[0][0])


def check_history(shop: Shop, receiver: Receiver, path: str, *, types: Iterable[str] = events.TYPES) -> int:
    """Find nothing wrong in what came at a path, and return how many events came more than once.

    Nothing is missing, each number has one identifier, one body and one number before it, and these have no
    hole.
    """
    wanted, got = shop.wanted(types), receiver.got(path)
    missing = set(wanted) - set(receiver.acknowledged(path))
    assert not missing, sorted(missing)
    seen: dict[int, tuple[str, str, str]] = {}
    acknowledged: set[int] = set()
    doubled = 0
    for line in got:
        headers = line["headers"]
        number = int(headers["fastpay-sequence"])
        same = (headers["webhook-id"], line["body"], headers["fastpay-previous-sequence"])
        assert seen.setdefault(number, same) == same
        assert json.loads(line["body"])["sequence"] == number
        doubled += number in acknowledged
        if line["ok"]:
            acknowledged.add(number)
    before = 0
    for number in wanted:
        assert seen[number][2] == str(before)
        before = number
    assert set(seen) == set(wanted)
    return doubled
