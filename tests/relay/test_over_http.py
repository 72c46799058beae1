"""From the SDK to the receiver and back: what is delivered, and what the API says of it."""

import json
import re
import threading
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import standardwebhooks
import stripe

from fastpay.domain.events import TYPES
from tests.relay.shop import Shop
from tests.support.api import post
from tests.support.receiver import Receiver
from tests.support.servers import RunningServer, fetch

PATH = "/v1/webhook_endpoints"


@pytest.fixture
def http(shop: Shop) -> Iterator[httpx.Client]:
    with shop.client() as client:
        yield client


@pytest.fixture
def path(request: pytest.FixtureRequest) -> str:
    """A path of the receiver that is the test's own."""
    return str(request.node.name)


def at(receiver: Receiver, path: str) -> str:
    return f"{receiver.url}/{path}"


def make(http: httpx.Client, url: str, **more: str) -> Any:
    return post(http, PATH, **{"url": url, "enabled_events[]": "customer.*", **more})


def attempts(http: httpx.Client, made: Any, **query: Any) -> Any:
    return http.get(f"{PATH}/{made['id']}/attempts", params=query).json()["data"]


def came(receiver: Receiver, path: str, count: int) -> list[Any]:
    """Return what came at a path, once it is so much."""
    receiver.wait_for(lambda: len(receiver.got(path)) >= count)
    return receiver.got(path)


def verified(line: Any, secret: str) -> str:
    """Return the identifier of a delivered event that both libraries accept."""
    event = stripe.Webhook.construct_event(line["body"], line["headers"]["stripe-signature"], secret)
    assert standardwebhooks.Webhook(secret).verify(line["body"], line["headers"])["id"] == event.id
    return str(event.id)


def test_an_event_is_delivered_signed_and_shown(http: httpx.Client, receiver: Receiver, path: str) -> None:
    made = make(http, at(receiver, path))
    post(http, "/v1/customers", name="Ada")
    (line,) = came(receiver, path, 1)
    (event,) = http.get("/v1/events").json()["data"]
    assert verified(line, made["secret"]) == event["id"]
    receiver.wait_for(lambda: len(attempts(http, made)) == 1)
    (attempt,) = attempts(http, made)
    expected = {
        "event": event["id"],
        "event_type": "customer.created",
        "sequence": event["sequence"],
        "attempt": 1,
        "status": 200,
        "success": True,
    }
    assert attempt | expected == attempt
    receiver.wait_for(lambda: http.get(f"{PATH}/{made['id']}").json()["fastpay"]["lag"] == 0)
    state = http.get(PATH).json()["data"][0]["fastpay"]
    assert (state["circuit"], state["failing_since"]) == ("closed", None)
    assert state["delivered_through"] >= event["sequence"]


def test_attempts_have_pages_and_filters(http: httpx.Client, receiver: Receiver, path: str) -> None:
    made = make(http, at(receiver, path))
    for name in ("Ada", "Eve", "Joe"):
        post(http, "/v1/customers", name=name)
    receiver.wait_for(lambda: len(attempts(http, made)) == 3)
    every = attempts(http, made)
    assert attempts(http, made, limit=2) == every[:2]
    assert attempts(http, made, starting_after=every[1]["id"]) == every[2:]
    assert attempts(http, made, ending_before=every[1]["id"]) == every[:1]
    assert attempts(http, made, event=every[1]["event"]) == [every[1]]
    assert attempts(http, made, sequence=every[2]["sequence"]) == [every[2]]
    assert (attempts(http, made, success="true"), attempts(http, made, success="false")) == (every, [])


def signed(http: httpx.Client, receiver: Receiver, path: str, secret: str) -> Any:
    """Return the first delivery that a new secret has signed. An instance may take a moment to know it."""

    def is_known() -> bool:
        before = len(receiver.got(path))
        post(http, "/v1/customers", name="Ada")
        line = came(receiver, path, before + 1)[-1]
        return accepts(line, secret)

    receiver.wait_for(is_known)
    return receiver.got(path)[-1]


def accepts(line: Any, secret: str) -> bool:
    try:
        verified(line, secret)
    except stripe.SignatureVerificationError:
        return False
    return True


def test_both_secrets_sign_during_a_rotation_and_then_one(
    http: httpx.Client, receiver: Receiver, path: str
) -> None:
    made = make(http, at(receiver, path))
    rotated = post(http, f"{PATH}/{made['id']}/rotate_secret", overlap_seconds="3600")
    line = signed(http, receiver, path, rotated["secret"])
    assert accepts(line, made["secret"])
    last = post(http, f"{PATH}/{made['id']}/rotate_secret")
    line = signed(http, receiver, path, last["secret"])
    assert not accepts(line, made["secret"])
    assert not accepts(line, rotated["secret"])


