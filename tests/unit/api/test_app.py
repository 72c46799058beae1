"""The pipeline: keys, bodies, idempotency, and what goes wrong on the way."""

import asyncio
import base64
import logging
from typing import Any

import pytest

from fastpay.api.app import ROUTES
from fastpay.errors import DatabaseUnavailable, FastpayError, Overloaded
from tests.unit.api.fakes import FUNDING, OTHER, SECRET, Api, error_of

ABSENT = "0199e9b7e0007abc8def012345678901"
# What paths name below an object, with the prefixes of their identifiers.
BELOW = {"attempt": "att", "refund": "fr", "reversal": "trr", "row": "stlr", "transaction": "ccsbtxn"}


@pytest.fixture
def api() -> Api:
    return Api()


def test_a_payment_is_created_and_shown_again(api: Api) -> None:
    paid = api.pay()
    assert paid["status"] == "succeeded"
    assert paid["amount_received"] == 2000
    assert api.get(f"/v1/payment_intents/{paid['id']}") == paid


def test_every_answer_carries_its_own_request_id(api: Api) -> None:
    first, second = api.send("GET", "/v1/balance"), api.send("GET", "/nowhere")
    assert first.headers["request-id"].startswith("req_")
    assert second.headers["request-id"].startswith("req_")
    assert first.headers["request-id"] != second.headers["request-id"]


def test_the_version_of_the_dialect_is_echoed(api: Api) -> None:
    response = api.send("GET", "/v1/balance", headers={"stripe-version": "2026-01-01.basil"})
    assert response.headers["stripe-version"] == "2026-01-01.basil"


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer sk_test_unknownunknown",
        "Bearer sk_test_\x80\x81\x82\x83\x84\x85\x86\x87",
        f"Digest {SECRET}",
        SECRET,
        "Basic ???",
        "Basic " + base64.b64encode(b"someone:secret").decode(),
        "Basic " + base64.b64encode(f"user:{SECRET}".encode()).decode(),
    ],
)
def test_all_wrong_keys_get_the_same_answer(api: Api, authorization: str | None) -> None:
    headers: Any = {} if authorization is None else {"authorization": authorization.encode("latin-1")}
    response = api.send("GET", "/v1/balance", key=None, headers=headers)
    assert response.status_code == 401
    assert response.content == api.send("GET", "/v1/balance", key=None).content
    assert "www-authenticate" in response.headers


@pytest.mark.parametrize("credentials", [f"{SECRET}:", f"{SECRET}:ignored", SECRET])
def test_a_key_may_be_the_user_of_basic_authentication(api: Api, credentials: str) -> None:
    authorization = "basic " + base64.b64encode(credentials.encode()).decode()
    response = api.send("GET", "/v1/balance", key=None, headers={"authorization": authorization})
    assert response.status_code == 200


def test_a_header_that_stands_twice_is_refused(api: Api) -> None:
    headers = [("authorization", f"Bearer {SECRET}"), ("authorization", f"Bearer {OTHER}")]
    statuses = _drive(api, headers)
    assert statuses == [400]


