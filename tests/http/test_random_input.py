"""Whatever is sent, the answer is never that something broke."""

import json
import string
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastpay.api.app import ROUTES
from fastpay.domain.cards import MAGIC_PAYMENT_METHODS
from fastpay.domain.objects import PaymentIntent
from tests.support import public_data as data_public
from tests.support.refusals import FORM, JSON, encode
from tests.support.seeds import size
from tests.support.tenants import Tenant

EXAMPLES = size(100, soak=2_000)
# Each is sent to every route: to draw one takes longer than to answer it.
EXAMPLES_A_ROUTE = size(15, soak=500)
POSTS = sorted({route.path for route in ROUTES if route.method == "POST"})
GETS = sorted({route.path for route in ROUTES if route.method == "GET"})

# The names that requests know, so that what is sent gets past the names often enough to reach the values.
NAMES = [
    "amount", "currency", "customer", "payment_method", "confirm", "capture_method", "metadata",
    "metadata[a]", "description", "expand[]", "expand[0]", "limit", "created", "created[gt]",
    "starting_after", "type", "charge", "card[number]", "card[exp_month]", "card[exp_year]", "card[cvc]",
    "card[token]", "payment_intent", "reason", "email", "name", "address[city]", "shipping[name]",
    "off_session", "setup_future_usage", "return_url", "amount_to_capture", "cancellation_reason",
    "billing_details[email]", "balance", "preferred_locales[]",
    "invoice_settings[default_payment_method]", "query", "page", "payment_method_data[type]",
    "client_secret", "payment_method_data[card][number]", "payment_method_types[]",
    "statement_descriptor", "tax_exempt",
]  # fmt: skip
VALUES = [
    "", "0", "1", "5", "-1", "99999999", "100000000", "9" * 18, "9" * 40, "1.5", "true", "false", "usd",
    "EUR", "jpy", "manual", "automatic", "card", "latest_charge", "customer", "off_session", "2034",
    "a@example.com", "12", "13", "4242424242424242", "4000000000000002", "123", "tok_visa",
    "pi_" + "0" * 32, "cus_" + "f" * 32, "name:'a'", "created>5", "-email~'x' OR name:'y'", "\u00fc",
    "\U0001f600", "a" * 600, "null", "duplicate", *MAGIC_PAYMENT_METHODS,
]  # fmt: skip

names = st.sampled_from(NAMES) | st.text(string.printable, max_size=20)
values = st.sampled_from(VALUES) | st.text(max_size=30)
numbers = st.integers() | st.integers(min_value=-10, max_value=200) | st.floats() | st.booleans() | st.none()
forms = st.dictionaries(names, values, max_size=8)
trees = st.recursive(
    numbers | values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(NAMES), trees, max_size=8)
# Half of what is sent starts from something that is right.
payments = forms.map(lambda form: {"amount": "500", "currency": "usd", **form})

bounded = settings(
    max_examples=EXAMPLES_A_ROUTE,
    deadline=None,
    # One server for all examples: what an earlier one made is there for the later ones, as in life.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def check(answer: httpx.Response) -> None:
    assert answer.status_code < 500, (answer.request.url, answer.text)
    assert answer.headers["request-id"].startswith("req_")
    told = answer.json()
    assert ("error" in told) == (answer.status_code >= 400)


def fill(path: str, identifiers: dict[str, str]) -> str:
    kind = path.split("/")[2]
    path = path.replace("{payment_method}", identifiers["payment_methods"])
    return path.replace("{id}", identifiers.get(kind, "none"))


@pytest.fixture(scope="module")
def headers(tenant: Tenant) -> dict[str, str]:
    return {"Authorization": f"Bearer {tenant.secret}"}


@pytest.fixture(scope="module")
def identifiers(http: httpx.Client, headers: dict[str, str]) -> dict[str, str]:
    """One object of each kind, which the examples work upon."""

    def post(path: str, **fields: str) -> Any:
        return http.post(path, data=fields, headers=headers).raise_for_status().json()

    customer = post("/v1/customers")["id"]
    method = post("/v1/payment_methods/pm_card_visa/attach", customer=customer)["id"]
    paid = post(
        "/v1/payment_intents", amount="5000", currency="usd", payment_method="pm_card_visa", confirm="true"
    )
    refund = post("/v1/refunds", payment_intent=paid["id"], amount="1")
    return {
        "customers": customer,
        "payment_methods": method,
        "payment_intents": post("/v1/payment_intents", amount="500", currency="usd")["id"],
        "charges": paid["latest_charge"],
        "refunds": refund["id"],
        "balance_transactions": refund["balance_transaction"],
    }


def test_the_names_that_are_tried_are_those_of_requests() -> None:
    assert "amount" in PaymentIntent.__struct_fields__
    assert len(POSTS) >= 11


@bounded
@given(form=forms | payments)
def test_random_forms_break_no_route(
    http: httpx.Client, headers: dict[str, str], identifiers: dict[str, str], form: dict[str, str]
) -> None:
    content = encode({name: value.encode("utf-8", "replace").decode() for name, value in form.items()})
    for path in POSTS:
        check(http.post(fill(path, identifiers), content=content, headers={**headers, "Content-Type": FORM}))


@bounded
@given(tree=objects)
def test_random_json_breaks_no_route(
    http: httpx.Client, headers: dict[str, str], identifiers: dict[str, str], tree: dict[str, Any]
) -> None:
    content = json_of(tree).encode("utf-8", "surrogatepass")
    for path in POSTS:
        check(http.post(fill(path, identifiers), content=content, headers={**headers, "Content-Type": JSON}))


@bounded
@given(
    path=st.sampled_from(POSTS), content=st.binary(max_size=200), content_type=st.sampled_from([FORM, JSON])
)
def test_random_bytes_break_nothing(
    http: httpx.Client,
    headers: dict[str, str],
    identifiers: dict[str, str],
    path: str,
    content: bytes,
    content_type: str,
) -> None:
    sent = {**headers, "Content-Type": content_type}
    check(http.post(fill(path, identifiers), content=content, headers=sent))


@settings(bounded, max_examples=EXAMPLES)
@given(path=st.sampled_from(GETS), form=forms)
def test_random_queries_break_nothing(
    http: httpx.Client, headers: dict[str, str], identifiers: dict[str, str], path: str, form: dict[str, str]
) -> None:
    query = encode({name: value.encode("utf-8", "replace").decode() for name, value in form.items()})
    check(http.get(f"{fill(path, identifiers)}?{query.decode()}", headers=headers))


def test_the_published_json_files_break_nothing(
    http: httpx.Client, headers: dict[str, str], identifiers: dict[str, str]
) -> None:
    files = sorted(data_public.folder("json/test_parsing").glob("*.json"))
    assert len(files) > 300
    for file in files:
        for path in ("/v1/payment_intents", "/v1/customers", fill("/v1/payment_intents/{id}", identifiers)):
            answer = http.post(path, content=file.read_bytes(), headers={**headers, "Content-Type": JSON})
            check(answer)
            # Nothing but an object has parameters, and none of these files has ours.
            assert answer.status_code == 400 or file.name in EMPTY_OBJECTS, file.name


EMPTY_OBJECTS = frozenset(("y_object_empty.json",))


def json_of(value: Any) -> str:
    """Write JSON as loosely as the generated values are: repeated names, huge numbers, NaN."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json_of(name)}: {json_of(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(json_of(inner) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=False)
