"""Requests that are wrong before anybody looks at their parameters: keys, routes, bodies, headers."""

import base64
import http.client
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from fastpay import limits
from fastpay.api.app import ROUTES
from tests.support.doors import H2, HTTP1
from tests.support.refusals import FORM, JSON, Bad, Database, check_error, check_refused, send
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant, make_tenant, revoke_all

DOORS = (HTTP1, H2)

INTENTS = "/v1/payment_intents"
PAYMENT = b"amount=5&currency=usd&payment_method=pm_card_visa&confirm=true"
OVER = limits.body_bytes_max + 1
# More than any path takes: the transport itself says no.
FAR_OVER = limits.body_bytes_max * limits.ledger_batch_body_factor + 1


def wrong_authorizations(key: str) -> Iterator[tuple[str, str | None]]:
    """Every way to be nobody."""
    basic = base64.b64encode(f":{key}".encode()).decode()
    yield "none", None
    yield "empty", ""
    yield "no scheme", key
    yield "another scheme", f"Digest {key}"
    yield "no key", "Bearer"
    yield "a key that nobody has", "Bearer sk_test_" + "x" * 42
    yield "one character less", f"Bearer {key[:-1]}"
    yield "one character more", f"Bearer {key}x"
    yield "another case", f"Bearer {key.swapcase()}"
    yield "the other mode", "Bearer " + key.replace("sk_test_", "sk_live_")
    yield "the other kind", "Bearer " + key.replace("sk_test_", "pk_test_")
    yield "two keys", f"Bearer {key} {key}"
    yield "with a comma", f"Bearer {key},"
    yield "a password", f"Basic {basic}"
    yield "base64 that is none", "Basic !!!"
    yield "basic of nothing", "Basic"
    yield "very long", "Bearer sk_test_" + "x" * 4000
    yield "nul", "Bearer sk_test_" + "\\u0000" * 8


def test_all_ways_to_be_nobody_are_answered_alike(
    http: httpx.Client, tenant: Tenant, database: Database
) -> None:
    before = database.counts()
    bodies = set()
    for name, authorization in wrong_authorizations(tenant.secret):
        headers = {} if authorization is None else {"Authorization": authorization}
        for method, path in (("POST", INTENTS), ("GET", "/v1/balance"), ("DELETE", "/v1/customers/cus_x")):
            answer = http.request(method, path, headers=headers)
            error = check_error(answer, 401)
            assert answer.headers["www-authenticate"].startswith("Bearer"), name
            assert tenant.secret not in answer.text
            assert "param" not in error
            bodies.add(answer.content)
    assert len(bodies) == 1
    assert database.counts() == before


def test_the_key_may_be_the_user_of_basic_authentication(http: httpx.Client, tenant: Tenant) -> None:
    for user, password in ((tenant.secret, ""), (tenant.secret, "anything")):
        assert http.get("/v1/balance", auth=(user, password)).status_code == 200
    assert http.get("/v1/balance", headers={"Authorization": f"bearer {tenant.secret}"}).status_code == 200


def test_a_revoked_key_is_as_wrong_as_any(server: RunningServer, http: httpx.Client) -> None:
    tenant = make_tenant(server.database_url)
    headers = {"Authorization": f"Bearer {tenant.secret}"}
    assert http.get("/v1/balance", headers=headers).status_code == 200
    revoke_all(server.database_url, tenant, livemode=False)
    # The server may remember a key for a bounded moment; longer than that would be wrong.
    deadline = time.monotonic() + 10 * limits.key_cache_ms / 1000
    while (answer := http.get("/v1/balance", headers=headers)).status_code == 200:
        assert time.monotonic() < deadline, "a revoked key still works"
        time.sleep(0.1)
    wrong = http.get("/v1/balance", headers={"Authorization": "Bearer sk_test_" + "x" * 42})
    assert check_error(answer, 401) == check_error(wrong, 401)
    assert (
        http.get("/v1/balance", headers={"Authorization": f"Bearer {tenant.live_secret}"}).status_code == 200
    )


def test_test_cards_are_no_money_in_live_mode(http: httpx.Client, tenant: Tenant, database: Database) -> None:
    headers = {"Authorization": f"Bearer {tenant.live_secret}"}
    before = database.counts()
    declined = check_error(
        http.post(
            INTENTS,
            data={
                "amount": "5",
                "currency": "usd",
                "payment_method": "pm_card_visa",
                "confirm": "true",
            },
            headers=headers,
        ),
        402,
    )
    assert declined["decline_code"] == "live_mode_test_card"
    check_error(
        http.post("/v1/payment_methods", data={"type": "card", "card[token]": "tok_visa"}, headers=headers),
        402,
    )
    assert database.counts() == before


