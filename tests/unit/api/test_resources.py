"""Each resource over fake ports: what requests become, and what is refused."""

import pytest

from fastpay.domain.plan import Versioned
from fastpay.errors import DatabaseUnavailable, FastpayError, Overloaded, RateLimited
from tests.unit.api.fakes import LIVE, OTHER, PUBLISHABLE, Api

ABSENT = "0199e9b7e0007abc8def012345678901"


@pytest.fixture
def api() -> Api:
    return Api()


def test_a_payment_goes_through_hold_capture_in_part_and_refund(api: Api) -> None:
    held = api.pay("capture_method=manual")
    assert held["status"] == "requires_capture"
    path = f"/v1/payment_intents/{held['id']}"
    captured = api.post(f"{path}/capture", "amount_to_capture=1500&metadata[step]=captured")
    assert (captured["status"], captured["amount_received"]) == ("succeeded", 1500)
    assert captured["metadata"] == {"step": "captured"}
    refund = api.post("/v1/refunds", f"charge={captured['latest_charge']}&amount=500&reason=duplicate")
    assert (refund["amount"], refund["reason"]) == (500, "duplicate")
    assert api.get(f"/v1/charges/{captured['latest_charge']}")["amount_refunded"] == 500


def test_a_payment_is_updated_confirmed_and_canceled(api: Api) -> None:
    intent = api.post("/v1/payment_intents", "amount=100&currency=USD&description=first&metadata[a]=1")
    path = f"/v1/payment_intents/{intent['id']}"
    changed = api.post(path, "amount=200&currency=eur&description=&metadata=&payment_method=pm_card_visa")
    assert (changed["amount"], changed["currency"]) == (200, "eur")
    assert (changed["description"], changed["metadata"]) == (None, {})
    assert changed["status"] == "requires_confirmation"
    assert api.post(path, "payment_method=")["status"] == "requires_payment_method"
    canceled = api.post(f"{path}/cancel", "cancellation_reason=abandoned")
    assert (canceled["status"], canceled["cancellation_reason"]) == ("canceled", "abandoned")
    error = api.refused("POST", f"{path}/confirm", "payment_method=pm_card_visa")
    assert (error["status"], error["code"]) == (400, "payment_intent_unexpected_state")
    assert error["payment_intent"]["status"] == "canceled"


def test_card_data_may_come_with_the_payment_itself(api: Api) -> None:
    document = {
        "amount": 2000,
        "currency": "usd",
        "confirm": True,
        "payment_method_data": {
            "type": "card",
            "card": {"number": "5555 5555 5555 4444", "exp_month": 1, "exp_year": 40, "cvc": "123"},
            "billing_details": {"email": "a@b.c", "address": {"city": "Aarhus"}},
        },
        "shipping": {"name": "A", "address": {"line1": "Street 1"}},
        "expand": ["payment_method"],
    }
    response = api.send("POST", "/v1/payment_intents", json=document)
    assert response.status_code == 200, response.text
    paid = response.json()
    assert paid["payment_method"]["card"]["last4"] == "4444"
    assert paid["payment_method"]["card"]["exp_year"] == 2040
    assert paid["payment_method"]["billing_details"]["address"]["city"] == "Aarhus"
    assert paid["shipping"]["address"]["line1"] == "Street 1"


def test_wishes_about_the_card_are_kept_where_they_move_money(api: Api) -> None:
    held = api.pay(
        "payment_method_options[card][capture_method]=manual"
        "&payment_method_options[card][request_three_d_secure]=any"
    )
    assert held["status"] == "requires_capture"


def test_a_repeated_payment_saves_the_card_to_the_customer(api: Api) -> None:
    customer = api.post("/v1/customers", "email=a@b.c")
    api.pay(f"customer={customer['id']}&setup_future_usage=off_session")
    saved = api.get(f"/v1/customers/{customer['id']}/payment_methods")
    assert saved["url"] == f"/v1/customers/{customer['id']}/payment_methods"
    method = saved["data"][0]
    off_session = api.post(
        "/v1/payment_intents",
        f"amount=1&currency=usd&customer={customer['id']}&payment_method={method['id']}"
        "&confirm=true&off_session=recurring",
    )
    assert off_session["status"] == "succeeded"


def test_off_session_fails_where_the_cardholder_is_needed(api: Api) -> None:
    form = "amount=1&currency=usd&payment_method=pm_card_authenticationRequired&confirm=true"
    assert api.post("/v1/payment_intents", form)["status"] == "requires_action"
    for terms in ("off_session=true", "off_session=one_off", "error_on_requires_action=true"):
        error = api.refused("POST", "/v1/payment_intents", f"{form}&{terms}")
        assert (error["status"], error["code"]) == (402, "authentication_required")


