"""Parameters that cannot mean anything: each refused by name, without effect, and without using a key up."""

import json
from typing import Any

import httpx
import pytest

from tests.http import bad_cash, bad_money_movements, bad_setups
from tests.http.bad_options import OPTIONS
from tests.support.refusals import (
    EMPTY,
    FORM,
    INTEGER,
    JSON,
    MISSING,
    Bad,
    Database,
    check_error,
    check_refused,
    encode,
    form,
    query,
    raw,
    text,
)
from tests.support.tenants import Tenant

INTENTS = "/v1/payment_intents"
CUSTOMERS = "/v1/customers"
METHODS = "/v1/payment_methods"
REFUNDS = "/v1/refunds"
EVENTS = "/v1/events"


def payment(amount: str) -> str:
    return f'{{"amount": {amount}, "currency": "usd"}}'


AMOUNTS = [
    form(INTENTS, code=MISSING, param="amount", currency="usd"),
    form(INTENTS, code=MISSING, param="currency", amount="5"),
    form(INTENTS, code="amount_too_small", param="amount", amount="0", currency="usd"),
    form(INTENTS, code="amount_too_small", param="amount", amount="-5", currency="usd"),
    form(INTENTS, code="amount_too_large", param="amount", amount="100000000", currency="usd"),
    *(
        form(INTENTS, code=INTEGER, param="amount", amount=amount, currency="usd")
        for amount in ("9" * 19, "9" * 400, "1.0", "1e3", "0x10", "1_000", "+5", "٣", "５", "NaN", "Infinity")
    ),
    *(
        form(INTENTS, code=INTEGER, param="amount", amount=amount, currency="usd")
        for amount in ("five", " 5", "5 ", "5\n", "true", "--5", "- 5", "5-")
    ),
    form(INTENTS, code=EMPTY, param="amount", amount="", currency="usd"),
    raw(INTENTS, b"amount[]=5&currency=usd", param="amount"),
    raw(INTENTS, b"amount[a]=5&currency=usd", param="amount"),
    text(INTENTS, payment("0"), code="amount_too_small", param="amount"),
    text(INTENTS, payment("-0"), code="amount_too_small", param="amount"),
    text(INTENTS, payment("-1"), code="amount_too_small", param="amount"),
    text(INTENTS, payment("100000000"), code="amount_too_large", param="amount"),
    *(
        text(INTENTS, payment(amount), code=code, param="amount")
        for amount, code in (
            ('"5"', INTEGER),
            ("true", INTEGER),
            ("[5]", None),
            ('{"a": 5}', None),
            ("null", EMPTY),
        )
    ),
]
NUMBERS = ["1.0", "5.5", "1e3", "1E400", "-1e-400", "9" * 19, "9" * 30, "9" * 5000]

CURRENCIES = [
    *(
        form(INTENTS, param="currency", amount="5", currency=currency)
        for currency in ("zzz", "us", "usdd", "u$d", "ＵＳＤ", "usd ", "xxx", "btc")
    ),
    form(INTENTS, code=EMPTY, param="currency", amount="5", currency=""),
    text(INTENTS, '{"amount": 5, "currency": 5}', param="currency"),
    text(INTENTS, '{"amount": 5, "currency": ["usd"]}', param="currency"),
    text(INTENTS, '{"amount": 5, "currency": null}', code=EMPTY, param="currency"),
]


def described(**metadata: str) -> Bad:
    fields = {f"metadata[{name}]": value for name, value in metadata.items()}
    return Bad(INTENTS, encode({"amount": "5", "currency": "usd", **fields}))


