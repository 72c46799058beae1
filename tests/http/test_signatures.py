"""Signed requests over real protocols: exactly what was sent counts, and seeing one twice changes nothing."""

import concurrent.futures
import itertools
import ssl
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fastpay.signing import HEADER, HttpxAuth, RequestSigner, sign_request
from tests.support.api import open_client
from tests.support.doors import H2, HTTP1, Certificate
from tests.support.servers import RunningServer
from tests.support.signers import SigningKey, make_signing_key

DOORS = (HTTP1, H2)

INTENTS = "/v1/payment_intents"
FORM = {"content-type": "application/x-www-form-urlencoded"}
NUMBERS = itertools.count(1)


def payment() -> bytes:
    """Return the form of a payment like no other: what was signed has to be new."""
    marked = f"amount=5&currency=usd&payment_method=pm_card_visa&confirm=true&description=n{next(NUMBERS)}"
    return marked.encode()


@pytest.fixture(scope="module")
def signing(server: RunningServer) -> SigningKey:
    """A key that must sign."""
    return make_signing_key(server)


@pytest.fixture
def client(http: httpx.Client, signing: SigningKey) -> httpx.Client:
    """The door's client, with the API key and no signature."""
    http.headers["authorization"] = f"Bearer {signing.key}"
    return http


def count(client: httpx.Client, signing: SigningKey) -> int:
    """Return how many of the newest hundred payments there are."""
    listed = client.get(INTENTS, params={"limit": "100"}, auth=HttpxAuth(signing.secret))
    assert listed.status_code == 200
    return len(listed.json()["data"])


def post(client: httpx.Client, signature: str | None, body: Any, **headers: str) -> httpx.Response:
    own = FORM | ({} if signature is None else {HEADER: signature})
    return client.post(INTENTS, content=body, headers=own | headers)


def test_the_auth_class_signs_a_life_of_a_payment(client: httpx.Client, signing: SigningKey) -> None:
    auth = HttpxAuth(signing.secret, api_key=signing.key)
    made = client.post(
        INTENTS, content=payment(), headers=FORM | {"idempotency-key": f"life {next(NUMBERS)}"}, auth=auth
    )
    assert made.status_code == 200
    path = f"{INTENTS}/{made.json()['id']}"
    expanded = (f"{path}?expand[]=customer", f"{path}?expand%5B%5D=customer")
    for url in (path, *expanded, f"{INTENTS}?", "/v1/balance"):
        assert client.get(url, auth=auth).status_code == 200, url
        assert client.get(url).status_code == 401, url
    # Without a key, it must not be signed like that of the other door in the same second.
    email = f"ä{next(NUMBERS)}@example.com"
    customer = client.post("/v1/customers", json={"email": email}, auth=auth).json()
    assert client.delete(f"/v1/customers/{customer['id']}", auth=auth).json()["deleted"] is True


def test_all_refusals_are_alike(client: httpx.Client, signing: SigningKey) -> None:
    body, before = payment(), count(client, signing)
    good = sign_request(signing.secret, "POST", INTENTS, body)
    now = int(time.time())
    wrong: list[str | None] = [
        None,
        "",
        good[:-1],
        good.replace(",", ", "),
        good.replace("v2=", "v0="),
        good.replace("v2=", "v1="),
        sign_request(signing.secret, "POST", INTENTS, body, idempotency_key="order"),
        good + ",t=1",
        f"{good}, {good}",
        sign_request(signing.secret, "PUT", INTENTS, body),
        sign_request(signing.secret, "POST", INTENTS + "?", body),
        sign_request(signing.secret, "POST", "/v1/payment%5Fintents", body),
        sign_request(signing.secret, "POST", INTENTS, body + b" "),
        sign_request(signing.secret, "POST", INTENTS),
        sign_request("fpss_another", "POST", INTENTS, body),
        sign_request(signing.key, "POST", INTENTS, body),
        sign_request(signing.secret, "POST", INTENTS, body, timestamp=now - 302),
        sign_request(signing.secret, "POST", INTENTS, body, timestamp=now + 310),
    ]
    answers = [post(client, signature, body) for signature in wrong]
    client.headers["authorization"] = "Bearer sk_test_" + "x" * 42
    answers.append(post(client, good, body))
    client.headers["authorization"] = f"Bearer {signing.key}"
    seen = set()
    for answer in answers:
        assert answer.status_code == 401
        kept = {name: value for name, value in answer.headers.items() if name not in {"request-id", "date"}}
        seen.add((answer.content, tuple(kept.items())))
    assert len(seen) == 1
    assert count(client, signing) == before
    assert post(client, good, body).status_code == 200