@pytest.mark.parametrize("name", ["return_url=https://a.example", "off_session=true", "off_session=one_off"])
def test_what_belongs_to_a_confirmation_needs_one(api: Api, name: str) -> None:
    error = api.refused("POST", "/v1/payment_intents", f"amount=1&currency=usd&{name}")
    assert (error["status"], error["param"]) == (400, name.partition("=")[0])
    assert api.pay(name)["status"] == "succeeded"


@pytest.mark.parametrize(
    ("form", "param", "code"),
    [
        ("currency=usd", "amount", "parameter_missing"),
        ("amount=1", "currency", "parameter_missing"),
        ("amount=0&currency=usd", "amount", "amount_too_small"),
        ("amount=-5&currency=usd", "amount", "amount_too_small"),
        ("amount=100000000&currency=usd", "amount", "amount_too_large"),
        ("amount=1.5&currency=usd", "amount", "parameter_invalid_integer"),
        ("amount=99999999999999999999&currency=usd", "amount", "parameter_invalid_integer"),
        ("amount=1&currency=zzz", "currency", None),
        ("amount=1&currency=usd&application_fee_amount=-1", "application_fee_amount", None),
        ("amount=1&currency=usd&transfer_data[amount]=1", "transfer_data[destination]", "parameter_missing"),
        ("amount=1&currency=usd&mandate=mandate_1", "mandate", None),
        ("amount=1&currency=usd&capture_method=later", "capture_method", None),
        ("amount=1&currency=usd&payment_method_types[]=paypal", "payment_method_types", None),
        (
            "amount=1&currency=usd&payment_method_types[]=card&automatic_payment_methods[enabled]=true",
            "payment_method_types",
            None,
        ),
        ("amount=1&currency=usd&statement_descriptor=" + "A" * 23, "statement_descriptor", None),
        ("amount=1&currency=usd&statement_descriptor=A<B", "statement_descriptor", None),
        ("amount=1&currency=usd&receipt_email=nobody", "receipt_email", None),
        ("amount=1&currency=usd&receipt_email=a@b.c%0A", "receipt_email", None),
        ("amount=1&currency=usd&expand[]=nothing", "expand", None),
        ("amount=1&currency=usd&payment_method_data[type]=card", "payment_method_data[card]", None),
        (
            "amount=1&currency=usd&payment_method=pm_card_visa&payment_method_data[type]=card",
            "payment_method_data",
            None,
        ),
        ("amount=1&currency=usd&payment_method_options[card][installments]=1", None, "parameter_unknown"),
    ],
)
def test_a_payment_that_makes_no_sense_is_refused(
    api: Api, form: str, param: str | None, code: str | None
) -> None:
    error = api.refused("POST", "/v1/payment_intents", form)
    assert error["status"] == 400
    if param is not None:
        assert error["param"] == param
    if code is not None:
        assert error["code"] == code
    assert api.engine.submissions == []


@pytest.mark.parametrize(
    ("path", "form", "param"),
    [
        ("/v1/payment_intents", "amount=1&currency=usd&customer={customer}", "customer"),
        ("/v1/payment_intents", "amount=1&currency=usd&payment_method={method}", "payment_method"),
        ("/v1/payment_methods/pm_card_visa/attach", "customer={customer}", "customer"),
        ("/v1/refunds", "payment_intent={intent}", "payment_intent"),
        ("/v1/refunds", "charge={charge}", "charge"),
        ("/v1/customers", "payment_method={method}", "payment_method"),
    ],
)
def test_what_another_tenant_has_cannot_be_named(api: Api, path: str, form: str, param: str) -> None:
    paid = api.pay()
    customer = api.post("/v1/customers", "payment_method=pm_card_visa")
    theirs = {
        "customer": customer["id"],
        "method": paid["payment_method"],
        "intent": paid["id"],
        "charge": paid["latest_charge"],
    }
    absent = {name: f"{identifier.partition('_')[0]}_{ABSENT}" for name, identifier in theirs.items()}
    answers = []
    for known in (theirs, absent, dict.fromkeys(theirs, "nonsense")):
        response = api.send("POST", path, form.format(**known), key=OTHER)
        assert response.status_code == 404
        error = response.json()["error"]
        assert (error["code"], error["param"]) == ("resource_missing", param)
        name = next(name for name in theirs if f"{{{name}}}" in form)
        answers.append(response.text.replace(known[name], "*"))
    assert len(set(answers)) == 1


