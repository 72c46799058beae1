"""The ledger over HTTP: accounts of a tenant's own, transfers between them, holds and their ends."""

import time

import httpx
import pytest

from benchmarks.samples import FEES
from tests.support.ledger_client import Books, open_books
from tests.support.refusals import check_error
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant, make_tenant


@pytest.fixture(scope="module")
def tenant(server: RunningServer) -> Tenant:
    """A tenant whose rules have a fee."""
    return make_tenant(server.database_url, FEES)


@pytest.fixture(scope="module")
def books(http: httpx.Client, tenant: Tenant) -> Books:
    """A source without a bound and two wallets that cannot fall below zero."""
    return open_books(http, tenant.secret)


def test_an_account_is_opened_retrieved_and_listed(books: Books) -> None:
    opened = books.post(
        "accounts",
        code="wallet:7",
        currency="EUR",
        normal_side="credit",
        min_balance="0",
        **{"metadata[a]": "b"},
    )
    assert opened == {
        "id": opened["id"],
        "object": "ledger_account",
        "balance": "lbal_" + opened["id"][5:],
        "code": "wallet:7",
        "created": opened["created"],
        "currency": "eur",
        "livemode": False,
        "metadata": {"a": "b"},
        "min_balance": 0,
        "normal_side": "credit",
    }
    assert abs(opened["created"] - time.time()) < 60
    assert books.get(f"accounts/{opened['id']}") == opened
    assert books.get("accounts", code="wallet:7", limit=1)["data"] == [opened]
    assert opened in books.get("accounts", limit=100)["data"]


def test_a_transfer_moves_what_both_accounts_hold(books: Books) -> None:
    moved = books.transfer(books.source, books.wallet, 700)
    assert (moved["type"], moved["status"], moved["amount_posted"]) == ("transfer", "posted", 700)
    assert books.get(f"transfers/{moved['id']}") == moved
    assert books.get("transfers", limit=1)["data"] == [moved]
    balance = books.balance(books.wallet)
    assert (balance["amount"], balance["available"], balance["credits_posted"]) == (700, 700, 700)
    assert books.balance(books.source)["amount"] == -700
    books.transfer(books.wallet, books.source, 700)


def test_no_account_falls_below_its_bound(books: Books) -> None:
    books.transfer(books.source, books.wallet, 100)
    error = books.refused("transfers", 402, **books.sides(books.wallet, books.other), amount=101)
    assert (error["code"], error["param"]) == ("insufficient_funds", "debit_account")
    books.transfer(books.wallet, books.source, 100)
    assert books.balance(books.wallet)["amount"] == 0


def test_a_hold_reserves_and_its_post_moves_a_part(books: Books) -> None:
    books.transfer(books.source, books.wallet, 100)
    hold = books.hold(books.wallet, books.other, 80)
    assert (hold["type"], hold["status"], hold["amount_posted"]) == ("hold", "held", 0)
    balance = books.balance(books.wallet)
    assert (balance["amount"], balance["available"], balance["debits_pending"]) == (100, 20, 80)
    error = books.refused("transfers", 402, **books.sides(books.wallet, books.other), amount=21)
    assert error["code"] == "insufficient_funds"
    error = books.refused(f"transfers/{hold['id']}/post", 400, amount=81)
    assert (error["code"], error["param"]) == ("amount_too_large", "amount")

    posted = books.post(f"transfers/{hold['id']}/post", amount=30)
    assert (posted["status"], posted["amount"], posted["amount_posted"]) == ("posted", 80, 30)
    ended_by = books.get(f"transfers/{posted['ended_by']}")
    assert (ended_by["type"], ended_by["hold"], ended_by["amount"]) == ("post", hold["id"], 30)
    assert books.get(f"transfers/{hold['id']}") == posted
    assert books.balance(books.wallet)["available"] == 70
    for end in ("post", "void"):
        error = books.refused(f"transfers/{hold['id']}/{end}", 400)
        assert (error["code"], error["param"]) == ("hold_already_ended", "id")
    books.transfer(books.wallet, books.source, 70)
    books.transfer(books.other, books.source, 30)


def test_a_void_gives_back_what_was_reserved(books: Books) -> None:
    books.transfer(books.source, books.wallet, 100)
    hold = books.hold(books.wallet, books.other, 80)
    voided = books.post(f"transfers/{hold['id']}/void")
    assert (voided["status"], voided["amount_posted"]) == ("voided", 0)
    assert books.balance(books.wallet)["available"] == 100
    error = books.refused(f"transfers/{hold['id']}/post", 400)
    assert error["code"] == "hold_already_ended"
    moved = books.transfer(books.wallet, books.source, 100)
    error = books.refused(f"transfers/{moved['id']}/void", 400)
    assert (error["code"], error["param"]) == ("ledger_transfer_not_held", "id")


def test_a_balance_is_told_as_of_a_place_in_the_sequence(books: Books) -> None:
    first = books.transfer(books.source, books.wallet, 10)
    hold = books.hold(books.wallet, books.other, 4)
    posted = books.post(f"transfers/{hold['id']}/post")
    last = books.get(f"transfers/{posted['ended_by']}")
    told = [
        (balance["amount"], balance["available"], balance["sequence"])
        for moment in (first["sequence"] - 1, first["sequence"], hold["sequence"], last["sequence"])
        for balance in [books.balance(books.wallet, sequence=moment)]
    ]
    places = [first["sequence"] - 1, first["sequence"], hold["sequence"], last["sequence"]]
    assert told == list(zip((0, 10, 10, 6), (0, 10, 6, 6), places, strict=True))
    now = books.balance(books.wallet, at=int(time.time()) + 60)
    assert (now["amount"], now["sequence"]) == (6, last["sequence"])
    assert books.balance(books.wallet, at=0)["sequence"] == 0
    books.transfer(books.wallet, books.source, 6)
    books.transfer(books.other, books.source, 4)


