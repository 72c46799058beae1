"""Signed requests: what is taken, that all else is one and the same 401, and what seeing one twice does."""

import asyncio
import itertools
from typing import Any

import httpx
import pytest

from fastpay.engine.write.idempotency import signature_key
from tests.reference import signature as oracle
from tests.unit.api.fake_keys import (
    CAN_SIGN,
    CANNOT_SIGN,
    MUST_SIGN,
    OLD_SIGNING_SECRET,
    SIGNING_SECRET,
)
from tests.unit.api.fakes import NOW_MS, SECRET, Api

NOW = NOW_MS // 1000
PATH = "/v1/payment_intents"
FORM = "amount=2000&currency=usd&payment_method=pm_card_visa&confirm=true"
NUMBERS = itertools.count(1)


def sign(
    method: str = "POST",
    target: str = PATH,
    body: str = FORM,
    *,
    at: int = NOW,
    secrets: tuple[bytes, ...] = (SIGNING_SECRET,),
    named: str = "",
) -> str:
    """Sign a request that has this idempotency key."""
    return oracle.signed(secrets, method, target.encode(), body.encode(), at, named.encode())


def sign_first(body: str = FORM, *, at: int = NOW, secrets: tuple[bytes, ...] = (SIGNING_SECRET,)) -> str:
    """Sign in the first version, which leaves the idempotency key open."""
    return oracle.signed_first(secrets, "POST", PATH.encode(), body.encode(), at)


GOOD = sign()
V2 = GOOD.partition(",")[2]
FIRST = sign_first()


def send(api: Api, header: str | None, *, key: str = MUST_SIGN, **more: Any) -> httpx.Response:
    """Send the payment of these tests, without an idempotency key."""
    headers = dict(more.pop("headers", {}))
    if header is not None:
        headers["fastpay-signature"] = header
    return api.send(
        more.pop("method", "POST"), more.pop("path", PATH), more.pop("form", FORM), key=key, headers=headers
    )


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.mark.parametrize("key", [MUST_SIGN, CAN_SIGN])
@pytest.mark.parametrize(
    "header",
    [
        GOOD,
        sign(secrets=(OLD_SIGNING_SECRET,)),
        sign(secrets=(OLD_SIGNING_SECRET, SIGNING_SECRET)),
        sign(secrets=(b"another", SIGNING_SECRET)),
        GOOD + ",v0=x",
        f"{V2},t={NOW}",
        GOOD + "," + FIRST.partition(",")[2],
        GOOD + ",v1=" + "0" * 64,
        sign(at=NOW - 300),
        sign(at=NOW + 300),
    ],
)
def test_a_signed_request_is_taken(api: Api, key: str, header: str) -> None:
    assert send(api, header, key=key).status_code == 200


def test_a_key_that_need_not_sign_is_taken_without(api: Api) -> None:
    assert send(api, None, key=CAN_SIGN).status_code == 200


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    ("t", {}),
    (GOOD[:-1], {}),
    (GOOD + " ", {"headers": {}}),
    (GOOD.replace(",", ", "), {}),
    (GOOD.upper(), {}),
    (GOOD + "," + GOOD, {}),
    (f"t={NOW}", {}),
    (V2, {}),
    (GOOD.replace("v2=", "v0="), {}),
    (GOOD.replace("v2=", "v1="), {}),
    (FIRST, {}),
    (FIRST, {"headers": {"idempotency-key": "k"}}),
    (FIRST.replace("v1=", "v2="), {}),
    (FIRST + ",v2=" + "0" * 64, {"key": CAN_SIGN}),
    (GOOD, {"headers": {"idempotency-key": "k"}}),
    (sign(named="k"), {}),
    (sign(named="k"), {"headers": {"idempotency-key": '"k"'}}),
    (sign(at=NOW - 301), {}),
    (sign(at=NOW + 301), {}),
    (sign(at=0), {}),
    (sign(secrets=(b"another",)), {}),
    (sign("PUT"), {}),
    (sign(target=PATH + "?"), {}),
    (sign(target="//v1/payment_intents"), {}),
    (sign(target="/v1/payment%5Fintents"), {}),
    (sign(body=""), {}),
    (GOOD, {"form": FORM.replace("2000", "2001")}),
    (GOOD, {"form": FORM + "&"}),
    (GOOD, {"path": PATH + "?expand[]=customer"}),
    (sign(), {"key": SECRET}),
    (sign(), {"key": CANNOT_SIGN}),
    (sign(), {"key": "sk_test_nobody_has_this_one"}),
    (sign("POST", "/v1/refunds"), {}),
]


