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
from benchmarks.load.serving import serve
from benchmarks.load.transfers import open_accounts

pytest.importorskip("fastapi", reason="the peers are not installed (make test does it)")


class Bank:
    """A server with three accounts, the second of which cannot fall below zero."""

    def __init__(self, port: int, database: Database, accounts: list[str]) -> None:
        self.database = database
        self.accounts = accounts
        self._port = port

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
def bank(machine: Machine, name: str) -> Iterator[Bank]:
    with empty_database(machine, f"peer_{name}", tenants=1) as database:
        accounts = open_accounts(database, 3)
        bounded = accounts[1].removeprefix("lacc_")
        execute(database.url, f"update account set min_balance = 0 where account_id = '{bounded}'")
        with serve(
            name,
            database_url=database.url,
            redis_url=machine.redis_url,
            directory=machine.directory,
            workers=2,
        ) as target:
            yield Bank(target.port, database, accounts)


def rows_of_one(machine: Machine, name: str) -> dict[str, int]:
    with bank(machine, name) as one:
        before = count_rows(one.database)
        assert one.move(0, 1, 5)[0] == 200
        return {table: count - before[table] for table, count in count_rows(one.database).items()}


def test_the_peer_writes_the_rows_that_we_write(machine: Machine) -> None:
    ours = rows_of_one(machine, "fastpay")
    assert {table: count for table, count in ours.items() if count} == {
        "ledger_transfer": 1,
        "event": 1,
        "idempotency": 1,
    }
    assert rows_of_one(machine, "fastapi_ledger") == ours


def test_transfers_at_once_take_no_more_than_there_is_and_the_books_agree(machine: Machine) -> None:
    with bank(machine, "fastapi_ledger") as one:
        assert one.move(0, 1, 2000)[0] == 200
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(one.move, 1, number % 2 * 2, 600) for number in range(8)]
            statuses = sorted(answer.result()[0] for answer in asked)
        assert statuses == [200] * 3 + [400] * 5
        moved = "select credits_posted || ' ' || debits_posted from account where min_balance = 0"
        assert fetch_value(one.database.url, moved) == "2000 1800"
        verify(one.database)


def test_a_transfer_is_made_once_for_each_key(machine: Machine) -> None:
    with bank(machine, "fastapi_ledger") as one:
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(one.move, 0, 1, 7, key="one key") for _ in range(8)]
            answers = {answer.result() for answer in asked}
        assert len(answers) == 1
        status, text = answers.pop()
        assert (status, json.loads(text)["sequence"]) == (200, 4)
        assert one.move(0, 1, 8, key="one key")[0] == 400
        assert fetch_value(one.database.url, "select count(*) from ledger_transfer") == 1
        verify(one.database)