def test_a_capture_is_the_final_one_unless_more_were_asked_for(api: Api) -> None:
    held = api.pay("capture_method=manual")
    path = f"/v1/payment_intents/{held['id']}/capture"
    assert api.refused("POST", path, "final_capture=false")["param"] == "final_capture"
    assert api.refused("POST", path, "amount_to_capture=0")["param"] == "amount_to_capture"
    assert api.post(path, "final_capture=true")["status"] == "succeeded"


def test_a_customer_is_created_changed_and_forgotten(api: Api) -> None:
    customer = api.post(
        "/v1/customers",
        "name=Ada&email=ada@example.com&phone=1&address[city]=London&preferred_locales[]=en"
        "&metadata[a]=1&tax_exempt=reverse&balance=-500&invoice_prefix=ADA",
    )
    assert customer["address"]["city"] == "London"
    assert (customer["balance"], customer["invoice_prefix"]) == (-500, "ADA")
    path = f"/v1/customers/{customer['id']}"
    changed = api.post(
        path, "name=&address=&tax_exempt=&metadata[b]=2&shipping[name]=A&shipping[address][city]=B"
    )
    assert (changed["name"], changed["address"], changed["tax_exempt"]) == (None, None, "none")
    assert changed["metadata"] == {"a": "1", "b": "2"}
    assert changed["shipping"]["address"]["city"] == "B"
    gone = {"id": customer["id"], "object": "customer", "deleted": True}
    assert api.send("DELETE", path).json() == gone
    assert api.get(path) == gone
    assert api.refused("POST", path, "name=B")["status"] == 404
    assert api.refused("DELETE", path)["status"] == 404
    assert api.refused("GET", f"{path}/payment_methods")["status"] == 404


def test_a_default_payment_method_must_be_the_customers_own(api: Api) -> None:
    paid = api.pay()
    customer = api.post("/v1/customers", "payment_method=pm_card_visa")
    method = api.get(f"/v1/payment_methods?customer={customer['id']}")["data"][0]["id"]
    default = "invoice_settings[default_payment_method]"
    path = f"/v1/customers/{customer['id']}"
    changed = api.post(path, f"{default}={method}&expand[]={default.replace('[', '.').rstrip(']')}")
    assert changed["invoice_settings"]["default_payment_method"]["id"] == method
    for wrong in (paid["payment_method"], "nonsense"):
        for where in (path, "/v1/customers"):
            error = api.refused("POST", where, f"{default}={wrong}")
            assert (error["status"], error["param"]) == (400, default)


def test_a_new_customer_comes_with_a_card_as_the_default(api: Api) -> None:
    default = "invoice_settings[default_payment_method]"
    customer = api.post("/v1/customers", f"payment_method=pm_card_visa&{default}=pm_card_visa")
    (method,) = api.get(f"/v1/customers/{customer['id']}/payment_methods")["data"]
    assert customer["invoice_settings"]["default_payment_method"] == method["id"]


def test_a_connected_account_is_refused_and_not_passed_over(api: Api) -> None:
    form = "amount=5&currency=usd&payment_method=pm_card_visa&confirm=true"
    error = api.refused("POST", "/v1/payment_intents", form, headers={"Stripe-Account": "acct_1"})
    assert (error["status"], error["code"]) == (403, "account_invalid")
    assert api.engine.submissions == []


def test_a_search_that_is_not_served_is_not_taken_for_a_parameter(api: Api) -> None:
    error = api.refused("GET", "/v1/refunds/search?query=x")
    assert (error["status"], error["code"]) == (404, "resource_missing")


def test_a_payment_method_is_attached_changed_and_detached(api: Api) -> None:
    method = api.post("/v1/payment_methods", "type=card&card[token]=tok_visa&metadata[a]=1")
    customer = api.post("/v1/customers")
    path = f"/v1/payment_methods/{method['id']}"
    assert api.post(f"{path}/attach", f"customer={customer['id']}")["customer"] == customer["id"]
    changed = api.post(
        path, "card[exp_month]=7&card[exp_year]=2031&billing_details[name]=A&allow_redisplay=always"
    )
    assert (changed["card"]["exp_month"], changed["card"]["exp_year"]) == (7, 2031)
    assert (changed["billing_details"]["name"], changed["allow_redisplay"]) == ("A", "always")
    assert changed["metadata"] == {"a": "1"}
    owned = f"/v1/customers/{customer['id']}/payment_methods/{method['id']}"
    assert api.get(owned) == changed
    assert api.post(f"{path}/detach")["customer"] is None
    assert api.refused("GET", owned)["status"] == 404