METADATA = [
    Bad(INTENTS, described(**{f"k{n}": "v" for n in range(51)}).content, param="metadata"),
    Bad(INTENTS, described(**{"k" * 41: "v"}).content, param=f"metadata[{'k' * 41}]"),
    Bad(INTENTS, described(**{"ü" * 41: "v"}).content, param=f"metadata[{'ü' * 41}]"),
    Bad(INTENTS, described(key="v" * 501).content, param="metadata[key]"),
    raw(INTENTS, b"amount=5&currency=usd&metadata=text", param="metadata"),
    raw(INTENTS, b"amount=5&currency=usd&metadata[]=text", param="metadata"),
    raw(INTENTS, b"amount=5&currency=usd&metadata[a][b]=text", param="metadata[a]"),
    text(INTENTS, '{"amount": 5, "currency": "usd", "metadata": [1]}', param="metadata"),
    text(INTENTS, '{"amount": 5, "currency": "usd", "metadata": {"a": {}}}', param="metadata[a]"),
    text(INTENTS, '{"amount": 5, "currency": "usd", "metadata": {"a[b]": "1"}}', param="metadata[a[b]]"),
    text(INTENTS, '{"amount": 5, "currency": "usd", "metadata": {"": "1"}}', param="metadata[]"),
    text(
        INTENTS,
        json.dumps({"amount": 5, "currency": "usd", "metadata": {"k": "v" * 501}}),
        param="metadata[k]",
    ),
]

SHAPES = [
    form(METHODS, code=MISSING, param="type"),
    form(METHODS, code=MISSING, param="card", type="card"),
    form(INTENTS, param="confirm", amount="5", currency="usd", confirm="1"),
    form(INTENTS, param="off_session", amount="5", currency="usd", off_session="true"),
    form(
        INTENTS,
        code="email_invalid",
        param="receipt_email",
        amount="5",
        currency="usd",
        receipt_email="nobody",
    ),
    form(INTENTS, param="statement_descriptor", amount="5", currency="usd", statement_descriptor="x" * 23),
    form(INTENTS, param="statement_descriptor", amount="5", currency="usd", statement_descriptor="<b>"),
    form(INTENTS, param="description", amount="5", currency="usd", description="x" * 5001),
    form(CUSTOMERS, code="email_invalid", param="email", email="a b@example.com"),
    form(CUSTOMERS, param="address", address="Bern"),
    form(CUSTOMERS, code=INTEGER, param="balance", balance=str(10**12 + 1)),
    form(CUSTOMERS, param="preferred_locales[1]", **{"preferred_locales[1]": "de"}),
    form(REFUNDS, code=MISSING, param="payment_intent"),
    text(CUSTOMERS, '{"name": 5}', param="name"),
    text(CUSTOMERS, '{"name": {"a": "b"}}', param="name"),
    text(CUSTOMERS, '{"name": ["a"]}', param="name"),
    text(CUSTOMERS, '{"preferred_locales": "de"}', param="preferred_locales"),
    text(INTENTS, '{"amount": 5, "currency": "usd", "confirm": "true"}', param="confirm"),
    text(INTENTS, '{"amount": 5, "currency": "usd", "confirm": 1}', param="confirm"),
    raw(CUSTOMERS + "?name=b", b"name=a", param="name"),
]

EXPANSIONS = [
    raw(INTENTS, b"amount=5&currency=usd&expand[]=nothing", param="expand"),
    raw(INTENTS, b"amount=5&currency=usd&expand[]=data.customer", param="expand"),
    raw(INTENTS, b"amount=5&currency=usd&expand=customer", param="expand"),
    raw(INTENTS, b"amount=5&currency=usd&expand[1]=customer", param="expand[1]"),
    raw(INTENTS, b"amount=5&currency=usd&expand[a]=customer", param="expand[a]"),
    raw(INTENTS, b"amount=5&currency=usd&" + b"&".join([b"expand[]=customer"] * 21), param="expand"),
    raw(
        INTENTS,
        b"amount=5&currency=usd&expand[]=" + b".".join([b"latest_charge.payment_intent"] * 3),
        param="expand",
    ),
    query(INTENTS + "?expand[]=customer", param="expand"),
    query(INTENTS + "?expand[]=data.nothing", param="expand"),
    query(INTENTS + "?expand[]=data", param="expand"),
    query("/v1/balance?expand[]=available", param="expand"),
]

