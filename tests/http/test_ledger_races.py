"""Many clients of two instances at once on few accounts: nothing is lost, made up or ended twice."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from fastpay.domain.identifiers import position_of
from tests.support.api import open_client
from tests.support.doors import HTTP1_TLS, Certificate
from tests.support.ledger_client import Books, open_books
from tests.support.refusals import JSON
from tests.support.servers import RunningServer
from tests.support.tenants import make_tenant

CLIENTS = 8
STEPS = 30
STOCK = 200
CODES = {"insufficient_funds", "hold_already_ended", "hold_expired", "amount_too_large"}


class Player:
    """One client, which moves what it can between wallets, and remembers what it was told."""

    def __init__(self, books: Books, wallets: list[str], holds: list[str], seed: int) -> None:
        self.books = books
        self.wallets = wallets
        self.holds = holds
        self.chance = random.Random(seed)
        self.made: list[str] = []
        self.ended: list[str] = []
        self.codes: set[str] = set()

    def play(self) -> None:
        for step in range(STEPS):
            moves = (self.transfer, self.hold, self.end, self.batch)
            self.chance.choices(moves, weights=(4, 3, 4, 1))[0](f"{id(self)} {step}")

    def send(self, path: str, fields: dict[str, object], key: str) -> dict[str, Any] | None:
        """Send a form, now and then twice: the second answer must be the first."""
        answer = self.books.send(path, fields, key=key)
        if self.chance.random() < 0.3:
            assert self.books.send(path, fields, key=key).content == answer.content
        if answer.status_code == 200:
            body: dict[str, Any] = answer.json()
            return body
        self.codes.add(answer.json()["error"]["code"])
        return None

    def sides(self) -> dict[str, object]:
        debit, credit = self.chance.sample(self.wallets, 2)
        return {"debit_account": debit, "credit_account": credit, "amount": self.chance.randint(1, 120)}

    def transfer(self, key: str) -> None:
        made = self.send("transfers", self.sides(), key)
        if made is not None:
            self.made.append(made["id"])

    def hold(self, key: str) -> None:
        made = self.send("transfers", {**self.sides(), "hold": "true"}, key)
        if made is not None:
            self.made.append(made["id"])
            self.holds.append(made["id"])

    def end(self, key: str) -> None:
        if self.holds:
            hold = self.chance.choice(self.holds[-4:])
            if self.send(f"transfers/{hold}/{self.chance.choice(('post', 'void'))}", {}, key) is not None:
                self.ended.append(hold)

    def batch(self, key: str) -> None:
        items = [{**self.sides(), "linked": place < 2} for place in range(5)]
        headers = {
            "Authorization": f"Bearer {self.books.secret}",
            "Content-Type": JSON,
            "Idempotency-Key": key,
        }
        content = json.dumps({"transfers": items})
        answer = self.books.http.post("/v1/ledger/batches", content=content, headers=headers)
        assert answer.status_code == 200, answer.text
        results = answer.json()["results"]
        assert len({result["id"] is None for result in results[:3]}) == 1
        self.made += [result["id"] for result in results if result["id"] is not None]


@pytest.fixture
def instances(
    server: RunningServer, tls_server: RunningServer, certificate: Certificate
) -> list[httpx.Client]:
    """Clients of two instances on one database."""
    return [
        open_client(server.url),
        HTTP1_TLS.open(tls_server.url, certificate),
    ]


def test_whatever_races_the_books_agree(instances: list[httpx.Client], server: RunningServer) -> None:
    secret = make_tenant(server.database_url).secret
    books = open_books(instances[0], secret)
    wallets = [books.wallet, books.other]
    for wallet in wallets:
        books.transfer(books.source, wallet, STOCK)
    holds: list[str] = []
    players = [
        Player(Books(instances[number % 2], secret), wallets, holds, seed=number) for number in range(CLIENTS)
    ]
    with ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(player.play) for player in players]:
            done.result()

    ended = [hold for player in players for hold in player.ended]
    assert len(ended) == len(set(ended)), "a hold was ended twice"
    codes = set().union(*(player.codes for player in players))
    assert "insufficient_funds" in codes
    assert codes <= CODES
    balances = [books.balance(wallet) for wallet in wallets]
    assert sum(balance["amount"] for balance in balances) == STOCK * len(wallets)
    assert all(balance["available"] >= 0 for balance in balances)
    made = [identifier for player in players for identifier in player.made]
    assert len({position_of(identifier) for identifier in made}) == len(made)
    for identifier in random.Random(0).sample(made, 20):
        assert books.get(f"transfers/{identifier}")["id"] == identifier
    for wallet in wallets:
        check_statement(books, wallet)
    verified = books.get("verify")
    assert verified["problems"] == []
    assert {balance["difference"] for balance in verified["balances"]} == {0}
    for client in instances:
        client.close()


def check_statement(books: Books, wallet: str) -> None:
    """Walk all of an account's entries: each goes on from the balance that the one before it left."""
    entries: list[Any] = []
    page: Any = books.get(f"accounts/{wallet}/entries", limit=100)
    while True:
        entries += page["data"]
        if not page["has_more"]:
            break
        page = books.get(f"accounts/{wallet}/entries", limit=100, starting_after=entries[-1]["id"])
    balance = 0
    for entry in reversed(entries):
        moved = entry["amount"] if entry["type"] in {"transfer", "post"} else 0
        balance += moved if entry["side"] == "credit" else -moved
        assert entry["balance"] == balance
        assert 0 <= entry["available"] <= balance
    assert books.balance(wallet)["amount"] == balance