def test_an_unknown_route_is_an_error_of_the_dialect_that_names_what_is_served(api: Api) -> None:
    served = ", ".join(sorted({route.path.split("/")[2] for route in ROUTES}))
    for path in ("/", "/v1", "/v1/topups", "/v1/payment_intents/", "/v2/core/accounts", "/v1//balance"):
        error = api.refused("GET", path)
        assert error["status"] == 404
        assert "code" not in error
        assert path in error["message"]
        assert f" are {served}. " in error["message"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
def test_a_method_that_a_path_does_not_answer_to_is_405(api: Api, method: str) -> None:
    response = api.send(method, "/v1/payment_intents")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD, POST"


def test_a_body_over_its_limit_is_refused_by_its_announced_length(api: Api) -> None:
    error = api.refused("POST", "/v1/customers", "description=" + "x" * 70_000)
    assert error["status"] == 413


@pytest.mark.parametrize("length", ["65537", "9" * 30, "9" * 5000])
def test_a_body_that_is_announced_too_large_is_not_even_read(api: Api, length: str) -> None:
    async def receive() -> dict[str, Any]:
        pytest.fail("read")

    headers = [("authorization", f"Bearer {SECRET}"), ("content-length", length)]
    assert _drive(api, headers, method="POST", receive=receive) == [413]


def test_a_body_over_its_limit_is_refused_without_an_announced_length() -> None:
    api = Api(body_bytes_max=10)
    sent = 0

    async def chunks() -> Any:
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield b"12345"

    headers = {"content-type": "application/x-www-form-urlencoded"}
    response = api.send("POST", "/v1/customers", headers=headers, content=chunks())
    assert response.status_code == 413


def test_a_content_type_that_is_neither_form_nor_json_is_415(api: Api) -> None:
    error = api.refused("POST", "/v1/customers", "x", headers={"content-type": "text/plain"})
    assert error["status"] == 415


def test_a_client_that_goes_away_while_it_sends_is_not_answered(api: Api) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    assert _drive(api, [("authorization", f"Bearer {SECRET}")], method="POST", receive=receive) == []
    assert api.engine.submissions == []


def test_what_breaks_unexpectedly_is_logged_and_not_told(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.engine.failure = RuntimeError("the secret of the house")
    with caplog.at_level(logging.ERROR):
        response = api.send("POST", "/v1/customers", "")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "the secret of the house" in caplog.text


@pytest.mark.parametrize("failure", [Overloaded("Too much."), DatabaseUnavailable("Away.")])
def test_what_may_pass_tells_the_client_to_try_again(api: Api, failure: Exception) -> None:
    api.engine.failure = failure
    response = api.send("POST", "/v1/customers", "")
    assert response.status_code == 503
    assert response.headers["stripe-should-retry"] == "true"
    assert "retry-after" in response.headers


def test_health_says_alive_whatever_the_database_does(api: Api) -> None:
    faults: list[FastpayError | None] = [None, DatabaseUnavailable("Full.", code="disk_full")]
    for place in range(2):
        api.readiness.require(lambda place=place: faults[place])  # type: ignore[misc]
    assert api.send("GET", "/healthz", key=None).status_code == 200
    unready = api.send("GET", "/readyz", key=None)
    assert unready.status_code == 503
    assert unready.json()["error"]["code"] == "disk_full"
    assert unready.headers["stripe-should-retry"] == "true"
    assert int(unready.headers["retry-after"]) > 0
    faults[1] = None
    assert api.send("GET", "/readyz", key=None).status_code == 200
    assert api.send("POST", "/healthz", key=None).status_code == 405


def test_a_replay_is_the_first_answer_however_the_object_has_changed(api: Api) -> None:
    headers = {"idempotency-key": "order-1"}
    form = "amount=2000&currency=usd&payment_method=pm_card_visa&confirm=true&expand[]=latest_charge"
    first = api.send("POST", "/v1/payment_intents", form, headers=headers)
    api.post("/v1/refunds", f"payment_intent={first.json()['id']}")
    api.post(f"/v1/payment_intents/{first.json()['id']}", "description=changed")
    second = api.send("POST", "/v1/payment_intents", form, headers=headers)
    assert second.content == first.content
    assert first.json()["latest_charge"]["amount_refunded"] == 0
    assert first.headers["idempotency-key"] == "order-1"
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["original-request"] == first.headers["request-id"]


def test_a_declined_payment_is_replayed_byte_for_byte(api: Api) -> None:
    headers = {"idempotency-key": "order-2"}
    form = "amount=2000&currency=usd&payment_method=pm_card_chargeDeclined&confirm=true"
    first = api.send("POST", "/v1/payment_intents", form, headers=headers)
    assert first.status_code == 402
    error = error_of(first)
    assert error["decline_code"] == "generic_decline"
    intent = error["payment_intent"]
    assert intent["last_payment_error"]["payment_method"]["id"] == error["payment_method"]["id"]
    api.post(f"/v1/payment_intents/{intent['id']}/confirm", "payment_method=pm_card_visa")
    second = api.send("POST", "/v1/payment_intents", form, headers=headers)
    assert second.status_code == 402
    assert second.content == first.content
    assert second.headers["idempotent-replayed"] == "true"


def test_a_form_and_json_that_say_the_same_are_the_same_request(api: Api) -> None:
    headers = {"idempotency-key": '"k"'}
    form = "currency=usd&amount=2000&metadata[b]=1&metadata[a]=2&description="
    first = api.send("POST", "/v1/payment_intents", form, headers=headers)
    document = {"amount": 2000, "currency": "usd", "metadata": {"a": "2", "b": "1"}, "description": None}
    second = api.send("POST", "/v1/payment_intents", json=document, headers={"idempotency-key": "k"})
    assert second.content == first.content
    assert second.headers["idempotent-replayed"] == "true"
    assert first.headers["idempotency-key"] == '"k"'


def test_a_key_that_comes_back_with_other_parameters_is_refused(api: Api) -> None:
    headers = {"idempotency-key": "k"}
    api.post("/v1/customers", "name=A", headers=headers)
    for path, form in (("/v1/customers", "name=B"), ("/v1/payment_intents", "amount=1&currency=usd")):
        error = api.refused("POST", path, form, headers=headers)
        assert (error["status"], error["type"]) == (400, "idempotency_error")


def test_a_key_that_comes_back_on_another_path_is_refused(api: Api) -> None:
    headers = {"idempotency-key": "k"}
    first, second = (api.post("/v1/payment_intents", "amount=1&currency=usd")["id"] for _ in range(2))
    api.post(f"/v1/payment_intents/{first}/cancel", headers=headers)
    error = api.refused("POST", f"/v1/payment_intents/{second}/cancel", "", headers=headers)
    assert error["type"] == "idempotency_error"
    assert api.get(f"/v1/payment_intents/{second}")["status"] == "requires_payment_method"


def test_the_fingerprint_tells_card_numbers_apart_and_holds_none(api: Api) -> None:
    card = "type=card&card[exp_month]=12&card[exp_year]=2030&card[number]="
    for number in ("4242424242424242", "4000000000000002"):
        api.send("POST", "/v1/payment_methods", card + number, headers={"idempotency-key": number[:5]})
    first, second = (submission.fingerprint for submission in api.engine.submissions)
    assert first != second
    assert len(first) == 32
    assert "4242424242424242" not in repr(api.engine.submissions)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "ä", '"open', '"bad\\escape"', '""'])
