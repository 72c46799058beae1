"""Events as a stream, over HTTP/1.1 and HTTP/2: nothing is missing, and a client resumes where it was."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.support.api import open_client
from tests.support.doors import H2, HTTP1
from tests.support.servers import RunningServer, SpawnServer
from tests.support.tenants import Tenant, make_tenant

DOORS = (HTTP1, H2)

STREAM = {"accept": "text/event-stream"}
PAY = {"amount": "2000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}


class Following:
    """A stream that is read event by event."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()
        self.last_id = ""

    def take(self, count: int) -> list[Any]:
        """Return the next events, in their order."""
        found: list[Any] = []
        while len(found) < count:
            line = next(self._lines)
            if line.startswith("id: "):
                self.last_id = line.removeprefix("id: ")
            elif line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
                assert str(found[-1]["sequence"]) == self.last_id
        return found

    def rest(self) -> list[str]:
        """Return what still comes, which must end as HTTP ends a body."""
        return list(self._lines)


@contextmanager
def follow(http: httpx.Client, key: str, query: str = "", **headers: str) -> Iterator[Following]:
    """Follow the events of a key's tenant for the block."""
    given = {**STREAM, "authorization": f"Bearer {key}", **headers}
    with http.stream("GET", f"/v1/events{query}", headers=given) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream"
        yield Following(response)


@pytest.fixture
def seller(server: RunningServer) -> Tenant:
    return make_tenant(server.database_url)


@pytest.fixture
def shop(server: RunningServer, seller: Tenant) -> Iterator[httpx.Client]:
    """Another connection of the same tenant, to change something."""
    with open_client(server.url, seller.secret) as client:
        yield client


def test_a_stream_shows_what_pages_show(http: httpx.Client, shop: httpx.Client, seller: Tenant) -> None:
    for _ in range(3):
        shop.post("/v1/payment_intents", data=PAY).raise_for_status()
    page = shop.get("/v1/events", params={"after_sequence": "0", "limit": "100"}).json()
    with follow(http, seller.secret, "?after_sequence=0") as stream:
        assert stream.take(9) == page["data"]
        # What comes while it is followed: on the other instance, where HTTP/2 has one of its own.
        shop.post("/v1/customers", data={"name": "Ada"}).raise_for_status()
        (event,) = stream.take(1)
    assert (event["type"], event["data"]["object"]["name"]) == ("customer.created", "Ada")


def test_a_stream_resumes_after_the_last_event_that_it_had(
    http: httpx.Client, shop: httpx.Client, seller: Tenant
) -> None:
    for _ in range(2):
        shop.post("/v1/payment_intents", data=PAY).raise_for_status()
    with follow(http, seller.secret, "?after_sequence=0") as stream:
        seen = stream.take(2)
    # A browser repeats its address, and says in the header where it was.
    with follow(http, seller.secret, "?after_sequence=0", **{"last-event-id": stream.last_id}) as stream:
        seen += stream.take(4)
    assert [event["sequence"] for event in seen] == sorted({event["sequence"] for event in seen})
    assert len(seen) == 6


def test_a_stream_may_be_of_some_types(http: httpx.Client, shop: httpx.Client, seller: Tenant) -> None:
    query = "?after_sequence=0&types[]=charge.*&types[]=customer.created"
    with follow(http, seller.secret, query) as stream:
        shop.post("/v1/payment_intents", data=PAY).raise_for_status()
        shop.post("/v1/customers").raise_for_status()
        assert [event["type"] for event in stream.take(2)] == ["charge.succeeded", "customer.created"]


def test_a_stream_shows_only_the_tenants_own_events(
    http: httpx.Client, server: RunningServer, shop: httpx.Client, seller: Tenant
) -> None:
    other = make_tenant(server.database_url)
    with follow(http, seller.secret, "?after_sequence=0") as stream:
        for key in (other.secret, seller.live_secret):
            with open_client(server.url, key) as client:
                client.post("/v1/customers", data={"name": "not ours"}).raise_for_status()
        shop.post("/v1/customers", data={"name": "ours"}).raise_for_status()
        assert stream.take(1)[0]["data"]["object"]["name"] == "ours"


def test_a_head_request_gets_no_stream(http: httpx.Client, seller: Tenant) -> None:
    headers = {**STREAM, "authorization": f"Bearer {seller.secret}"}
    answer = http.head("/v1/events", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    # The connection is as usable as before.
    assert http.get("/v1/events", headers={**headers, "accept": "*/*"}).status_code == 200


def test_a_server_that_stops_ends_its_streams_in_order(
    server: RunningServer, spawn_server: SpawnServer
) -> None:
    stopping = spawn_server(environment={"FASTPAY_DATABASE_URL": server.database_url})
    key = make_tenant(server.database_url).secret
    with open_client(stopping.url, key) as client, follow(client, key) as stream:
        client.post("/v1/customers").raise_for_status()
        assert len(stream.take(1)) == 1
        stopping.process.send_signal(signal.SIGTERM)
        # httpx raises if the last chunk is missing.
        assert [line for line in stream.rest() if line.startswith("data")] == []
    assert stopping.process.wait(60) == 0