def test_a_publishable_key_opens_no_route_that_needs_none(http: httpx.Client, tenant: Tenant) -> None:
    headers = {"Authorization": f"Bearer {tenant.publishable}"}
    for route in ROUTES:
        path = route.path.replace("{id}", "pi_" + "0" * 32).replace("{payment_method}", "pm_" + "0" * 32)
        answer = http.request(route.method, path, headers=headers)
        assert answer.status_code == (403 if not route.endpoint.policy.is_public else answer.status_code), (
            path
        )
        assert answer.status_code in {400, 403, 404}, path


@pytest.mark.parametrize(
    "path",
    [
        "/", "/v1", "/v1/", "/v1/nothing", "/v2/payment_intents", "/v1/payment_intents/",
        "/v1//payment_intents", "/V1/payment_intents", "/v1/payment_intents/a/b/c",
        "/v1/payment_intents/pi_x/refund",
        "/v1/%ff", "/" + "x" * 2000,
    ],
)  # fmt: skip
def test_an_unknown_route_is_not_found(http: httpx.Client, tenant: Tenant, path: str) -> None:
    for headers in ({}, {"Authorization": f"Bearer {tenant.secret}"}):
        for method in ("GET", "POST", "DELETE"):
            error = check_error(http.request(method, path, headers=headers), 404)
            assert "code" not in error


def test_a_wrong_method_says_which_are_right(http: httpx.Client, tenant: Tenant, database: Database) -> None:
    before = database.counts()
    allowed: dict[str, set[str]] = {}
    for route in ROUTES:
        allowed.setdefault(route.path, set()).add(route.method)
        if route.method == "GET":
            allowed[route.path].add("HEAD")
    for path, methods in allowed.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - methods:
            answer = http.request(
                method, path.replace("{id}", "x"), headers={"Authorization": f"Bearer {tenant.secret}"}
            )
            check_error(answer, 405)
            assert set(answer.headers["allow"].split(", ")) == methods
    assert database.counts() == before


def test_a_request_that_once_was_says_what_takes_its_place(http: httpx.Client, tenant: Tenant) -> None:
    key = {"Authorization": f"Bearer {tenant.secret}"}
    form = {"amount": "5", "currency": "usd", "source": "tok_visa"}
    error = check_error(http.post("/v1/charges", data=form, headers=key), 405)
    assert "POST /v1/payment_intents" in error["message"]


BODIES = [
    *(Bad(INTENTS, b"{}", content_type, status=415) for content_type in (
        "text/plain", "application/xml", "multipart/form-data; boundary=x", "application/jsonp", "json",
        "*/*", "application/json; charset=latin-1", "application/json; charset=utf-16",
        FORM + "; charset=iso-8859-1",
    )),
    Bad(INTENTS, PAYMENT, None, status=415),
    *(Bad(INTENTS, body, JSON) for body in (
        b"{", b"}", b"[", b"", b" ", b"nothing", b"5", b"[]", b"null", b'"amount"', b"{]", b"{'amount': 5}",
        b'{"amount": 5,}', b'{"amount": 05}', b'{"amount" 5}', b'{amount: 5}', b'{"amount": 5} {}',
        b'{"amount": NaN}', b'{"amount": Infinity}', b'{"a": "\xff"}', b'\xef\xbb\xbf{}', b'{"a": 5 /* b */}',
        '{"amount": 5}'.encode("utf-16"), PAYMENT,
        b"[" * 100_000, b'{"a":' * 10_000, b'{"metadata": {"a": ' + b"[" * 50 + b"]" * 50 + b"}}",
    )),
    Bad(INTENTS, b'{"amount": 5, "amount": 6, "currency": "usd"}', JSON, param="amount"),
    Bad(INTENTS, b'{"amount": 5, "metadata": {"a": "1", "a": "2"}}', JSON, param="metadata[a]"),
    Bad(INTENTS, b"amount=5&amount=6&currency=usd", param="amount"),
    Bad(INTENTS, b"amount=5&currency=usd&metadata[a]=1&metadata[a]=2", param="metadata[a]"),
    Bad(INTENTS, b"amount=5&currency=usd&metadata[a]=1&metadata=2", param="metadata"),
    Bad(INTENTS, b"amount=5&currency=usd&=5", param=None),
]  # fmt: skip


@pytest.mark.parametrize("bad", BODIES, ids=lambda bad: f"{bad.content_type} {bad.content[:40]!r}")
def test_a_body_that_cannot_be_read_is_refused(
    http: httpx.Client, tenant: Tenant, database: Database, bad: Bad
) -> None:
    if bad.param is not None or bad.status != 400:
        check_refused(http, tenant, database, bad)
        return
    before = database.counts()
    check_error(send(http, tenant.secret, bad, **{"Idempotency-Key": f"body {hash(bad.content)}"}), 400)
    assert database.counts() == before


