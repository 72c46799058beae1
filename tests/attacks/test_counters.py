"""Accounts whose counters are nearly full: what does not fit is refused with a name, and nothing ever breaks.

No client moves that much in a lifetime, so that the counters are put there from beside. The accounts are
opened through one instance and attacked through another, which has not read them before. So the instances
have no homes: with homes the first one might have to write what the other is asked for, and it knows the
counters of before.
"""

import concurrent.futures
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastpay import limits
from fastpay.store.sealing import KEY_FILE
from tests.support.api import open_client
from tests.support.ledger_client import Books, open_books
from tests.support.servers import RunningServer, execute, running_server
from tests.support.tenants import Tenant

MOST = limits.ledger_counter_max
LARGEST = 2**63 - 1
FULL = "ledger_account_full"
# Each instance writes what it is asked for.
ALONE = {"FASTPAY_HOMES": "false"}


@pytest.fixture(scope="module")
def server(cluster: Path) -> Iterator[RunningServer]:
    """A server with a database of its own: in it counters and entries do not agree."""
    with running_server("counters", cluster, environment=ALONE) as running:
        yield running


@pytest.fixture(scope="module")
def second(server: RunningServer, cluster: Path) -> Iterator[RunningServer]:
    """Another instance on its database."""
    environment = ALONE | {
        "FASTPAY_DATABASE_URL": server.database_url,
        "FASTPAY_SEALING_KEY_FILE": str(server.data_dir / KEY_FILE),
    }
    with running_server("counters2", cluster, environment=environment) as running:
        yield running


@pytest.fixture
def books(server: RunningServer, second: RunningServer, tenant: Tenant) -> Iterator[Books]:
    """Accounts opened through one instance, and a client of the other."""
    with open_client(server.url) as client:
        opened = open_books(client, tenant.secret)
    with open_client(second.url) as client:
        yield Books(client, tenant.secret, opened.source, opened.wallet, opened.other)


def fill(server: RunningServer, tenant: Tenant, account: str, **counters: int) -> None:
    """Set counters of an account; `account` is an identifier, or the code of one that payments move."""
    values = ", ".join(f"{name} = {value}" for name, value in counters.items())
    which = f"account_id = '{account[5:]}'" if account.startswith("lacc_") else f"code = '{account}'"
    execute(
        server.database_url, f"update account set {values} where tenant_id = '{tenant.tenant_id}' and {which}"
    )


def batch(books: Books, *items: dict[str, Any], **fields: object) -> list[str | None]:
    """Send a batch, and return its codes."""
    answer = books.http.post(
        "/v1/ledger/batches",
        json={"transfers": items, **fields},
        headers={"Authorization": f"Bearer {books.secret}"},
    )
    assert answer.status_code == 200, answer.text
    return [result["code"] for result in answer.json()["results"]]


def verify(books: Books) -> dict[str, Any]:
    found: dict[str, Any] = books.get("verify")
    return found


@pytest.mark.parametrize("room", [4, MOST - LARGEST])
@pytest.mark.parametrize("side", ["debit", "credit"])
def test_a_transfer_that_would_pass_the_bound_is_refused_on_either_side(
    server: RunningServer, tenant: Tenant, books: Books, side: str, room: int
) -> None:
    account = books.source if side == "debit" else books.other
    fill(server, tenant, account, **{f"{side}s_posted": MOST - room})
    sides = books.sides(books.source, books.other)
    for hold in ("true", "false"):
        error = books.refused("transfers", 400, **sides, amount=5, hold=hold)
        assert (error["code"], error["param"]) == (FULL, f"{side}_account")
        assert f"{MOST:,}" in error["message"]
    item = {**sides, "amount": 5}
    linked = [{**books.sides(books.source, books.wallet), "amount": 1, "linked": True}, item]
    chain = ["linked_chain_failed", FULL] if side == "credit" or room > 0 else [FULL, "linked_chain_failed"]
    for dry_run in (True, False):
        assert batch(books, item, item | {"hold": True}, dry_run=dry_run) == [FULL, FULL]
        assert batch(books, *linked, dry_run=dry_run) == chain
    assert books.balance(account)[f"{side}s_posted"] == MOST - room
    assert not verify(books)["ok"]
    if room > 0:
        books.transfer(books.source, books.other, room)
        assert books.balance(account)[f"{side}s_posted"] == MOST
        assert batch(books, item | {"amount": 1}) == [FULL]
    assert books.get(f"accounts/{account}/entries", limit=5)["object"] == "list"