def test_a_ping_and_one_event_again_are_for_one_endpoint(
    http: httpx.Client, receiver: Receiver, path: str
) -> None:
    made = make(http, at(receiver, path))
    make(http, at(receiver, f"{path}-other"), **{"enabled_events[]": "*"})
    post(http, f"{PATH}/{made['id']}/ping")
    (line,) = came(receiver, path, 1)
    ping = verified(line, made["secret"])
    post(http, f"{PATH}/{made['id']}/replay", event=ping)
    again = came(receiver, path, 2)[1]
    assert (verified(again, made["secret"]), again["body"]) == (ping, line["body"])
    post(http, "/v1/customers", name="Ada")
    came(receiver, path, 3)
    (other,) = came(receiver, f"{path}-other", 1)
    assert '"customer.created"' in other["body"]


def test_a_disabled_endpoint_goes_on_where_it_stood(
    http: httpx.Client, receiver: Receiver, path: str
) -> None:
    made = make(http, at(receiver, path))
    post(http, f"{PATH}/{made['id']}", disabled="true")
    for name in ("Ada", "Eve"):
        post(http, "/v1/customers", name=name)
    post(http, f"{PATH}/{made['id']}/enable")
    lines = came(receiver, path, 2)
    numbers = sorted(int(line["headers"]["fastpay-sequence"]) for line in lines)
    listed = http.get("/v1/events", params={"type": "customer.*"}).json()["data"]
    assert numbers == sorted(event["sequence"] for event in listed)


def test_headers_of_an_endpoint_are_sent_and_not_found_in_the_database(
    shop: Shop, http: httpx.Client, receiver: Receiver, path: str
) -> None:
    own = {"fastpay[headers][Authorization]": "Bearer confidential"}
    make(http, at(receiver, path), **own, **{"fastpay[payload]": "thin"})
    post(http, "/v1/customers", name="Ada")
    (line,) = came(receiver, path, 1)
    assert line["headers"]["authorization"] == "Bearer confidential"
    stored = fetch(shop.server.database_url, "select snapshot from object_version")
    assert any(b"Authorization" in row[0] for row in stored)
    assert not any(b"confidential" in row[0] for row in stored)
    # The payload is thin: the object's identifier and kind, and nothing else of it.
    (event,) = http.get("/v1/events", params={"type": "customer.created"}).json()["data"]
    thin = {"object": {name: event["data"]["object"][name] for name in ("id", "object")}}
    # A delivery says that nothing is pending; this one may not be acknowledged yet where it is listed.
    assert json.loads(line["body"]) == event | {"data": thin, "pending_webhooks": 0}


def count(server: RunningServer, name: str) -> int:
    """Return a counter of the server."""
    with urllib.request.urlopen(f"{server.admin_url}/metrics") as response:
        found = re.search(rf"^fastpay_{name}(?:_total)? (\d+)", response.read().decode(), re.M)
    assert found is not None, name
    return int(found[1])


def at_once(work: Callable[[], Any], times: int) -> None:
    """Do something so often at the same time."""
    threads = [threading.Thread(target=work) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_endpoints_that_nothing_is_for_read_nothing(
    shop: Shop, relaying_server: RunningServer, receiver: Receiver
) -> None:
    with shop.client() as http:
        made = [
            post(http, PATH, **{"url": f"{receiver.url}/nothing", "enabled_events[]": one})
            for one in sorted(TYPES - {"customer.created"})[:8]
        ]
        shop.make_events(1)

        def is_through() -> bool:
            states = [http.get(f"{PATH}/{one['id']}").json()["fastpay"] for one in made]
            return all(state["lag"] == 0 for state in states)

        receiver.wait_for(is_through)
        before = count(relaying_server, "relay_reads")
        shop.make_events(20)
        receiver.wait_for(is_through)
    # A beat may find a commit before it is told of it.
    assert count(relaying_server, "relay_reads") - before < 20
    assert receiver.got("nothing") == []


def test_a_range_that_is_replayed_twice_at_once_comes_twice_with_the_same_bytes(
    shop: Shop, receiver: Receiver
) -> None:
    with shop.client() as http:
        made = post(http, PATH, **{"url": f"{receiver.url}/twice", "enabled_events[]": "customer.*"})
        shop.make_events(30)
        last = str(shop.sequence())
        receiver.wait_for(lambda: len(receiver.acknowledged("twice")) == 30)
        at_once(lambda: post(http, f"{PATH}/{made['id']}/replay", from_sequence="1", to_sequence=last), 2)
        receiver.wait_for(lambda: len(receiver.got("twice")) == 90)
    bodies = {(line["headers"]["webhook-id"], line["body"]) for line in receiver.got("twice")}
    assert len(bodies) == 30