def test_a_malformed_idempotency_key_is_refused(api: Api, key: str) -> None:
    headers: Any = {"idempotency-key": key.encode("latin-1")}
    assert api.refused("POST", "/v1/customers", "", headers=headers)["status"] == 400
    assert api.engine.submissions == []


def test_a_request_that_is_refused_by_validation_does_not_use_the_key_up(api: Api) -> None:
    headers = {"idempotency-key": "k"}
    assert api.refused("POST", "/v1/payment_intents", "amount=x", headers=headers)["status"] == 400
    created = api.send("POST", "/v1/payment_intents", "amount=5&currency=usd", headers=headers)
    assert created.status_code == 200
    assert "idempotent-replayed" not in created.headers


def make_movements(api: Api) -> dict[str, str]:
    """Pay something out, and transfer something to a connected account; return one of each kind."""
    form = "amount=2000&currency=usd&payment_method=pm_card_bypassPending&confirm=true"
    api.post("/v1/payment_intents", form)
    account = api.post("/v1/accounts")["id"]
    paid = api.pay(f"transfer_data[destination]={account}&application_fee_amount=1&expand[]=latest_charge")
    return {
        "application_fees": paid["latest_charge"]["application_fee"],
        "payouts": api.post("/v1/payouts", "amount=5&currency=usd")["id"],
        "transfers": api.post("/v1/transfers", f"amount=5&currency=usd&destination={account}")["id"],
    }


