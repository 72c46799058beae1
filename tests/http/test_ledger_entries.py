"""Statements over HTTP: what moved an account, with the balance after each entry."""

import csv
import io
from typing import Any

import httpx
import pytest

from tests.support.ledger_client import Books, open_books
from tests.support.tenants import Tenant


@pytest.fixture(scope="module")
def books(http: httpx.Client, tenant: Tenant) -> Books:
    """Two wallets and what was moved between them and a source."""
    books = open_books(http, tenant.secret)
    books.transfer(books.source, books.wallet, 100)
    books.transfer(books.wallet, books.other, 30)
    posted = books.hold(books.wallet, books.other, 50)
    voided = books.hold(books.wallet, books.other, 5)
    incoming = books.hold(books.source, books.wallet, 7)
    books.post(f"transfers/{posted['id']}/post", amount=20)
    books.post(f"transfers/{voided['id']}/void")
    books.post(f"transfers/{incoming['id']}/post")
    books.transfer(books.other, books.wallet, 3)
    return books


# What the wallet's entries show, oldest first: type, side, amount, balance and what is available.
TOLD = [
    ("transfer", "credit", 100, 100, 100),
    ("transfer", "debit", 30, 70, 70),
    ("hold", "debit", 50, 70, 20),
    ("hold", "debit", 5, 70, 15),
    ("hold", "credit", 7, 70, 15),
    ("post", "debit", 20, 50, 45),
    ("void", "debit", 5, 50, 50),
    ("post", "credit", 7, 57, 57),
    ("transfer", "credit", 3, 60, 60),
]


def told(entries: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return what entries show, oldest first."""
    names = ("type", "side", "amount", "balance", "available")
    return [tuple(entry[name] for name in names) for entry in reversed(entries)]


def test_each_entry_shows_the_balance_after_it(books: Books) -> None:
    entries = books.get(f"accounts/{books.wallet}/entries", limit=100)["data"]
    assert told(entries) == TOLD
    for entry in entries:
        balance = books.balance(books.wallet, sequence=entry["sequence"])
        assert (balance["amount"], balance["available"]) == (entry["balance"], entry["available"])
        assert entry["id"] == "lent_" + entry["transfer"][4:]
        assert (entry["account"], entry["currency"]) == (books.wallet, "usd")


@pytest.mark.parametrize("limit", [1, 2, 4, 9, 10])
def test_pages_in_either_direction_leave_nothing_out(books: Books, limit: int) -> None:
    path = f"accounts/{books.wallet}/entries"
    whole = books.get(path, limit=100)["data"]
    down, page = [], books.get(path, limit=limit)
    while True:
        down += page["data"]
        if not page["has_more"]:
            break
        page = books.get(path, limit=limit, starting_after=page["data"][-1]["id"])
    assert down == whole
    up: list[Any] = []
    page = books.get(path, limit=limit, ending_before=whole[-1]["id"])
    while True:
        up = page["data"] + up
        if not page["has_more"]:
            break
        page = books.get(path, limit=limit, ending_before=page["data"][0]["id"])
    assert up == whole[:-1]


def test_a_statement_comes_as_csv_where_that_is_asked_for(books: Books) -> None:
    path = f"/v1/ledger/accounts/{books.wallet}/entries"
    headers = {"Authorization": f"Bearer {books.secret}", "Accept": "text/csv"}
    answer = books.http.get(path, params={"limit": "4"}, headers=headers)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "accept" in answer.headers["vary"].lower()
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    entries = books.get(f"accounts/{books.wallet}/entries", limit=4)["data"]
    assert [{name: entry[name] for name in rows[0]} for entry in entries] == [
        {name: int(value) if value.isdigit() else value or None for name, value in row.items()}
        for row in rows
    ]
    target, _, relation = answer.headers["link"].partition("; ")
    assert relation == 'rel="next"'
    following = books.http.get(target.strip("<>"), headers=headers)
    older = list(csv.DictReader(io.StringIO(following.text)))
    assert [row["id"] for row in older] == [
        entry["id"] for entry in books.get(f"accounts/{books.wallet}/entries", limit=8)["data"][4:]
    ]
    plain = books.http.get(path, headers={**headers, "Accept": "text/csv;q=0.1, application/json"})
    assert plain.headers["content-type"] == "application/json"


def test_accounts_of_payments_have_statements_too(books: Books, tenant: Tenant) -> None:
    headers = {"Authorization": f"Bearer {tenant.secret}"}
    fields = {"amount": "2000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
    for capture_method in ("automatic", "manual", "automatic"):
        answer = books.http.post(
            "/v1/payment_intents", data={**fields, "capture_method": capture_method}, headers=headers
        )
        assert answer.status_code == 200
        charge = answer.json()["latest_charge"]
        if capture_method == "manual":
            path = f"/v1/payment_intents/{answer.json()['id']}/capture"
            books.http.post(path, data={"amount_to_capture": "500"}, headers=headers)
    own = {account["code"]: account["id"] for account in books.get("accounts", limit=100)["data"]}
    path = f"accounts/{own['processor']}/entries"
    entries = books.get(path, limit=100)["data"]
    assert told(entries) == [
        ("transfer", "debit", 2000, 2000, 2000),
        ("hold", "debit", 2000, 2000, 2000),
        ("post", "debit", 500, 2500, 2500),
        ("transfer", "debit", 2000, 4500, 4500),
    ]
    assert entries[0]["source"] == charge
    assert books.balance(own["processor"])["amount"] == 4500
    assert books.balance(own["processor"], sequence=entries[1]["sequence"])["amount"] == 2500
    first = books.get(path, limit=3)
    assert (first["data"], first["has_more"]) == (entries[:3], True)
    rest = books.get(path, limit=3, starting_after=entries[2]["id"])
    assert (rest["data"], rest["has_more"]) == (entries[3:], False)
    newer = books.get(path, limit=2, ending_before=entries[3]["id"])
    assert (newer["data"], newer["has_more"]) == (entries[1:3], True)


def test_another_accounts_entry_is_no_cursor(books: Books) -> None:
    alone = books.post("accounts", code="alone", currency="usd", normal_side="debit")["id"]
    entry = books.get(f"accounts/{books.wallet}/entries", limit=1)["data"][0]["id"]
    headers = {"Authorization": f"Bearer {books.secret}"}
    for cursor in ("starting_after", "ending_before"):
        answer = books.http.get(
            f"/v1/ledger/accounts/{alone}/entries", params={cursor: entry}, headers=headers
        )
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, "resource_missing", cursor)
    assert books.get(f"accounts/{alone}/entries")["data"] == []