def test_every_refusal_is_the_same_to_the_byte_but_for_its_name(api: Api) -> None:
    seen = {_without_name(send(api, None, headers={}))}
    for header, how in REFUSED:
        refused = send(api, header, **{"headers": {}, **how})
        assert refused.status_code == 401, header
        seen.add(_without_name(refused))
    assert len(seen) == 1
    assert api.engine.submissions == []


@pytest.mark.parametrize(
    "pair", [(GOOD, GOOD), (f"t={NOW}", V2), (GOOD, ""), ("", GOOD), (GOOD, "v0=x"), ("v0=x", GOOD)]
)
def test_a_header_that_was_sent_twice_is_refused_even_if_it_is_right(api: Api, pair: tuple[str, str]) -> None:
    headers = [
        ("authorization", f"Bearer {MUST_SIGN}"),
        ("content-type", "application/x-www-form-urlencoded"),
    ]
    headers += [("fastpay-signature", value) for value in pair]

    async def exchange() -> httpx.Response:
        transport = httpx.ASGITransport(api.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://fastpay") as client:
            return await client.post(PATH, headers=headers, content=FORM)

    refused = asyncio.run(exchange())
    assert _without_name(refused) == _without_name(send(api, None, headers={}))


def _without_name(response: httpx.Response) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
    own = {b"request-id", b"idempotency-key"}
    kept = [(name, value) for name, value in response.headers.raw if name.lower() not in own]
    return response.content, tuple(kept)


def test_the_body_of_a_get_counts_as_well(api: Api) -> None:
    header = sign("GET", "/v1/balance", "")
    assert api.send("GET", "/v1/balance", key=MUST_SIGN, headers={"fastpay-signature": header}).is_success
    refused = api.send("GET", "/v1/balance", "x", key=MUST_SIGN, headers={"fastpay-signature": header})
    assert refused.status_code == 401


@pytest.mark.parametrize(
    "target",
    [
        "/v1/customers?limit=3&email=a%40b.c",
        "/v1/customers?email=a@b.c",
        "/v1/customers?email=%61",
        "/v1/customers",
    ],
)
def test_the_query_is_signed_as_it_is_sent(api: Api, target: str) -> None:
    header = {"fastpay-signature": sign("GET", target, "")}
    assert api.send("GET", target, key=MUST_SIGN, headers=header).status_code == 200
    for other in (target.replace("%40", "@"), target.replace("@", "%40"), target.replace("%61", "a")):
        if other != target:
            assert api.send("GET", other, key=MUST_SIGN, headers=header).status_code == 401


def test_the_prefix_that_a_proxy_took_off_is_signed_as_well() -> None:
    api = Api()
    target = "/payments/v1/balance?"
    header = (b"fastpay-signature", sign("GET", target, "").encode())
    key = (b"authorization", f"Bearer {MUST_SIGN}".encode())
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/balance",
        "raw_path": b"/v1/balance",
        "query_string": b"",
        "fastpay.target": b"/v1/balance?",
        "headers": [key, header],
    }

    async def ask(**more: Any) -> int:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await api.app({**scope, **more}, receive, send)
        status: int = sent[0]["status"]
        return status

    assert asyncio.run(ask(root_path="/payments")) == 200
    assert asyncio.run(ask(root_path="/payment")) == 401
    assert asyncio.run(ask(root_path="")) == 401
    assert asyncio.run(ask()) == 401
    assert asyncio.run(ask(root_path="/payments", **{"fastpay.target": b"/v1/balance"})) == 401


def test_a_delete_is_signed_too(api: Api) -> None:
    made = send(api, sign("POST", "/v1/customers", ""), path="/v1/customers", form="").json()
    target = f"/v1/customers/{made['id']}"
    assert api.send("DELETE", target, key=MUST_SIGN).status_code == 401
    header = {"fastpay-signature": sign("DELETE", target, "")}
    assert api.send("DELETE", target, key=MUST_SIGN, headers=header).json()["deleted"] is True


def test_seen_twice_with_an_idempotency_key_it_gets_the_first_answer(api: Api) -> None:
    named = {"idempotency-key": "order-1"}
    header = sign(named="order-1")
    first, second = send(api, header, headers=named), send(api, header, headers=named)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content
    assert second.headers["idempotent-replayed"] == "true"


def test_seen_twice_without_an_idempotency_key_it_is_refused(api: Api) -> None:
    first, second = send(api, GOOD, headers={}), send(api, GOOD, headers={})
    assert first.status_code == 200
    assert second.status_code == 401
    assert second.content == send(api, None, headers={}).content
    assert "idempotent-replayed" not in second.headers
    listing = {"fastpay-signature": sign("GET", PATH, "")}
    assert len(api.get(PATH, key=MUST_SIGN, headers=listing)["data"]) == 1
    assert send(api, sign(at=NOW + 1), headers={}).status_code == 200


