"""Requests of web pages: what they may read, which keys they may use, and how their libraries write."""

import asyncio
from typing import Any

import pytest

from fastpay import limits
from fastpay.api.browsers import take_key, without_telemetry
from fastpay.api.cors import EXPOSED, Cors
from tests.unit.api.fakes import PUBLISHABLE, SECRET, Api, error_of

SHOP = "https://shop.example"
ASKED = {"origin": SHOP, "access-control-request-method": "POST"}
CARD = "type=card&card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=2034&card[cvc]=123"
TELEMETRY = (
    "guid=NA&muid=NA&sid=NA&payment_user_agent=a%2Fb&referrer=https%3A%2F%2Fshop.example&time_on_page=1500"
    "&pasted_fields=number&client_attribution_metadata[client_session_id]=x"
)


@pytest.fixture
def api() -> Api:
    return Api()


def test_an_answer_to_a_page_can_be_read_by_it_whatever_it_says(api: Api) -> None:
    answers = [
        api.send("POST", "/v1/payment_methods", CARD, key=PUBLISHABLE, headers={"origin": SHOP}),
        api.send("GET", "/v1/nowhere", key=None, headers={"origin": "null"}),
        api.send("GET", "/v1/balance", key=PUBLISHABLE, headers={"origin": SHOP}),
        api.send("GET", "/v1/balance", key=None, headers={"origin": SHOP}),
        api.send("PUT", "/v1/balance", key=PUBLISHABLE, headers={"origin": SHOP}),
        api.send("GET", "/v1/balance", headers={"origin": SHOP, "stripe-version": "x"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 403, 401, 405, 400]
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-expose-headers"] == EXPOSED.decode()
        assert "access-control-allow-credentials" not in answer.headers


def test_a_page_can_read_that_it_sent_a_header_twice(api: Api) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"origin", SHOP.encode()), (b"authorization", b"a"), (b"authorization", b"b")]
    scope = {"type": "http", "method": "GET", "path": "/v1/balance", "query_string": b"", "headers": headers}
    asyncio.run(api.app(scope, None, send))  # type: ignore[arg-type]  # no body is read
    assert sent[0]["status"] == 400
    assert (b"access-control-allow-origin", b"*") in sent[0]["headers"]


def test_an_answer_to_another_client_says_nothing_about_pages(api: Api) -> None:
    assert not any(name.startswith("access-control") for name in api.send("GET", "/v1/balance").headers)


def test_only_pages_of_the_named_origins_may_read() -> None:
    cors = Cors([SHOP])
    assert dict(cors.headers(SHOP))[b"access-control-allow-origin"] == SHOP.encode()
    for origin in ("https://evil.example", "https://shop.example.evil.example", "null", ""):
        assert cors.headers(origin) == ((b"vary", b"origin"),)


def test_a_preflight_is_answered_before_anything_is_looked_up(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Any:
        pytest.fail("looked up")

    monkeypatch.setattr(api.services.keys, "authenticate", fail)
    for path in ("/v1/payment_intents/pi_1/confirm", "/v1/tokens", "/v1/a" * 100):
        answer = api.send("OPTIONS", path, key=None, headers=ASKED)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert "Authorization" in answer.headers["access-control-allow-headers"]
        assert answer.headers["access-control-max-age"] == str(limits.preflight_max_age_s)
        assert answer.headers["request-id"].startswith("req_")


def test_options_without_the_questions_of_a_preflight_is_a_method_like_others(api: Api) -> None:
    assert api.send("OPTIONS", "/v1/balance", headers={"origin": SHOP}, key=None).status_code == 405


@pytest.mark.parametrize("key", [SECRET, "sk_live_nobodyknowsthisone"])
def test_a_secret_key_from_a_page_is_refused_whether_it_is_valid_or_not(api: Api, key: str) -> None:
    for method, path in (("GET", "/v1/balance"), ("POST", "/v1/customers")):
        answer = api.send(method, path, key=key, headers={"origin": SHOP})
        error = error_of(answer)
        assert (answer.status_code, error["code"]) == (403, "publishable_key_required")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert key not in answer.text
    assert api.get("/v1/customers")["data"] == []


def test_a_publishable_key_may_come_in_the_form_and_in_the_query(api: Api) -> None:
    created = api.post("/v1/payment_methods", f"{CARD}&key={PUBLISHABLE}&{TELEMETRY}", key=None)
    intent = api.post("/v1/payment_intents", "amount=500&currency=usd")
    secret = f"client_secret={intent['client_secret']}"
    path = f"/v1/payment_intents/{intent['id']}"
    shown = api.get(f"{path}?key={PUBLISHABLE}&is_stripe_sdk=false&{secret}", key=None)
    assert shown["id"] == intent["id"]
    form = f"payment_method={created['id']}&{secret}&key={PUBLISHABLE}&expected_payment_method_type=card"
    assert api.post(f"{path}/confirm", form, key=None)["status"] == "succeeded"


def test_telemetry_is_ignored_with_a_publishable_key_and_unknown_with_a_secret_one(api: Api) -> None:
    method = CARD.replace("type", "payment_method_data[type]").replace(
        "&card[", "&payment_method_data[card]["
    )
    told = "payment_method_data[guid]=NA&payment_method_data%5Bpayment_user_agent%5D=a"
    told += "&payment_method_data[client_attribution_metadata][client_session_id]=x"
    intent = api.post("/v1/payment_intents", "amount=500&currency=usd")
    form = f"client_secret={intent['client_secret']}&{method}&{told}&{TELEMETRY}"
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    assert api.refused("POST", path, form)["code"] == "parameter_unknown"
    assert api.post(path, form, key=PUBLISHABLE)["status"] == "succeeded"


@pytest.mark.parametrize(
    "form",
    [
        f"key={SECRET}",
        "key=",
        "key=pk_test_nobodyknowsthisone",
        f"key={PUBLISHABLE}&key={PUBLISHABLE}",
        f"metadata[key]={PUBLISHABLE}",
        f"a=key={PUBLISHABLE}",
    ],
)
def test_no_other_key_of_a_form_is_one(api: Api, form: str) -> None:
    assert api.send("POST", "/v1/payment_methods", f"{CARD}&{form}", key=None).status_code == 401


def test_a_form_without_a_key_must_be_short(api: Api) -> None:
    form = f"{CARD}&key={PUBLISHABLE}&a=".ljust(limits.short_body_bytes + 1, "x")
    assert api.send("POST", "/v1/payment_methods", form, key=None).status_code == 413


def test_nothing_else_is_taken_out_of_a_form() -> None:
    form = b"metadata[guid]=1&sid_x=2&payment_method_data[metadata][sid]=3&a[guid]=4&=&&x"
    assert without_telemetry(form) == form
    assert take_key(form) == (form, None)
    many = b"&".join([b"guid=1"] * (limits.form_fields_max + 1))
    assert without_telemetry(many) == many
    assert take_key(many + b"&key=pk_test_x")[1] is None