def test_a_magic_payment_method_is_shown_without_being_kept(api: Api) -> None:
    shown = api.get("/v1/payment_methods/pm_card_mastercard")
    assert shown["id"] == "pm_card_mastercard"
    assert shown["card"]["brand"] == "mastercard"
    assert api.get("/v1/payment_methods/pm_card_mastercard") == shown
    assert api.get("/v1/payment_methods")["data"] == []
    assert api.refused("GET", "/v1/payment_methods/pm_card_mastercard", key=LIVE)["status"] == 404


def test_a_magic_payment_method_becomes_a_new_one_when_it_is_attached(api: Api) -> None:
    customer = api.post("/v1/customers")
    attached = api.post("/v1/payment_methods/pm_card_visa/attach", f"customer={customer['id']}")
    assert attached["id"] != "pm_card_visa"
    assert attached["customer"] == customer["id"]


def test_a_refund_says_what_of(api: Api) -> None:
    assert api.refused("POST", "/v1/refunds", "amount=5")["code"] == "parameter_missing"
    paid = api.pay()
    assert api.refused("POST", "/v1/refunds", f"payment_intent={paid['id']}&amount=0")["param"] == "amount"
    refund = api.post("/v1/refunds", f"payment_intent={paid['id']}&metadata[a]=1")
    assert refund["amount"] == 2000
    changed = api.post(f"/v1/refunds/{refund['id']}", "metadata[a]=")
    assert changed["metadata"] == {}
    assert api.get(f"/v1/refunds/{refund['id']}") == changed
    error = api.refused("POST", "/v1/refunds", f"payment_intent={paid['id']}")
    assert error["code"] == "charge_already_refunded"


def test_the_balance_is_what_the_ledger_holds(api: Api) -> None:
    paid = api.pay("expand[]=latest_charge.balance_transaction")
    fee = paid["latest_charge"]["balance_transaction"]["fee"]
    assert fee > 0
    assert api.get("/v1/balance")["pending"][0]["amount"] == 2000 - fee
    transaction = paid["latest_charge"]["balance_transaction"]["id"]
    shown = api.get(f"/v1/balance_transactions/{transaction}?expand[]=source")
    assert shown["source"]["id"] == paid["latest_charge"]["id"]
    assert shown["net"] == 2000 - fee


def test_a_transfer_that_is_no_balance_transaction_is_not_shown_as_one(api: Api) -> None:
    api.pay()
    workspace = api.engine.transfer_ids()
    shown = [
        api.send("GET", f"/v1/balance_transactions/txn_{identifier[-32:]}").status_code
        for identifier in workspace
    ]
    assert sorted(shown) == [200, 404]


def test_a_publishable_key_does_not_use_up_the_merchants_idempotency_keys(api: Api) -> None:
    sent = {"headers": {"Idempotency-Key": "order-1"}}
    card = "type=card&card[token]=tok_visa"
    public = api.post("/v1/payment_methods", card, key=PUBLISHABLE, **sent)
    own = api.post("/v1/payment_methods", card, **sent)
    assert public["id"] != own["id"]


def test_a_payment_is_not_made_ready_with_a_card_of_another_customer(api: Api) -> None:
    customer = api.post("/v1/customers", "payment_method=pm_card_visa")
    (method,) = api.get(f"/v1/customers/{customer['id']}/payment_methods")["data"]
    form = f"amount=5&currency=usd&payment_method={method['id']}"
    assert api.refused("POST", "/v1/payment_intents", form)["status"] == 400
    ready = api.post("/v1/payment_intents", f"{form}&customer={customer['id']}")
    assert ready["status"] == "requires_confirmation"


@pytest.mark.parametrize(("headers", "retry"), [({}, "false"), ({"idempotency-key": "k"}, "true")])
@pytest.mark.parametrize("failure", [DatabaseUnavailable, Overloaded, RateLimited])
def test_what_was_done_but_cannot_be_shown_is_not_to_be_done_again_without_a_key(
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    failure: type[FastpayError],
    headers: dict[str, str],
    retry: str,
) -> None:
    async def fail(*_: object) -> dict[str, Versioned]:
        raise failure("not now")

    customer = api.post("/v1/customers")
    monkeypatch.setattr(api.engine, "get_many_at", fail)
    form = f"amount=100&currency=usd&customer={customer['id']}&expand[]=customer"
    response = api.send("POST", "/v1/payment_intents", form, headers=headers)
    status = failure.status if headers else 503
    assert (response.status_code, response.headers["stripe-should-retry"]) == (status, retry)
    assert len(api.get("/v1/payment_intents")["data"]) == 1