@pytest.mark.parametrize(
    "content",
    [
        b"&".join(b"metadata[k%d]=v" % number for number in range(5_000)),
        b"&".join(b"k%d=v" % number for number in range(5_000)),
        b"&" * 100_000 + b"x",
        b"expand[]=customer&" * 5_000,
        b"a" + b"[b]" * 1_000 + b"=c",
        b"a" + b"[" * 1_000 + b"=c",
        b"a[" * 50_000,
        b"amount=5&currency=usd&description=" + b"x" * (limits.body_bytes_max - 100),
        b"%" * 10_000,
    ],
    ids=lambda content: f"{content[:20]!r} of {len(content)}",
)
def test_floods_of_fields_and_nesting_are_refused(
    http: httpx.Client, tenant: Tenant, database: Database, content: bytes
) -> None:
    before = database.counts()
    for content_type in (FORM, JSON):
        check_error(send(http, tenant.secret, Bad(INTENTS, content, content_type)), 400)
    assert database.counts() == before


@pytest.mark.parametrize(
    ("key", "is_good"),
    [
        ("", False), ("x" * 255, True), ("x" * 256, False), ('"' + "x" * 255 + '"', True),
        ('"' + "x" * 256 + '"', False), ('""', False), ('"open', False), ("caf\u00e9", False),
        ("a\tb", False), ("a b", True), ("~", True),
    ],
)  # fmt: skip
def test_an_idempotency_key_is_printable_and_not_too_long(
    http: httpx.Client, tenant: Tenant, database: Database, key: str, is_good: bool
) -> None:
    before = database.counts()
    headers = [
        ("Authorization", f"Bearer {tenant.secret}"),
        ("Idempotency-Key", key.encode("latin-1")),
        ("Content-Type", FORM),
    ]
    answer = http.post(INTENTS, content=b"amount=5&currency=usd", headers=headers)  # type: ignore[arg-type]
    if is_good:
        assert answer.status_code == 200
        return
    assert check_error(answer, 400)["code"] == "idempotency_key_invalid"
    assert "idempotency-key" not in answer.headers
    assert database.counts() == before


@pytest.mark.parametrize("name", ["Authorization", "Idempotency-Key", "Content-Type"])
def test_a_header_that_must_stand_once_stands_once(
    http: httpx.Client, tenant: Tenant, database: Database, name: str
) -> None:
    before = database.counts()
    headers = [
        ("Authorization", f"Bearer {tenant.secret}"), ("Idempotency-Key", "twice"), ("Content-Type", FORM),
    ]  # fmt: skip
    headers += [header for header in headers if header[0] == name]
    check_error(http.post(INTENTS, content=PAYMENT, headers=headers), 400)
    assert database.counts() == before


CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
TOO_LARGE = {
    "announced": (f"Content-Length: {FAR_OVER}", b"amount=5"),
    "chunk by chunk": ("Transfer-Encoding: chunked", CHUNK * (OVER // 65_536 + 1)),
}


@pytest.mark.parametrize(("framing", "body"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_body_that_is_too_large_is_refused_before_its_end(
    server: RunningServer, tenant: Tenant, database: Database, framing: str, body: bytes
) -> None:
    before = database.counts()
    place = urlsplit(server.url)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=20) as connection:
        head = (
            f"POST {INTENTS} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {tenant.secret}\r\n"
            f"Content-Type: {FORM}\r\n{framing}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 413
        assert str(answer.headers["Request-Id"]).startswith("req_")
        assert b'"invalid_request_error"' in answer.read()
    assert database.counts() == before


def test_the_largest_body_is_read(http: httpx.Client, tenant: Tenant) -> None:
    """A byte below the limit is refused for what it says, and not for its size."""
    body = b"amount=5&currency=usd&description="
    body += b"x" * (limits.body_bytes_max - len(body))
    error = check_error(send(http, tenant.secret, Bad(INTENTS, body)), 400)
    assert error["param"] == "description"
    check_error(send(http, tenant.secret, Bad(INTENTS, body + b"x")), 413)


def test_an_error_may_come_as_problem_details(http: httpx.Client, tenant: Tenant) -> None:
    headers = {"Authorization": f"Bearer {tenant.secret}", "Accept": "application/problem+json"}
    answer = http.post(INTENTS, data={"amount": "0", "currency": "usd"}, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    told = answer.json()
    assert (told["status"], told["code"], told["param"]) == (400, "amount_too_small", "amount")
    assert http.get("/nowhere", headers=headers).headers["content-type"] == "application/problem+json"
