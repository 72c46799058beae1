"""The request log: what a tenant finds in it, and whose it is."""

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import stripe

from fastpay.operations.embedded import children
from tests.support.api import TRUST, open_client
from tests.support.servers import PATIENCE_SECONDS, RunningServer, fetch
from tests.support.tenants import Tenant, make_tenant

PUBLIC_URL = "https://pay.example"
NUMBER = "4242424242424242"


@pytest.fixture(scope="module")
def server(logging_server: RunningServer) -> RunningServer:
    return logging_server


@pytest.fixture
def tenant(server: RunningServer) -> Tenant:
    return make_tenant(server.database_url)


@pytest.fixture
def http(server: RunningServer, tenant: Tenant) -> Iterator[httpx.Client]:
    with open_client(server.url, tenant.secret) as client:
        yield client


def look_up(http: httpx.Client, request_id: str | None) -> dict[str, Any]:
    """Return what the log says of a request."""
    found = http.get(f"/v1/request_logs/{request_id}")
    assert found.status_code == 200, found.text
    body: dict[str, Any] = found.json()
    return body


def lines(server: RunningServer) -> list[dict[str, Any]]:
    """Return the log lines about requests."""
    parsed = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
    return [line for line in parsed if line["event"] == "request_answered"]


def wait_for_line(server: RunningServer, request_id: str | None) -> dict[str, Any]:
    """Return the log line of a request."""
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        found.extend(line for line in lines(server) if line["request_id"] == request_id)
        return bool(found)

    assert children.wait_until(is_there, timeout_ms=PATIENCE_SECONDS * 1000)
    return found[0]


def test_a_payment_by_the_sdk_is_found_with_what_was_sent_and_what_came_of_it(
    server: RunningServer, tenant: Tenant, http: httpx.Client
) -> None:
    client = stripe.StripeClient(tenant.secret, base_addresses={"api": server.url}, max_network_retries=0)
    intent = client.v1.payment_intents.create(
        {
            "amount": 2000,
            "currency": "usd",
            "confirm": True,
            "payment_method": "pm_card_visa",
            "description": "three blue mugs",
            "metadata": {"order": "6735"},
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        },
        {"idempotency_key": "order 6735"},
    )
    assert intent.last_response is not None
    request_id = intent.last_response.request_id
    (key,) = fetch(
        server.database_url,
        "select key_id from api_key where tenant_id = $1 and not livemode and kind = 'secret'",
        tenant.tenant_id,
    )
    said = look_up(http, request_id)
    assert said.pop("created") > 1_600_000_000
    assert said.pop("duration_ms") >= 0
    sequence = said.pop("sequence")
    assert sequence > 0
    assert "PythonBindings/" in said["user_agent"]
    known = {
        "api_key": str(key["key_id"]),
        "idempotency_key": "order 6735",
        "livemode": False,
        "method": "POST",
        "path": "/v1/payment_intents",
        "result": intent.id,
        "status": 200,
        "user_agent": said["user_agent"],
    }
    assert said == known | {
        "id": request_id,
        "object": "request_log",
        "error": None,
        "original_request": None,
        "parameters": {
            "amount": 2000,
            "automatic_payment_methods": {"allow_redirects": "never", "enabled": True},
            "confirm": True,
            "currency": "usd",
            "description": "[redacted]",
            "metadata": "[redacted]",
            "payment_method": "pm_card_visa",
        },
    }
    line = wait_for_line(server, request_id)
    assert line.pop("duration_ms") >= 0
    assert line.pop("time").endswith("Z")
    known |= {"event": "request_answered", "level": "info", "request_id": request_id, "sequence": sequence}
    assert line == known | {"tenant": tenant.tenant_id.hex}


