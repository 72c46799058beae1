import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastpay._native.routing import Table
from tests.reference import routing as oracle

ROUTES = [
    ("GET", "/", "root"),
    ("GET", "/v1/payment_intents", "list"),
    ("POST", "/v1/payment_intents", "create"),
    ("GET", "/v1/payment_intents/search", "search"),
    ("GET", "/v1/payment_intents/{id}", "retrieve"),
    ("POST", "/v1/payment_intents/{id}", "update"),
    ("POST", "/v1/payment_intents/{id}/confirm", "confirm"),
    ("GET", "/v1/transfers/{id}/reversals/{reversal}", "reversal"),
    ("DELETE", "/v1/{kind}/{name}", "delete"),
    ("GET", "/v1/ledger/accounts/{account}/entries", "entries"),
]
SEGMENTS = st.sampled_from(
    [
        "v1",
        "payment_intents",
        "search",
        "pi_1",
        "confirm",
        "",
        "ledger",
        "accounts",
        "entries",
        "transfers",
        "é\n",
    ]
)


@settings(max_examples=1000, deadline=None)
@given(
    st.sampled_from(["GET", "POST", "DELETE", "HEAD", "get"]),
    st.lists(SEGMENTS, max_size=6).map("/".join),
    st.sampled_from(["/", "", "//"]),
)
def test_the_table_and_its_oracle_find_the_same(method: str, rest: str, start: str) -> None:
    table: Table[str] = Table[str](ROUTES)
    plain = oracle.Table(ROUTES)
    path = start + rest
    assert table.lookup(method, path) == plain.lookup(method, path)
    assert table.methods(path) == plain.methods(path)


def test_every_route_is_found_with_its_parameters() -> None:
    table = Table(ROUTES)
    for method, path, endpoint in ROUTES:
        found = table.lookup(method, path.replace("{", "").replace("}", ""))
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        assert found == (endpoint, {name: name for name in names})


def test_a_literal_is_preferred_whatever_the_method() -> None:
    table = Table(ROUTES)
    assert table.lookup("GET", "/v1/payment_intents/search") == ("search", {})
    assert table.lookup("POST", "/v1/payment_intents/search") is None
    assert table.methods("/v1/payment_intents/search") == {"GET"}
    assert table.methods("/v1/payment_intents/pi_1") == {"GET", "POST"}
    assert table.methods("/v1/customers/cus_1") == {"DELETE"}


@pytest.mark.parametrize("path", ["", "v1", "/v1/", "/v1/payment_intents/", "/v1//pi_1", "*", "//"])
def test_paths_that_are_no_route_are_missed(path: str) -> None:
    assert Table(ROUTES).lookup("GET", path) is None


@pytest.mark.parametrize(
    "path", ["v1", "/a{b}", "/{a}{b}", "/{}", "/{a b}", "/{a}/{a}", "/v1/payment_intents"]
)
def test_paths_that_a_table_cannot_hold_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match=re.escape(path)):
        Table([*ROUTES, ("GET", path, "x")])