def test_balances_can_be_expanded_in_accounts_and_accounts_in_transfers(books: Books) -> None:
    moved = books.transfer(books.source, books.wallet, 10, **{"expand[]": "credit_account.balance"})
    assert moved["credit_account"]["balance"]["amount"] == 10
    listed = books.get("accounts", **{"code": "wallet", "expand[]": "data.balance"})["data"]
    assert {account["balance"]["object"] for account in listed} == {"ledger_balance"}
    books.transfer(books.wallet, books.source, 10)


def test_a_replay_shows_the_hold_as_it_stood_and_the_balance_too(books: Books) -> None:
    books.transfer(books.source, books.wallet, 10)
    fields = {**books.sides(books.wallet, books.other), "amount": 4, "hold": "true"}
    fields["expand[]"] = "debit_account.balance"
    first = books.send("transfers", fields, key=f"hold of {books.wallet}")
    hold = first.json()
    books.post(f"transfers/{hold['id']}/post")
    again = books.send("transfers", fields, key=f"hold of {books.wallet}")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.content == first.content
    assert hold["debit_account"]["balance"]["available"] == 6
    other = books.send("transfers", {**fields, "amount": 5}, key=f"hold of {books.wallet}")
    assert other.json()["error"]["type"] == "idempotency_error"
    books.transfer(books.wallet, books.source, 6)
    books.transfer(books.other, books.source, 4)


def test_clients_read_the_accounts_of_payments_and_do_not_move_them(books: Books, tenant: Tenant) -> None:
    headers = {"Authorization": f"Bearer {tenant.secret}"}
    fields = {"amount": "2000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
    before = books.get("transfers", limit=1)["data"][0]["sequence"]
    check = books.http.post("/v1/payment_intents", data=fields, headers=headers)
    assert check.status_code == 200
    own = {account["code"]: account for account in books.get("accounts", limit=100)["data"]}
    assert {"processor", "pending", "fees"} <= own.keys()
    pending = own["pending"]
    assert pending["created"] is None
    assert books.get(f"accounts/{pending['id']}") == pending
    balance = books.balance(pending["id"])
    assert balance["amount"] == balance["credits_posted"] - balance["debits_posted"] > 0
    assert books.balance(pending["id"], sequence=before)["amount"] == 0
    for sides, param in (
        ((pending["id"], books.wallet), "debit_account"),
        ((books.source, pending["id"]), "credit_account"),
    ):
        error = books.refused("transfers", 400, **books.sides(*sides), amount=1)
        assert (error["code"], error["param"]) == ("ledger_account_reserved", param)
    error = books.refused("accounts", 400, code="fees", currency="usd", normal_side="credit")
    assert (error["code"], error["param"]) == ("ledger_code_reserved", "code")


def test_accounts_of_a_transfer_are_two_in_one_currency(books: Books) -> None:
    error = books.refused("transfers", 400, **books.sides(books.wallet, books.wallet), amount=1)
    assert (error["code"], error["param"]) == ("ledger_accounts_equal", "credit_account")
    euro = books.post("accounts", code="euro", currency="eur", normal_side="credit")["id"]
    error = books.refused("transfers", 400, **books.sides(books.source, euro), amount=1)
    assert (error["code"], error["param"]) == ("currency_mismatch", "credit_account")
    nobody = "lacc_" + "0" * 32
    error = books.refused("transfers", 404, **books.sides(books.source, nobody), amount=1)
    assert (error["code"], error["param"]) == ("resource_missing", "credit_account")


def test_a_hold_past_its_time_is_ended_by_whoever_comes_first(books: Books) -> None:
    books.transfer(books.source, books.wallet, 10)
    due = int(time.time()) + 2
    hold = books.hold(books.wallet, books.other, 10, expires_at=due)
    assert hold["expires_at"] == due
    while time.time() < due:
        time.sleep(0.05)
    # The housekeeper may have been here before.
    error = books.refused(f"transfers/{hold['id']}/post", 400)
    assert (error["code"], error["param"]) == ("hold_expired", "id")
    ended = books.get(f"transfers/{hold['id']}")
    assert (ended["status"], ended["amount_posted"]) == ("expired", 0)
    assert books.get(f"transfers/{ended['ended_by']}")["type"] == "expiry"
    assert books.balance(books.wallet)["available"] == 10
    error = books.refused(f"transfers/{hold['id']}/void", 400)
    assert error["code"] == "hold_expired"
    books.transfer(books.wallet, books.source, 10)


def test_the_books_agree_after_all_of_this(books: Books) -> None:
    found = books.get("verify")
    assert found["problems"] == []
    for balance in found["balances"]:
        assert balance["debits_pending"] == balance["credits_pending"]
        assert balance["difference"] == 0


def test_only_secret_keys_reach_the_ledger(books: Books, tenant: Tenant) -> None:
    headers = {"Authorization": f"Bearer {tenant.publishable}"}
    for method, path in (
        ("GET", "accounts"),
        ("POST", "accounts"),
        ("GET", "transfers"),
        ("POST", "transfers"),
    ):
        check_error(books.http.request(method, f"/v1/ledger/{path}", headers=headers), 403)
