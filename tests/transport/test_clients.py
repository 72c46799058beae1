"""Clients that others wrote, against a running server: curl, a browser, the official SDK, h2load."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import stripe

from fastpay import limits
from tests.support.browser import OPTIONS, found
from tests.support.doors import DOORS, H2, HTTP1, HTTP1_TLS, Certificate, Door
from tests.support.servers import RunningServer
from tests.support.tenants import make_tenant

# A guard against a hang, never a measurement.
PATIENCE_SECONDS = 60
CURL_SPEAKS = {
    "http1": ["--http1.1"],
    "http1-tls": ["--http1.1"],
    "h2c": ["--http2-prior-knowledge"],
    "h2": ["--http2"],
}


def run(command: Sequence[str]) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture
def url(door: Door, plain_server: RunningServer, tls_server: RunningServer) -> str:
    """Where the door is."""
    return (tls_server if door.is_tls else plain_server).url


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_curl_pays_and_reads_why_it_is_refused(
    door: Door, url: str, plain_server: RunningServer, certificate: Certificate, tmp_path: Path
) -> None:
    curl = [found("curl", "curl"), "--silent", "--show-error", "--cacert", str(certificate.cert)]
    curl += [*CURL_SPEAKS[door.name], "--write-out", "\n%{http_version} %{response_code}"]
    curl += ["--user", f"{make_tenant(plain_server.database_url).secret}:"]
    asked = ["amount=500", "currency=usd", "payment_method=pm_card_visa", "confirm=true"]
    fields = [part for field in asked for part in ("--data", field)]
    version = "2" if door.is_http2 else "1.1"
    body, _, told = run([*curl, *fields, f"{url}/v1/payment_intents"]).rpartition("\n")
    assert (json.loads(body)["status"], told) == ("succeeded", f"{version} 200")
    # Over HTTP/2 a reset follows, and must not take the words away.
    body, _, told = run([*curl, "--header", "x_y: z", f"{url}/healthz"]).rpartition("\n")
    assert "underscore" in json.loads(body)["error"]["message"]
    assert told == f"{version} 400"
    large = tmp_path / "large"
    large.write_bytes(b"description=".ljust(limits.body_bytes_max + 1, b"x"))
    for headers in ([], ["--header", "Expect:"]):
        said = run([*curl, *headers, "--data-binary", f"@{large}", f"{url}/v1/payment_intents"])
        body, _, told = said.rpartition("\n")
        assert (json.loads(body)["error"]["type"], told) == ("invalid_request_error", f"{version} 413")


@pytest.mark.parametrize("door", [HTTP1, H2], ids=lambda door: door.name)
def test_a_browser_shows_the_health_check(door: Door, url: str, tmp_path: Path) -> None:
    browser = found("chromium", "chromium")
    log = tmp_path / "network.json"
    seen = run(
        [
            *(browser, *OPTIONS, f"--user-data-dir={tmp_path / 'profile'}"),
            *(f"--log-net-log={log}", "--dump-dom", f"{url}/healthz"),
        ]
    )
    assert '{"status":"ok"}' in seen
    # Its own record of the network says which protocol it spoke.
    assert ("HTTP2_SESSION_SEND_HEADERS" in sent_events(log)) == door.is_http2


def sent_events(log: Path) -> set[str]:
    """Return the names of the events in a browser's record of the network."""
    record = json.loads(log.read_bytes())
    names = {number: name for name, number in record["constants"]["logEventTypes"].items()}
    return {names[event["type"]] for event in record["events"]}


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_h2load_is_answered_every_time(door: Door, url: str) -> None:
    options = ["-c4", "-m8", "-n400"] + ([] if door.is_http2 else ["--h1"])
    said = run([found("h2load", "nghttp2-client"), *options, f"{url}/healthz"])
    assert "400 succeeded, 0 failed, 0 errored, 0 timeout" in said
    assert f"Application protocol: {'h2' if door is H2 else 'h2c' if door.is_http2 else 'http/1.1'}" in said


@pytest.mark.parametrize("door", [HTTP1_TLS], ids=lambda door: door.name)
def test_the_official_client_pays_over_tls_that_it_has_verified(
    url: str, plain_server: RunningServer, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_tenant(plain_server.database_url).secret

    def client(transport: stripe.RequestsClient) -> stripe.StripeClient:
        return stripe.StripeClient(
            key, base_addresses={"api": url}, http_client=transport, max_network_retries=0
        )

    stranger, friend = stripe.RequestsClient(), stripe.RequestsClient()
    with pytest.raises(stripe.APIConnectionError, match="certificate"):
        client(stranger).v1.balance.retrieve()
    monkeypatch.setattr(stripe, "ca_bundle_path", str(certificate.cert))
    intents = client(friend).v1.payment_intents
    held = intents.create(
        {
            "amount": 2000,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "capture_method": "manual",
        },
        {"idempotency_key": "over TLS"},
    )
    assert intents.capture(held.id).status == "succeeded"
    refund = client(friend).v1.refunds.create({"payment_intent": held.id, "amount": 500})
    assert (refund.status, refund.amount) == ("succeeded", 500)
    assert [intent.id for intent in intents.list().data] == [held.id]
    with pytest.raises(stripe.CardError) as declined:
        intents.create(
            {"amount": 1, "currency": "usd", "payment_method": "pm_card_chargeDeclined", "confirm": True}
        )
    assert declined.value.http_status in {400, 402}
    for transport in (stranger, friend):
        transport.close()  # type: ignore[no-untyped-call]  # theirs


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_what_browsers_need_works_through_every_door(
    door: Door, url: str, plain_server: RunningServer, certificate: Certificate
) -> None:
    key = make_tenant(plain_server.database_url).secret
    asked = {"amount": "500", "currency": "usd", "payment_method": "pm_card_authenticationRequired"}
    asked |= {"confirm": "true", "return_url": "https://shop.example/back"}
    origin = {"origin": "https://shop.example"}
    with door.open(url, certificate) as client:
        made = client.post("/v1/payment_intents", headers={"authorization": f"Bearer {key}"}, data=asked)
        page = made.json()["next_action"]["redirect_to_url"]["url"]
        assert page.startswith(f"{url}/authenticate/")
        assert client.get(page).status_code == 200
        back = client.post(page, data={"outcome": "succeeded"})
        assert "redirect_status=succeeded" in back.headers["location"]
        preflight = origin | {"access-control-request-method": "POST"}
        assert client.options("/v1/payment_intents", headers=preflight).status_code == 204
        # The transport refuses this one.
        refused = client.get("/v1/balance", headers=origin | {"x_y": "z"})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (400, "*")
