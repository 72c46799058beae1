"""Webhook endpoints over HTTP: what is ours of them, and what is refused."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fastpay import limits
from tests.support.api import open_client, post
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant, make_tenant

PATH = "/v1/webhook_endpoints"
URL = "https://shop.example/webhooks"
DAY_S = 86_400


@pytest.fixture
def tenant(server: RunningServer) -> Tenant:
    return make_tenant(server.database_url)


@pytest.fixture
def http(server: RunningServer, tenant: Tenant) -> Iterator[httpx.Client]:
    with open_client(server.url, tenant.secret) as client:
        yield client


def make(http: httpx.Client, **more: str) -> Any:
    return post(http, PATH, **{"url": URL, "enabled_events[]": "*", **more})


def refused(answer: httpx.Response) -> tuple[int, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error.get("param")


def own(path: str, made: Any) -> str:
    return f"{PATH}/{made['id']}{path}"


def test_settings_of_ours_are_kept_and_shown(http: httpx.Client) -> None:
    ours = {
        "fastpay[order]": "strict",
        "fastpay[payload]": "thin",
        "fastpay[requests_per_second]": "50",
        "fastpay[headers][Authorization]": "Bearer abc",
        "fastpay[start_after_sequence]": "0",
    }
    made = make(http, **ours)
    shown = http.get(own("", made)).json()["fastpay"]
    assert shown["order"] == "strict"
    assert shown["payload"] == "thin"
    assert shown["requests_per_second"] == 50
    assert shown["headers"] == made["fastpay"]["headers"] == {"Authorization": "Bearer abc"}
    assert shown["start_after_sequence"] == 0
    listed = http.get(PATH).json()["data"]
    later = [post(http, own(path, made)) for path in ("", "/enable", "/ping", "/rotate_secret")]
    assert all(one["fastpay"]["headers"] == shown["headers"] for one in (*listed, *later))
    changed = post(http, own("", made), **{"fastpay[requests_per_second]": "", "fastpay[headers]": ""})
    assert (changed["fastpay"]["requests_per_second"], changed["fastpay"]["headers"]) == (None, {})
    assert changed["fastpay"]["order"] == "strict"


def test_an_endpoint_starts_where_the_sequence_is(http: httpx.Client) -> None:
    before = http.get("/v1/events", params={"after_sequence": "0"}).json()["through_sequence"]
    assert make(http)["fastpay"]["start_after_sequence"] == before
    answer = http.post(
        PATH, data={"url": URL, "enabled_events[]": "*", "fastpay[start_after_sequence]": "9000"}
    )
    assert refused(answer) == (400, "fastpay[start_after_sequence]")


def test_a_secret_is_rotated_with_an_overlap(http: httpx.Client) -> None:
    made = make(http)
    first = post(http, own("/rotate_secret", made), overlap_seconds=str(DAY_S))
    second = post(http, own("/rotate_secret", made))
    assert len({made["secret"], first["secret"], second["secret"]}) == 3
    assert refused(http.post(own("/rotate_secret", made), data={"overlap_seconds": str(DAY_S + 1)})) == (
        400,
        "overlap_seconds",
    )
    for _ in range(3):
        post(http, own("/rotate_secret", made), overlap_seconds="60")
    answer = http.post(own("/rotate_secret", made), data={"overlap_seconds": "60"})
    assert refused(answer) == (400, "overlap_seconds")


def test_a_ping_is_an_event_about_the_endpoint_and_hides_its_headers(http: httpx.Client) -> None:
    made = make(http, **{"fastpay[headers][Authorization]": "Bearer hidden"})
    assert post(http, own("/ping", made))["id"] == made["id"]
    answer = http.get("/v1/events", params={"type": "webhook_endpoint.ping"})
    (event,) = answer.json()["data"]
    assert event["data"]["object"]["id"] == made["id"]
    assert "hidden" not in answer.text
    assert made["secret"] not in answer.text
    post(http, own("", made), disabled="true")
    assert refused(http.post(own("/ping", made))) == (400, "webhook_endpoint")
    assert post(http, own("/enable", made))["status"] == "enabled"


def test_a_replay_is_of_a_range_or_of_one_event(http: httpx.Client) -> None:
    made = make(http)
    post(http, "/v1/customers", name="Ada")
    (event,) = http.get("/v1/events").json()["data"]
    one = post(http, own("/replay", made), event=event["id"])
    assert (one["from_sequence"], one["to_sequence"], one["event"]) == (
        event["sequence"],
        event["sequence"],
        event["id"],
    )
    some = post(http, own("/replay", made), **{"from_sequence": "1", "types[]": "customer.*"})
    assert (some["from_sequence"], some["types"]) == (1, ["customer.*"])
    assert some["to_sequence"] >= event["sequence"]
    listed = http.get(own("/replays", made)).json()["data"]
    assert listed == [some, one]
    for params, param in (
        ({}, "from_sequence"),
        ({"event": event["id"], "from_sequence": "1"}, "from_sequence"),
        ({"event": event["id"], "types[]": "*"}, "types"),
        ({"event": "evt_" + "0" * 32}, "event"),
        ({"event": "no"}, "event"),
        ({"from_sequence": "5", "to_sequence": "4"}, "from_sequence"),
        ({"from_sequence": "1", "to_sequence": "99999"}, "to_sequence"),
        ({"from_sequence": "0"}, "from_sequence"),
    ):
        assert refused(http.post(own("/replay", made), data=params)) == (400, param), params


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/",
        "shop.example/webhooks",
        "https://",
        "https:///hooks",
        "https://user:password@shop.example/",
        "https://shop.example:99999/",
        "https://shop.example:0/",
        "https://shop.example/a b",
        "https://shop.example/ä",
        "https://[::1/",
        "https://shop.example\\@inside/",
        "https://" + "a" * 2_050,
    ],
)
def test_a_url_that_nothing_can_be_sent_to_is_refused(http: httpx.Client, url: str) -> None:
    assert refused(http.post(PATH, data={"url": url, "enabled_events[]": "*"})) == (400, "url")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "a") for name in ("Host", "content-type", "Content-Length", "Stripe-Signature")),
        *(
            (name, "a")
            for name in ("Webhook-Id", "fastpay-sequence", "Transfer-Encoding", "connection", "TE")
        ),
        *((name, "a") for name in ("User-Agent", "Proxy-Authorization", "X-Forwarded-For", "na me", "ä")),
        *(("X-Own", value) for value in ("a\r\nHost: b", "a\0", " a", "", "ä", "a" * 501)),
    ],
)
def test_a_header_of_ours_or_of_the_connection_is_refused(http: httpx.Client, name: str, value: str) -> None:
    params = {"url": URL, "enabled_events[]": "*", f"fastpay[headers][{name}]": value}
    status, param = refused(http.post(PATH, data=params))
    assert status == 400
    assert param is not None
    assert param.startswith("fastpay[headers]")


def test_headers_are_few_and_each_is_given_once(http: httpx.Client) -> None:
    params = {"url": URL, "enabled_events": ["*"]}
    for headers in ({f"X-{number}": "a" for number in range(17)}, {"X-Own": "a", "x-own": "b"}):
        answer = http.post(PATH, json={**params, "fastpay": {"headers": headers}})
        assert refused(answer) == (400, "fastpay[headers]")


@pytest.mark.parametrize("events", ["", "Charge.succeeded", "charge.", "**", "*.succeeded", "charge*"])
def test_a_pattern_that_means_no_events_is_refused(http: httpx.Client, events: str) -> None:
    status, _ = refused(http.post(PATH, data={"url": URL, "enabled_events[]": events}))
    assert status == 400


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("charge.suceeded", " Did you mean charge.succeeded?"),
        ("charge.disputes.*", " Did you mean charge.dispute.closed?"),
        ("payment_method.created", " Did you mean payment_method.updated?"),
    ],
)
def test_a_type_that_there_is_not_is_refused_with_the_nearest(
    http: httpx.Client, name: str, hint: str
) -> None:
    wrong = {"enabled_events[0]": "*", "enabled_events[1]": name}
    error = http.post(PATH, data={"url": URL, **wrong}).json()["error"]
    assert error["param"] == "enabled_events[1]"
    assert error["message"] == f"There are no events of the type '{name}'.{hint}"
    kept = make(http)
    assert refused(http.post(own("", kept), data=wrong)) == (400, "enabled_events[1]")


def test_types_of_what_is_not_served_are_accepted(http: httpx.Client) -> None:
    names = ["invoice.paid", "customer.subscription.updated", "checkout.session.completed", "topup.*"]
    shown = http.post(PATH, json={"url": URL, "enabled_events": names})
    assert shown.json()["enabled_events"] == names


def test_live_endpoints_are_https_and_no_connected_accounts_have_any(
    server: RunningServer, http: httpx.Client, tenant: Tenant
) -> None:
    assert make(http, url="http://shop.example/")["livemode"] is False
    with open_client(server.url, tenant.live_secret) as live:
        answer = live.post(PATH, data={"url": "http://shop.example/", "enabled_events[]": "*"})
        assert refused(answer) == (400, "url")
        assert make(live)["livemode"] is True
    answer = http.post(PATH, data={"url": URL, "enabled_events[]": "*", "connect": "true"})
    assert refused(answer) == (400, "connect")
    assert make(http, connect="false")["status"] == "enabled"


def test_a_tenant_has_so_many_endpoints_and_repeated_requests_are_answered_all_the_same(
    http: httpx.Client,
) -> None:
    params = {"url": URL, "enabled_events[]": "topup.*"}
    first = http.post(PATH, data=params, headers={"Idempotency-Key": "first"})
    for _ in range(limits.webhook_endpoints_max - 1):
        make(http, **{"enabled_events[]": "topup.*"})
    full = http.post(PATH, data=params)
    assert (full.status_code, full.json()["error"]["code"]) == (400, "webhook_endpoints_exceeded")
    again = http.post(PATH, data=params, headers={"Idempotency-Key": "first"})
    assert (again.status_code, again.content) == (200, first.content)
    assert http.delete(own("", first.json())).status_code == 200
    assert http.post(PATH, data=params).status_code == 200


def test_attempts_are_listed_and_filtered(http: httpx.Client) -> None:
    made = make(http)
    answer = http.get(own("/attempts", made), params={"success": "false", "sequence": "5", "limit": "3"})
    assert answer.json() == {"object": "list", "url": own("/attempts", made), "has_more": False, "data": []}
    assert refused(http.get(own("/attempts", made), params={"event": "no"})) == (400, "event")
    assert refused(http.get(own("/attempts", made), params={"starting_after": "no"})) == (
        400,
        "starting_after",
    )
    assert http.get(f"{PATH}/we_{'0' * 32}/attempts").status_code == 404