def test_every_id_of_another_tenant_is_answered_like_a_missing_or_malformed_one(api: Api) -> None:
    paid = api.pay("expand[]=latest_charge")
    customer = api.post("/v1/customers", "payment_method=pm_card_visa")
    refund = api.post("/v1/refunds", f"payment_intent={paid['id']}&amount=5")
    method = api.get(f"/v1/customers/{customer['id']}/payment_methods")["data"][0]
    setup = api.post(
        "/v1/setup_intents",
        "confirm=true&payment_method=pm_card_visa&mandate_data[customer_acceptance][type]=offline",
    )
    token = api.post("/v1/tokens", "card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=40")
    receiver = "url=https://a.example&enabled_events[]=*"
    known = {
        "payment_intents": paid["id"],
        "charges": paid["latest_charge"]["id"],
        "customers": customer["id"],
        "refunds": refund["id"],
        "disputes": api.post(
            f"/v1/test_helpers/charges/{paid['latest_charge']['id']}/dispute", "case_type=inquiry"
        )["id"],
        "payment_methods": method["id"],
        "setup_intents": setup["id"],
        "mandates": setup["mandate"],
        "tokens": token["id"],
        "confirmation_tokens": api.post(
            "/v1/test_helpers/confirmation_tokens", "payment_method=pm_card_visa"
        )["id"],
        "balance_transactions": refund["balance_transaction"],
        "events": api.get("/v1/events")["data"][0]["id"],
        "webhook_endpoints": api.post("/v1/webhook_endpoints", receiver)["id"],
        "processors": f"stl_{ABSENT}",
        **make_movements(api),
        **{f"ledger {name}": identifier for name, identifier in api.furnish_ledger().items()},
    }
    form_of = {
        "attach": f"customer={api.post('/v1/customers', key=OTHER)['id']}",
        "increment_authorization": "amount=5",
        "replay": "from_sequence=1",
        "resolve": "resolution=approved&note=x",
        "accept": "reason=x",
        "fund_cash_balance": "amount=5&currency=usd",
        "funding_instructions": FUNDING,
        "sources": "source=tok_visa",
    }
    tried = 0
    for route in ROUTES:
        path = route.path.removeprefix("/v1/test_helpers").removeprefix("/v1")
        kind = path.replace("/ledger/", "/ledger ").split("/")[1]
        # Another account is 403, and says nothing either: tests/http/test_accounts.py. No request is logged.
        if "{id}" not in route.path or route.path in {"/v1/accounts/{id}", "/v1/request_logs/{id}"}:
            continue
        # The path shows what its last word but one means, except where that is a charge's refund.
        identifier = known["refunds" if "{charge}" in route.path else kind]
        prefix = identifier.partition("_")[0]
        form = form_of.get(route.path.rpartition("/")[2]) if route.method == "POST" else None
        answers = []
        for wanted in (identifier, f"{prefix}_{ABSENT}", "nonsense", f"evt_{ABSENT}"):
            arguments = {
                "payment_method": method["id"],
                **{name: f"{below}_{ABSENT}" for name, below in BELOW.items()},
                "source": method["id"].replace("pm_", "card_"),
                "charge": known["charges"],
            }
            path = route.path.format(id=wanted, **arguments)
            response = api.send(route.method, path, form, key=OTHER)
            assert response.status_code == 404, path
            answers.append(response.content.replace(wanted.encode(), b"*"))
        assert len(set(answers)) == 1, route.path
        tried += 1
    assert tried == sum("{id}" in route.path for route in ROUTES) - 2


def test_problem_details_are_given_to_who_asks_for_them(api: Api) -> None:
    response = api.send("GET", "/nowhere", headers={"accept": "application/problem+json"})
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == 404


def _drive(
    api: Api, headers: list[tuple[str, str]], *, method: str = "GET", receive: Any = None
) -> list[int]:
    """Speak ASGI without a client's help, and return the statuses that were answered."""
    statuses: list[int] = []

    async def nothing() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "method": method,
        "path": "/v1/customers",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }

    async def answer() -> None:
        await api.app(scope, receive or nothing, send)

    asyncio.run(answer())
    return statuses


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [("/v1/customers", "nonsense=1", 400), ("/nowhere", "", 404), ("/v1/balance", "", 405)],
)
def test_the_key_of_a_request_that_is_refused_is_echoed(api: Api, path: str, form: str, status: int) -> None:
    response = api.send("POST", path, form, headers={"idempotency-key": "k"})
    assert response.status_code == status
    assert response.headers["idempotency-key"] == "k"


@pytest.mark.parametrize("key", ["\u00e9", "k" * 256, "a\tb", '"open'])
def test_a_key_that_is_none_is_not_echoed(api: Api, key: str) -> None:
    headers: Any = {"idempotency-key": key.encode("latin-1")}
    response = api.send("POST", "/v1/customers", "", headers=headers)
    assert response.status_code == 400
    assert "idempotency-key" not in response.headers


def test_every_route_is_found_by_compiled_code_and_nothing_else_is(api: Api) -> None:
    def lookup(method: str, path: str) -> object:
        return api.app._table.lookup(method, path)

    for route in ROUTES:
        path = route.path.replace("{id}", "x").replace("{payment_method}", "y")
        found = lookup(route.method, path)
        assert found is not None, route.path
        assert lookup("PATCH", path) is None
        assert lookup(route.method, path + "/") is None
    assert lookup("GET", "/healthz") is None
    assert api.get("/healthz") == {"status": "ok"}