def test_a_decline_shows_where_it_can_be_looked_up_and_its_replay_shows_the_same(
    server: RunningServer, tenant: Tenant, http: httpx.Client
) -> None:
    client = stripe.StripeClient(tenant.secret, base_addresses={"api": server.url}, max_network_retries=0)
    bodies, requests = [], []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as refused:
            client.v1.payment_intents.create(
                {
                    "amount": 500,
                    "currency": "usd",
                    "confirm": True,
                    "payment_method": "pm_card_chargeDeclinedInsufficientFunds",
                    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                },
                {"idempotency_key": "declined"},
            )
        bodies.append(refused.value.http_body)
        requests.append(refused.value.request_id)
        body: Any = refused.value.json_body
        error = body["error"]
        assert error["request_log_url"] == f"{PUBLIC_URL}/v1/request_logs/{requests[0]}"
    assert bodies[0] == bodies[1]
    assert requests[0] != requests[1]
    # The payment says the same, and so does its event.
    assert error["payment_intent"]["last_payment_error"]["request_log_url"] == error["request_log_url"]
    (event,) = http.get("/v1/events", params={"type": "payment_intent.payment_failed"}).json()["data"]
    failed = event["data"]["object"]["last_payment_error"]
    assert failed["request_log_url"] == error["request_log_url"]
    assert failed["doc_url"] == error["doc_url"] == f"{PUBLIC_URL}/docs/errors#card_declined"
    first, second = (look_up(http, request_id) for request_id in requests)
    assert (first["original_request"], second["original_request"]) == (None, requests[0])
    assert first["status"] == second["status"] == 402
    assert first["result"] == second["result"] == error["payment_intent"]["id"]
    assert first["error"] == second["error"]
    assert first["error"] == {
        "type": "card_error",
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "message": error["message"],
        "param": None,
    }


@pytest.mark.parametrize(
    ("path", "error"), [("payment", "last_payment_error"), ("setup", "last_setup_error")]
)
@pytest.mark.parametrize("card", ["authenticationRequired", "threeDSecureRequiredChargeDeclined"])
def test_what_fails_on_the_cardholders_page_shows_where_it_can_be_looked_up(
    http: httpx.Client, path: str, error: str, card: str
) -> None:
    fields = {"confirm": "true", "payment_method": f"pm_card_{card}", "return_url": "https://shop.example"}
    if path == "payment":
        fields |= {"amount": "500", "currency": "usd"}
    made = http.post(f"/v1/{path}_intents", data=fields).json()
    outcome = "failed" if card == "authenticationRequired" else "succeeded"
    page = urlsplit(made["next_action"]["redirect_to_url"]["url"]).path
    answer = httpx.post(f"{http.base_url}".rstrip("/") + page, data={"outcome": outcome}, verify=TRUST)
    assert answer.status_code == 303
    shown = http.get(f"/v1/{path}_intents/{made['id']}").json()
    if path == "setup" and outcome == "succeeded":
        # The issuer declines charges alone.
        assert shown["status"] == "succeeded"
        return
    failed = shown[error]
    assert failed["request_log_url"] == f"{PUBLIC_URL}/v1/request_logs/{answer.headers['request-id']}"
    assert failed["doc_url"] == f"{PUBLIC_URL}/docs/errors#{failed['code']}"
    entry = look_up(http, answer.headers["request-id"])
    assert (entry["status"], entry["result"], entry["api_key"]) == (303, made["id"], None)


def test_a_debit_that_fails_later_has_no_request_but_its_code_is_explained(http: httpx.Client) -> None:
    fields = {
        "amount": "500",
        "currency": "eur",
        "confirm": "true",
        "payment_method": "pm_failed_de",
        "payment_method_types[]": "sepa_debit",
        "mandate_data[customer_acceptance][type]": "offline",
    }
    made = http.post("/v1/payment_intents", data=fields).raise_for_status().json()
    shown = made
    until = time.monotonic() + PATIENCE_SECONDS
    while shown["status"] == "processing":
        assert time.monotonic() < until
        time.sleep(0.05)
        shown = http.get(f"/v1/payment_intents/{made['id']}").json()
    failed = shown["last_payment_error"]
    assert failed["request_log_url"] is None
    assert failed["doc_url"] == f"{PUBLIC_URL}/docs/errors#{failed['code']}"


def test_a_declined_setup_shows_where_it_can_be_looked_up(http: httpx.Client) -> None:
    form = {"confirm": "true", "payment_method": "pm_card_chargeDeclined"}
    answer = http.post("/v1/setup_intents", data=form)
    assert answer.status_code == 402
    error, url = answer.json()["error"], f"{PUBLIC_URL}/v1/request_logs/{answer.headers['request-id']}"
    setup = error["setup_intent"]
    assert (error["request_log_url"], setup["last_setup_error"]["request_log_url"]) == (url, url)
    assert (
        setup["last_setup_error"]["doc_url"] == error["doc_url"] == f"{PUBLIC_URL}/docs/errors#card_declined"
    )
    (attempt,) = http.get("/v1/setup_attempts", params={"setup_intent": setup["id"]}).json()["data"]
    assert attempt["setup_error"]["request_log_url"] == url
    (event,) = http.get("/v1/events", params={"type": "setup_intent.setup_failed"}).json()["data"]
    assert event["data"]["object"]["last_setup_error"]["request_log_url"] == url