def test_a_hold_counts_as_if_it_was_posted_and_so_can_always_be(
    server: RunningServer, tenant: Tenant, books: Books
) -> None:
    fill(server, tenant, books.source, debits_posted=MOST - 7)
    hold = books.hold(books.source, books.other, 7)
    refused = books.refused("transfers", 400, **books.sides(books.source, books.other), amount=1)
    assert refused["code"] == FULL
    assert batch(books, {**books.sides(books.source, books.other), "amount": 1}) == [FULL]
    assert books.post(f"transfers/{hold['id']}/post")["status"] == "posted"
    assert books.balance(books.source)["debits_posted"] == MOST


def test_what_was_held_before_an_account_was_overfilled_can_be_voided_and_not_posted(
    server: RunningServer, tenant: Tenant, books: Books
) -> None:
    with open_client(server.url) as client:
        first = Books(client, tenant.secret)
        holds = [first.hold(books.source, books.other, 5)["id"] for _ in range(2)]
    fill(server, tenant, books.source, debits_posted=LARGEST)
    assert books.refused(f"transfers/{holds[0]}/post", 400)["code"] == FULL
    for hold in holds:
        assert books.post(f"transfers/{hold}/void")["status"] == "voided"
    assert books.balance(books.source)["debits_pending"] == 0


def test_whatever_races_the_bound_is_never_passed(
    server: RunningServer, tenant: Tenant, books: Books
) -> None:
    fill(server, tenant, books.source, debits_posted=MOST - 20)
    sides = books.sides(books.source, books.other)
    urls = (server.url, str(books.http.base_url))
    clients = [open_client(url) for url in urls]

    def move(number: int) -> str | None:
        racing = Books(clients[number % 2], books.secret)
        if number % 3 == 0:
            return batch(racing, {**sides, "amount": 1})[0]
        answer = racing.send("transfers", {**sides, "amount": 1, "hold": str(number % 3 == 1).lower()})
        return None if answer.status_code == 200 else answer.json()["error"]["code"]

    # Only now does the first instance learn what its accounts hold: the other one has moved the sequence on.
    assert batch(books, {**sides, "amount": 1}) == [None]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(move, range(48)))
    for client in clients:
        client.close()
    assert codes.count(None) == 19
    assert set(codes) == {None, FULL}
    balance = books.balance(books.source)
    assert balance["debits_posted"] + balance["debits_pending"] == MOST


def test_a_payment_that_would_pass_the_bound_is_refused_and_changes_nothing(
    server: RunningServer, tenant: Tenant, books: Books
) -> None:
    form = {"amount": 500, "currency": "usd", "payment_method": "pm_card_bypassPending", "confirm": "true"}
    headers = {"Authorization": f"Bearer {tenant.secret}"}
    with open_client(server.url) as client:
        paid = client.post("/v1/payment_intents", data=form, headers=headers).json()
        held = client.post(
            "/v1/payment_intents", data=form | {"capture_method": "manual"}, headers=headers
        ).json()
    for code in ("processor", "pending", "available", "fees"):
        fill(server, tenant, code, debits_posted=LARGEST, credits_posted=LARGEST)
    before = verify(books)
    refused = [
        books.http.post(path, data=fields, headers=headers)
        for path, fields in (
            ("/v1/payment_intents", form),
            ("/v1/payment_intents", form | {"capture_method": "manual"}),
            (f"/v1/payment_intents/{held['id']}/capture", {}),
            ("/v1/refunds", {"payment_intent": paid["id"]}),
        )
    ]
    assert [(answer.status_code, answer.json()["error"].get("code")) for answer in refused] == [
        (400, FULL)
    ] * 4
    assert verify(books) == before
    canceled = books.http.post(f"/v1/payment_intents/{held['id']}/cancel", headers=headers)
    assert canceled.json()["status"] == "canceled"
    assert books.http.get("/v1/balance", headers=headers).status_code == 200
    entries = books.http.get("/v1/ledger/accounts?code=pending", headers=headers).json()["data"]
    for account in entries:
        books.get(f"accounts/{account['id']}/entries")
        books.balance(account["id"], sequence=1)


def test_a_verification_adds_up_whatever_there_is(
    server: RunningServer, tenant: Tenant, books: Books
) -> None:
    fill(server, tenant, books.source, debits_posted=LARGEST, debits_pending=LARGEST)
    for account in (books.wallet, books.other):
        fill(server, tenant, account, credits_posted=LARGEST)
    found = verify(books)
    (balance,) = found["balances"]
    assert (balance["credits_posted"], balance["difference"]) == (2 * LARGEST, -LARGEST)
    assert not found["ok"]
    assert books.balance(books.source)["available"] == -2 * LARGEST