PAGES = [
    *(
        query(f"{path}?limit={limit}", code=INTEGER, param="limit")
        for path in (INTENTS, CUSTOMERS, REFUNDS)
        for limit in ("0", "101", "-1", "ten", "1.5", "9" * 30)
    ),
    query(INTENTS + "?limit=", code=EMPTY, param="limit"),
    query(INTENTS + "?limit=5&limit=6", param="limit"),
    *(
        query(f"{INTENTS}?{name}={cursor}", code="resource_missing", param=name)
        for name in ("starting_after", "ending_before")
        for cursor in ("pi_nobody", "cus_" + "0" * 32, "pi_" + "0" * 32, "x", "%C3%BC", "pi_" + "A" * 32)
    ),
    query(INTENTS + "?starting_after=", code=EMPTY, param="starting_after"),
    query(f"{INTENTS}?starting_after={'x' * 256}", param="starting_after"),
    query(INTENTS + "?starting_after=a&ending_before=b", param="ending_before"),
    query(INTENTS + "?created=1.5", code=INTEGER, param="created"),
    query(INTENTS + "?customer=nobody", code="resource_missing", param="customer"),
    *(
        query(f"{EVENTS}?{name}={value}", code=code, param=name)
        for name, value, code in (
            ("type", "", EMPTY),
            ("type", "charge.*.x", None),
            ("type", "Charge", None),
            ("type", "x" * 501, None),
            ("types[0]", "charge%20failed", None),
            ("types", "charge.failed", None),
            ("created", "1.5", INTEGER),
            ("after_sequence", "-1", INTEGER),
            ("after_sequence", "1.0", INTEGER),
            ("after_sequence", str(2**48), INTEGER),
            ("starting_after", "evt_nobody", "resource_missing"),
            ("ending_before", "evt_" + "0" * 32, "resource_missing"),
            ("ending_before", "pi_" + "0" * 32, "resource_missing"),
            ("limit", "101", INTEGER),
        )
    ),
    query(EVENTS + "?expand[]=data.data", param="expand"),
    query(EVENTS + "?type[]=charge.failed", param="type"),
    query(EVENTS + "?" + "&types[]=charge.failed" * 21, param="types"),
    query(EVENTS + "?type=charge.failed&types[]=charge.failed", param="types"),
    query(EVENTS + "?after_sequence=1&ending_before=evt_" + "0" * 32, param="ending_before"),
    query(EVENTS + "?starting_after=a&ending_before=b", param="ending_before"),
    query("/v1/customers/search", code=MISSING, param="query"),
    query("/v1/customers/search?query=name", param="query"),
    query("/v1/payment_intents/search?query=name:'a'", param="query"),
    query("/v1/charges/search?query=amount>x", param="query"),
    query("/v1/customers/search?query=" + "x" * 1001, param="query"),
    query("/v1/customers/search?query=name:'a'&page=nonsense", param="page"),
]

EVERYTHING = [
    *(*AMOUNTS, *CURRENCIES, *METADATA, *SHAPES, *OPTIONS, *EXPANSIONS, *PAGES, *bad_cash.CASES),
    *(*bad_money_movements.CASES, *bad_setups.SETTING_UP, *bad_setups.TOKENS_AND_SOURCES),
]


def name(bad: Bad) -> str:
    return f"{bad.method} {bad.path[:50]} {bad.content[:60]!r}"


@pytest.mark.parametrize("bad", EVERYTHING, ids=name)
def test_a_bad_parameter_is_named(http: httpx.Client, tenant: Tenant, database: Database, bad: Bad) -> None:
    check_refused(http, tenant, database, bad)


@pytest.mark.parametrize("number", NUMBERS)
def test_json_numbers_that_are_no_whole_numbers_of_ours_are_refused(
    http: httpx.Client, tenant: Tenant, database: Database, number: str
) -> None:
    check_refused(http, tenant, database, text(INTENTS, payment(number), param="amount"))


