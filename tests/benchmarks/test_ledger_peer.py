"""The ledger's peer on real servers: our rows, no account below its bound, one transfer for each key."""

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection

import pytest

from benchmarks.ledger import count_rows, verify
from benchmarks.load.machine import Database, Machine, empty_database, execute, fetch_value
from benchmarks.load.serving import Target, serve
from benchmarks.load.transfers import open_accounts

pytest.importorskip("fastapi", reason="the peers are not installed (make test does it)")


class Bank:
    """A server, and three accounts of a test's own, the second of which cannot fall below zero."""

    def __init__(self, target: Target, database: Database) -> None:
        self.database = database
        self.accounts = open_accounts(database, 3)
        self.bounded = self.accounts[1].removeprefix("lacc_")
        self._port = target.port
        execute(database.url, f"update account set min_balance = 0 where account_id = '{self.bounded}'")

    def move(self, debit: int, credit: int, amount: int, *, key: str | None = None) -> tuple[int, bytes]:
        """Ask for a transfer between two accounts, by their numbers."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        headers = {
            "Authorization": f"Bearer {self.database.keys[0]}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Idempotency-Key": key or secrets.token_hex(8),
        }
        body = f"debit_account={self.accounts[debit]}&credit_account={self.accounts[credit]}&amount={amount}"
        try:
            connection.request("POST", "/v1/ledger/transfers", body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


@contextmanager
def serving(machine: Machine, name: str) -> Iterator[tuple[Target, Database]]:
    with (
        empty_database(machine, f"peer_{name}", tenants=1) as database,
        serve(
            name,
            database_url=database.url,
            redis_url=machine.redis_url,
            directory=machine.directory,
            workers=2,
        ) as target,
    ):
        yield target, database


@pytest.fixture(scope="module")
def peer(machine: Machine) -> Iterator[tuple[Target, Database]]:
    with serving(machine, "fastapi_ledger") as served:
        yield served


def rows_of_one(target: Target, database: Database) -> dict[str, int]:
    one = Bank(target, database)
    before = count_rows(database)
    assert one.move(0, 1, 5)[0] == 200
    return {table: count - before[table] for table, count in count_rows(database).items()}


def test_the_peer_writes_the_rows_that_we_write(machine: Machine, peer: tuple[Target, Database]) -> None:
    with serving(machine, "fastpay") as served:
        ours = rows_of_one(*served)
    assert {table: count for table, count in ours.items() if count} == {
        "ledger_transfer": 1,
        "event": 1,
        "idempotency": 1,
    }
    assert rows_of_one(*peer) == ours


def test_transfers_at_once_take_no_more_than_there_is_and_the_books_agree(
    peer: tuple[Target, Database],
) -> None:
    one = Bank(*peer)
    assert one.move(0, 1, 2000)[0] == 200
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(one.move, 1, number % 2 * 2, 600) for number in range(8)]
        statuses = sorted(answer.result()[0] for answer in asked)
    assert statuses == [200] * 3 + [400] * 5
    moved = f"select credits_posted || ' ' || debits_posted from account where account_id = '{one.bounded}'"
    assert fetch_value(one.database.url, moved) == "2000 1800"
    verify(one.database)


def test_a_transfer_is_made_once_for_each_key(peer: tuple[Target, Database]) -> None:
    one = Bank(*peer)
    url = one.database.url
    last = fetch_value(url, "select sequence from book where not livemode")
    before = fetch_value(url, "select count(*) from ledger_transfer")
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(one.move, 0, 1, 7, key="one key") for _ in range(8)]
        answers = {answer.result() for answer in asked}
    assert len(answers) == 1
    status, text = answers.pop()
    assert (status, json.loads(text)["sequence"]) == (200, last + 1)
    assert one.move(0, 1, 8, key="one key")[0] == 400
    assert fetch_value(url, "select count(*) from ledger_transfer") == before + 1
    verify(one.database)