@pytest.mark.parametrize(
    "again",
    [
        f"{V2},t={NOW}",
        GOOD + ",v0=x",
        GOOD + ",v2=" + "0" * 64,
        GOOD + "," + FIRST.partition(",")[2],
        sign(secrets=(OLD_SIGNING_SECRET,)),
        sign(secrets=(OLD_SIGNING_SECRET, SIGNING_SECRET)),
    ],
)
def test_another_header_for_the_same_request_does_not_carry_it_out_again(api: Api, again: str) -> None:
    assert send(api, GOOD, headers={}).status_code == 200
    assert send(api, again, headers={}).status_code == 401
    assert len(api.engine.submissions) == 2


def test_other_requests_of_the_same_second_are_other_requests(api: Api) -> None:
    target = send(api, sign("POST", "/v1/customers", ""), path="/v1/customers", form="", headers={}).json()[
        "id"
    ]
    other = send(api, None, key=CAN_SIGN, path="/v1/customers", form="", headers={}).json()["id"]
    assert target != other
    for form in ("name=a", "name=b"):
        for path in ("/v1/customers", f"/v1/customers/{target}"):
            header = sign("POST", path, form)
            answers = [send(api, header, path=path, form=form, headers={}).status_code for _ in range(2)]
            assert answers == [200, 401], (path, form)


def test_what_is_no_post_may_come_again(api: Api) -> None:
    """Deleting twice is deleting, and the SDK sends no idempotency key with it."""
    made = send(api, sign("POST", "/v1/customers", ""), path="/v1/customers", form="", headers={}).json()[
        "id"
    ]
    path = f"/v1/customers/{made}"
    header = {"fastpay-signature": sign("DELETE", path, "")}
    answers = [api.send("DELETE", path, key=MUST_SIGN, headers=header).status_code for _ in range(2)]
    assert answers == [200, 404]


def test_what_was_refused_by_the_parameters_may_come_again(api: Api) -> None:
    bad = "amount=-1&currency=usd"
    for _ in range(2):
        assert send(api, sign(body=bad), form=bad, headers={}).status_code == 400


def test_no_idempotency_key_of_a_client_can_stand_for_a_signature(api: Api) -> None:
    assert send(api, GOOD, headers={}).status_code == 200
    taken = signature_key(api.engine.submissions[0])
    assert taken is not None
    for key, status in ((taken, 400), (f'"{taken}"', 400), (taken.strip(), 200)):
        response = send(api, sign(at=NOW + 1, named=key), headers={"idempotency-key": key})
        assert response.status_code == status
        assert "idempotent-replayed" not in response.headers


@pytest.mark.parametrize("own", ["order-1", None])
def test_the_first_version_is_bound_to_the_key_that_it_came_with(api: Api, own: str | None) -> None:
    def replay(header: str, key: str | None) -> httpx.Response:
        return send(api, header, key=CAN_SIGN, headers={} if key is None else {"idempotency-key": key})

    assert replay(FIRST, own).status_code == 200
    refused = _without_name(send(api, None))
    for other in ("another", "another still", *([None] if own else ["order-1"])):
        assert _without_name(replay(FIRST, other)) == refused, other
    # The same key in another spelling is the same key.
    if own is not None:
        for spelling in (own, f'"{own}"'):
            assert replay(FIRST, spelling).headers["idempotent-replayed"] == "true"
    assert replay(sign_first(at=NOW + 1), "another").status_code == 200


def test_a_second_version_beside_the_first_does_not_leave_that_free(api: Api) -> None:
    both = sign(named="order-1") + "," + FIRST.partition(",")[2]
    assert send(api, both, key=CAN_SIGN, headers={"idempotency-key": "order-1"}).status_code == 200
    for headers in ({"idempotency-key": "another"}, {}):
        assert send(api, FIRST, key=CAN_SIGN, headers=headers).status_code == 401


def test_a_submission_has_what_was_signed_where_the_key_is_open(api: Api) -> None:
    named = {"idempotency-key": "order-1"}
    assert send(api, GOOD).status_code == 200
    assert send(api, sign(at=NOW + 1, named="order-1"), headers=named).status_code == 200
    assert send(api, sign_first(at=NOW + 2), key=CAN_SIGN, headers=named).status_code == 200
    assert send(api, None, key=CAN_SIGN).status_code == 200
    found = api.engine.submissions
    assert [submission.signed is not None for submission in found] == [True, False, True, False]
    assert [submission.idempotency_key for submission in found] == [None, "order-1", "order-1", None]