def test_an_error_leads_to_a_page_of_ours_about_its_code(http: httpx.Client) -> None:
    answers = [
        http.get("/v1/customers/cus_nobody"),
        http.post("/v1/payment_intents", data={"amount": "x", "currency": "usd"}),
        http.post(
            "/v1/payment_intents",
            data={
                "amount": "500",
                "currency": "usd",
                "confirm": "true",
                "payment_method": "pm_card_chargeDeclined",
                "payment_method_types[]": "card",
            },
        ),
    ]
    errors = [answer.json()["error"] for answer in answers]
    assert [error["code"] for error in errors] == [
        "resource_missing",
        "parameter_invalid_integer",
        "card_declined",
    ]
    for error in errors:
        url, _, fragment = error["doc_url"].partition("#")
        page = http.get(url.removeprefix(PUBLIC_URL))
        assert (page.status_code, fragment) == (200, error["code"])
        assert f'id="{fragment}"' in page.text
    # An error without a code has nothing to be explained.
    assert "doc_url" not in http.get("/v1/nowhere").json()["error"]


def test_a_refused_request_is_found_by_the_url_in_its_answer(http: httpx.Client) -> None:
    answer = http.post("/v1/payment_intents", data={"amuont": "7", "amount": "many", "currency": "usd"})
    assert answer.status_code == 400
    url = answer.json()["error"]["request_log_url"]
    said = http.get(url.removeprefix(PUBLIC_URL)).json()
    assert said["status"] == 400
    assert said["error"]["code"] == "parameter_unknown"
    # The misspelt name is the client's own text.
    assert said["parameters"] == {"amount": "[redacted]", "currency": "usd"}


def test_reads_are_found_also_those_that_the_cache_answers(http: httpx.Client) -> None:
    made = http.post("/v1/customers", data={"name": "Jenny Rosen"}).json()
    path = f"/v1/customers/{made['id']}"
    answers = [http.get(path) for _ in range(3)]
    answers.append(http.head(path))
    answers.append(http.get(path, headers={"If-None-Match": answers[0].headers["etag"]}))
    for answer in answers:
        said = look_up(http, answer.headers["request-id"])
        assert (said["path"], said["status"], said["method"]) == (
            path,
            answer.status_code,
            answer.request.method,
        )
        assert said["api_key"] is not None
    listed = http.get(
        "/v1/customers", params={"limit": 3, "email": "jenny@example.com", "expand[]": "data.x"}
    )
    said = look_up(http, listed.headers["request-id"])
    assert said["parameters"] == {"limit": 3, "email": "[redacted]", "expand": ["data.x"]}


def test_only_the_tenant_and_mode_of_a_request_find_it(
    server: RunningServer, tenant: Tenant, http: httpx.Client
) -> None:
    made = http.post("/v1/customers").headers["request-id"]
    assert look_up(http, made)["id"] == made
    other = make_tenant(server.database_url)
    for key in (other.secret, tenant.live_secret):
        with open_client(server.url, key) as client:
            theirs = client.get(f"/v1/request_logs/{made}")
            nobodys = client.get(f"/v1/request_logs/req_{'0' * 24}")
            malformed = client.get("/v1/request_logs/x")
            assert theirs.status_code == nobodys.status_code == malformed.status_code == 404
            shown = [answer.json()["error"] for answer in (theirs, nobodys)]
            for error, asked in zip(shown, (made, f"req_{'0' * 24}"), strict=True):
                error["message"] = error["message"].replace(asked, "")
                del error["request_log_url"]
            assert shown[0] == shown[1]
    with open_client(server.url, tenant.publishable) as client:
        assert client.get(f"/v1/request_logs/{made}").status_code == 403


def test_requests_of_nobody_are_lines_and_no_rows(server: RunningServer, http: httpx.Client) -> None:
    with open_client(server.url, f"sk_test_{'x' * 40}") as stranger:
        answers = [
            stranger.get(f"/v1/nowhere/{NUMBER}"),
            stranger.post("/v1/payment_intents", data={"amount": "5"}),
            stranger.request("PATCH", "/v1/customers"),
        ]
    for answer, path, status in zip(
        answers,
        ("/v1/nowhere/[redacted]", "/v1/payment_intents", "/v1/customers"),
        (404, 401, 405),
        strict=True,
    ):
        line = wait_for_line(server, answer.headers["request-id"])
        assert (line["path"], line["status"]) == (path, status)
        assert "request_log_url" not in answer.text
        assert "tenant" not in line
    found = [answer.headers["request-id"] for answer in answers]
    assert not fetch(server.database_url, "select from request_log where request_id = any($1)", found)
