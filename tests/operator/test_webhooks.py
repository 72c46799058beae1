"""`fastpay events` and `fastpay webhooks`: what they ask a running server for, and what they forward."""

import contextlib
import dataclasses
import http.server
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx
import pytest
import stripe
from click.testing import CliRunner

from fastpay.cli import commands
from fastpay.errors import ConfigurationError
from tests.support.api import open_client
from tests.support.servers import PATIENCE_SECONDS, RunningServer, clean_environment, not_forever
from tests.support.tenants import Tenant


@pytest.fixture
def api(server: RunningServer, tenant: Tenant) -> Iterator[httpx.Client]:
    with open_client(server.url, tenant.secret) as client:
        yield client


def command(server: RunningServer, tenant: Tenant, *words: str) -> list[str]:
    return [sys.executable, "-m", "fastpay", *words, "--url", server.url, "--key", tenant.secret]


def run(server: RunningServer, tenant: Tenant, *words: str) -> str:
    """Run a command in this process, and return what it prints."""
    done = CliRunner().invoke(commands, command(server, tenant, *words)[3:])
    if done.exception is not None:
        raise done.exception
    return done.output


@contextlib.contextmanager
def following(server: RunningServer, tenant: Tenant, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a command that goes on until it is stopped."""
    process = subprocess.Popen(
        command(server, tenant, *words), stdout=subprocess.PIPE, text=True, env=clean_environment()
    )
    # A line that never comes, since the server has ended, must not be waited for without an end.
    guard = threading.Timer(PATIENCE_SECONDS, process.kill)
    guard.start()
    try:
        with not_forever(process):
            yield process
    finally:
        guard.cancel()
        process.kill()
        process.communicate()


@contextlib.contextmanager
def receiving() -> Iterator[tuple[str, "queue.Queue[tuple[dict[str, str], bytes]]"]]:
    """Receive deliveries; yield the URL, and the headers and bodies that come."""
    received: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.put(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_request(self, *_: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{receiver.server_port}/hook", received
        finally:
            receiver.shutdown()
            thread.join()


def test_events_are_listed_and_shown(server: RunningServer, tenant: Tenant, api: httpx.Client) -> None:
    api.post("/v1/customers", data={"name": "Ada"})
    (event,) = api.get("/v1/events").json()["data"]
    listed = run(server, tenant, "events", "list", "--type", "customer.*")
    assert event["id"] in listed
    assert event["id"] not in run(server, tenant, "events", "list", "--type", "charge.*")
    assert json.loads(run(server, tenant, "events", "show", event["id"])) == event
    with pytest.raises(ConfigurationError, match="the server refuses: No such event: 'evt_x'"):
        run(server, tenant, "events", "show", "evt_x")


def test_endpoints_are_listed_pinged_and_replayed_to(
    server: RunningServer, tenant: Tenant, api: httpx.Client
) -> None:
    params = {"url": "https://receiver.example/", "enabled_events[]": "topup.*"}
    endpoint = api.post("/v1/webhook_endpoints", data=params).json()["id"]
    api.post("/v1/customers", data={"name": "Ada"})
    event = api.get("/v1/events").json()["data"][0]
    assert endpoint in run(server, tenant, "webhooks", "list")
    assert "event_type" in run(server, tenant, "webhooks", "attempts", endpoint, "--failed")
    assert endpoint in run(server, tenant, "webhooks", "ping", endpoint)
    run(server, tenant, "webhooks", "replay", endpoint, "--from", "1", "--type", "customer.*")
    run(server, tenant, "events", "resend", event["id"], "--endpoint", endpoint)
    one, some = api.get(f"/v1/webhook_endpoints/{endpoint}/replays").json()["data"]
    assert (one["event"], some["event"]) == (event["id"], None)
    assert (some["from_sequence"], some["types"]) == (1, ["customer.*"])


def test_events_are_forwarded_as_they_happen_and_signed(
    server: RunningServer, tenant: Tenant, api: httpx.Client
) -> None:
    api.post("/v1/customers", data={"name": "before"})
    words = ("webhooks", "listen", "--type", "customer.*", "--after", "0")
    with receiving() as (url, received), following(server, tenant, *words, "--forward-to", url) as process:
        assert process.stdout is not None
        secret = process.stdout.readline().split()[-1]
        seen = [received.get(timeout=PATIENCE_SECONDS)]
        api.post("/v1/payment_intents", data={"amount": "5", "currency": "usd"})
        api.post("/v1/customers", data={"name": "after"})
        seen.append(received.get(timeout=PATIENCE_SECONDS))
        lines = [process.stdout.readline() for _ in seen]
    listed = api.get("/v1/events", params={"type": "customer.*"}).json()["data"][::-1]
    for (headers, body), event, line in zip(seen, listed, lines, strict=True):
        signed = stripe.Webhook.construct_event(body.decode(), headers["stripe-signature"], secret)
        assert json.loads(body) == event
        assert (signed.id, headers["fastpay-sequence"]) == (event["id"], str(event["sequence"]))
        assert line.startswith(f"{event['sequence']} {event['id']} customer.created: 204 in ")
    assert seen[1][0]["fastpay-previous-sequence"] == seen[0][0]["fastpay-sequence"]


def test_events_are_followed_one_a_line(server: RunningServer, tenant: Tenant, api: httpx.Client) -> None:
    api.post("/v1/customers", data={"name": "Ada"})
    with following(server, tenant, "events", "tail", "--after", "0") as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        api.post("/v1/customers", data={"name": "Eve"})
        second = json.loads(process.stdout.readline())
    assert [first, second] == api.get("/v1/events").json()["data"][::-1]


def test_a_key_that_nobody_has_is_refused(server: RunningServer, tenant: Tenant) -> None:
    nobody = dataclasses.replace(tenant, secret="sk_test_nobody")
    for words in (("events", "tail"), ("webhooks", "list")):
        with pytest.raises(ConfigurationError, match="the server refuses"):
            run(server, nobody, *words)