def test_no_bit_of_the_header_may_change_on_its_way(client: httpx.Client, signing: SigningKey) -> None:
    good = sign_request(signing.secret, "GET", "/v1/balance").encode()
    told = set()
    for place in range(8 * len(good)):
        changed = bytearray(good)
        changed[place // 8] ^= 1 << place % 8
        if changed[place // 8] < 0x20 or changed[place // 8] == 0x7F:
            continue  # HTTP itself forbids these: see tests/support/http1_cases.py.
        if changed != changed.strip():
            continue  # Spaces at the ends are no part of a value (RFC 9110 5.5), and the client sends none.
        answer = client.get("/v1/balance", headers={HEADER.encode(): bytes(changed)})
        told.add((answer.status_code, answer.content))
    assert [status for status, _ in told] == [401]
    assert client.get("/v1/balance", headers={HEADER.encode(): good}).status_code == 200


def test_the_clock_may_be_wrong_by_300_seconds(client: httpx.Client, signing: SigningKey) -> None:
    for skew in (-298, 300):
        body = payment()
        signature = sign_request(signing.secret, "POST", INTENTS, body, timestamp=int(time.time()) + skew)
        assert post(client, signature, body).status_code == 200


def test_a_header_sent_twice_is_refused_like_any_other(client: httpx.Client, signing: SigningKey) -> None:
    body = payment()
    good = sign_request(signing.secret, "POST", INTENTS, body)
    plain = post(client, None, body)
    for pair in ((good, good), tuple(good.split(",")), (good, "v0=x"), ("", good)):
        headers = [*FORM.items(), *((HEADER, value) for value in pair)]
        refused = client.post(INTENTS, content=body, headers=headers)
        assert (refused.status_code, refused.content) == (401, plain.content), pair
    assert post(client, good, body).status_code == 200


@pytest.mark.parametrize(
    ("signed", "sent", "accepted"),
    [
        ("/v1/customers?email=a%40b.c", "/v1/customers?email=a%40b.c", True),
        ("/v1/customers?email=a@b.c", "/v1/customers?email=a@b.c", True),
        ("/v1/customers?email=a%40b.c", "/v1/customers?email=a@b.c", False),
        ("/v1/customers?email=a%2Fb", "/v1/customers?email=a%2fb", False),
        ("/v1/customers?limit=1&", "/v1/customers?limit=1&", True),
        ("/v1/customers?limit=1&", "/v1/customers?limit=1", False),
        ("/v1/customers?", "/v1/customers?", True),
        ("/v1/customers?", "/v1/customers", False),
        ("/v1/customers", "/v1/customers?", False),
        ("/v1/customer%73", "/v1/customer%73", True),
        ("/v1/customer%73", "/v1/customers", False),
        ("/v1/customers", "/v1/customer%73", False),
    ],
)
def test_the_target_counts_as_it_was_sent(
    client: httpx.Client, signing: SigningKey, signed: str, sent: str, accepted: bool
) -> None:
    request = client.build_request("GET", sent)
    # httpx would put some of these into another form.
    request.url = httpx.URL(str(client.base_url)).copy_with(raw_path=sent.encode())
    assert request.url.raw_path == sent.encode()
    request.headers[HEADER] = sign_request(signing.secret, "GET", signed)
    assert client.send(request).status_code == (200 if accepted else 401)


@pytest.mark.parametrize("size", [1, 40, 70_000])
def test_a_body_that_comes_in_pieces_counts_as_a_whole(
    client: httpx.Client, signing: SigningKey, size: int
) -> None:
    body = payment()

    def pieces(text: bytes) -> Iterator[bytes]:
        for start in range(0, len(text), size):
            yield text[start : start + size]

    good = sign_request(signing.secret, "POST", INTENTS, body)
    assert post(client, good, pieces(body[:-1] + b"y")).status_code == 401
    assert post(client, good, pieces(body)).status_code == 200


def test_a_large_signed_body_is_read_in_whole(client: httpx.Client, signing: SigningKey) -> None:
    body = b"description=" + b"x" * 300_000
    answer = post(client, sign_request(signing.secret, "POST", INTENTS, body), body)
    assert answer.status_code == 400
    assert post(client, sign_request(signing.secret, "POST", INTENTS, body), body + b"x").status_code == 401


def test_a_get_with_a_body_is_refused_unless_that_was_signed(
    client: httpx.Client, signing: SigningKey
) -> None:
    signature = {HEADER: sign_request(signing.secret, "GET", "/v1/balance")}
    assert client.request("GET", "/v1/balance", headers=signature).status_code == 200
    assert client.request("GET", "/v1/balance", headers=signature, content=b"x").status_code == 401


def test_a_head_has_to_be_signed_as_one(client: httpx.Client, signing: SigningKey) -> None:
    assert client.head("/v1/balance", auth=HttpxAuth(signing.secret)).status_code == 200
    assert client.head("/v1/balance").status_code == 401
    for method, other in (("HEAD", "GET"), ("GET", "HEAD")):
        signature = {HEADER: sign_request(signing.secret, other, "/v1/balance")}
        assert client.request(method, "/v1/balance", headers=signature).status_code == 401


def test_other_methods_are_answered_before_anybody_signs(client: httpx.Client, signing: SigningKey) -> None:
    for method in ("PUT", "PATCH"):
        assert client.request(method, "/v1/balance", auth=HttpxAuth(signing.secret)).status_code == 405
        assert client.request(method, "/v1/balance").status_code == 405


def test_seen_twice_with_a_key_it_is_answered_and_without_one_refused(
    client: httpx.Client, signing: SigningKey
) -> None:
    body, before = payment(), count(client, signing)
    name = f"twice {body[-5:].decode()}"
    good = sign_request(signing.secret, "POST", INTENTS, body, idempotency_key=name)
    named = {"idempotency-key": name}
    first, second = (post(client, good, body, **named) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content
    assert second.headers["idempotent-replayed"] == "true"
    body = payment()
    good = sign_request(signing.secret, "POST", INTENTS, body)
    assert [post(client, good, body).status_code for _ in range(3)] == [200, 401, 401]
    assert count(client, signing) == before + 2


def test_a_key_that_can_sign_need_not_but_then_rightly(http: httpx.Client, server: RunningServer) -> None:
    can = make_signing_key(server, must_sign=False)
    headers = {"authorization": f"Bearer {can.key}"}
    assert http.get("/v1/balance", headers=headers).status_code == 200
    good = sign_request(can.secret, "GET", "/v1/balance")
    assert http.get("/v1/balance", headers=headers | {HEADER: good}).status_code == 200
    assert http.get("/v1/balance", headers=headers | {HEADER: good[:-1] + "!"}).status_code == 401
    assert http.get("/v1/balance", headers=headers | {HEADER: ""}).status_code == 401


def test_two_instances_take_what_was_signed_without_a_key_once_between_them(
    server: RunningServer, tls_server: RunningServer, certificate: Certificate
) -> None:
    signing = make_signing_key(server)
    signer = RequestSigner(signing.secret)
    trust = ssl.create_default_context(cafile=certificate.cert)
    with (
        open_client(server.url, signing.key) as one,
        open_client(tls_server.url, signing.key, verify=trust) as other,
        concurrent.futures.ThreadPoolExecutor(8) as pool,
    ):
        for _ in range(3):
            body = payment()
            good = signer.sign("POST", INTENTS, body)
            sent = [pool.submit(post, client, good, body) for client in (one, other) * 8]
            statuses = sorted(future.result().status_code for future in sent)
            assert statuses == [200] + [401] * 15
        assert count(one, signing) == 3


def test_no_secret_and_no_signature_is_in_the_servers_own_words(
    client: httpx.Client, signing: SigningKey, server: RunningServer
) -> None:
    body = payment()
    good = sign_request(signing.secret, "POST", INTENTS, body)
    assert post(client, good + "x", body).status_code == 401
    assert post(client, good, body).status_code == 200
    for word in (signing.secret, signing.key, good[-64:]):
        assert word not in server.output