# Where a text may stand that nobody checks the form of: names, values, keys, queries and paths.
PLACES: list[Any] = [
    ("amount=5&currency=usd&description={}", FORM, "description"),
    ("amount=5&currency=usd&metadata[a]={}", FORM, "metadata[a]"),
    ("amount=5&currency=usd&metadata[{}]=a", FORM, "*"),
    ("amount=5&currency={}", FORM, "currency"),
    ("amount={}&currency=usd", FORM, "amount"),
    ("amount=5&currency=usd&customer={}", FORM, "customer"),
    ("amount=5&currency=usd&expand[]={}", FORM, "*"),
    ("{}=5", FORM, "*"),
]
WRONG_TEXTS = ["%00", "a%00b", "%ED%A0%80", "%ED%B0%80", "%FF", "%C0%AF", "%C3", "%F5%80%80%80"]


@pytest.mark.parametrize("wrong", WRONG_TEXTS)
@pytest.mark.parametrize(("body", "content_type", "param"), PLACES)
def test_nul_surrogates_and_what_is_no_utf8_are_refused_in_forms(
    http: httpx.Client,
    tenant: Tenant,
    database: Database,
    wrong: str,
    body: str,
    content_type: str,
    param: str,
) -> None:
    before = database.counts()
    headers = {"Authorization": f"Bearer {tenant.secret}", "Content-Type": content_type}
    answer = http.post(INTENTS, content=body.format(wrong).encode(), headers=headers)
    error = check_error(answer, 400)
    assert param in {"*", error.get("param")}
    assert database.counts() == before


JSON_TEXTS = [
    "\\u0000",
    "a\\u0000b",
    "\\ud800",
    "\\udc00",
    "\\ud800\\ud800",
    "\\udc00\\ud800",
    "\x00",
    "\x01",
]


@pytest.mark.parametrize("wrong", JSON_TEXTS)
@pytest.mark.parametrize(
    "body",
    [
        '{{"amount": 5, "currency": "usd", "description": "{}"}}',
        '{{"amount": 5, "currency": "usd", "metadata": {{"a": "{}"}}}}',
        '{{"amount": 5, "currency": "usd", "metadata": {{"{}": "a"}}}}',
        '{{"amount": 5, "currency": "{}"}}',
        '{{"amount": 5, "currency": "usd", "{}": "a"}}',
        '{{"amount": 5, "currency": "usd", "expand": ["{}"]}}',
    ],
)
def test_nul_and_surrogates_are_refused_in_json(
    http: httpx.Client, tenant: Tenant, database: Database, wrong: str, body: str
) -> None:
    before = database.counts()
    headers = {"Authorization": f"Bearer {tenant.secret}", "Content-Type": JSON}
    check_error(http.post(INTENTS, content=body.format(wrong).encode(), headers=headers), 400)
    assert database.counts() == before


@pytest.mark.parametrize("wrong", [*WRONG_TEXTS, "x" * 300, "%2e%2e", "a%2Fb", "%20", "ü", "pi_", "%25"])
@pytest.mark.parametrize("path", ["/v1/payment_intents/{}", "/v1/customers/{}", "/v1/payment_methods/{}"])
def test_a_path_that_holds_anything_is_an_unknown_object(
    http: httpx.Client, tenant: Tenant, path: str, wrong: str
) -> None:
    headers = {"Authorization": f"Bearer {tenant.secret}"}
    check_error(http.get(path.format(wrong), headers=headers), 404)
    check_error(http.post(path.format(wrong), headers=headers), 404)


@pytest.mark.parametrize(
    "wrong", [wrong for wrong in WRONG_TEXTS if wrong != "%00"] + ["%00", "a[", "a]", "[", "[]", "=", "a[b]c"]
)
def test_a_query_that_holds_anything_is_refused(
    http: httpx.Client, tenant: Tenant, database: Database, wrong: str
) -> None:
    headers = {"Authorization": f"Bearer {tenant.secret}"}
    for path in (INTENTS, CUSTOMERS, "/v1/customers/search", "/v1/balance"):
        check_error(http.get(f"{path}?{wrong}=1", headers=headers), 400)
        check_error(http.get(f"{path}?query={wrong}&starting_after={wrong}&x={wrong}", headers=headers), 400)
