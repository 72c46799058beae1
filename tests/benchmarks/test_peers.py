"""The peers do what fastpay does: the same rows, no refund beyond what was taken, no key twice."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection

import pytest

from benchmarks.counting import count_rows
from benchmarks.load.machine import Database, Machine, empty_database, fetch_value, run_on
from benchmarks.load.serving import Target, serve
from benchmarks.payments import make_payment

pytest.importorskip("fastapi", reason="the peers are not installed (make test does it)")

PEERS = ("fastapi", "flask")


@contextmanager
def _serving(machine: Machine, name: str) -> Iterator[tuple[Target, Database]]:
    with (
        empty_database(machine, f"peer_{name}", tenants=1) as database,
        serve(
            name,
            database_url=database.url,
            redis_url=machine.redis_url,
            directory=machine.directory,
            workers=4,
        ) as target,
    ):
        yield target, database


def _refund(port: int, key: str, payment: object, amount: int, idempotency_key: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Idempotency-Key": idempotency_key,
    }
    try:
        connection.request("POST", "/v1/refunds", f"payment_intent={payment}&amount={amount}", headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_writes_the_rows_that_we_write(machine: Machine, name: str) -> None:
    ours = count_rows(machine, "fastpay")
    assert ours["refund"] == {"refund": 1, "object_version": 2, "transfer": 1, "event": 2, "idempotency": 1}
    assert count_rows(machine, name) == ours


@pytest.mark.parametrize("name", PEERS)
def test_refunds_at_once_give_back_no_more_than_was_taken(machine: Machine, name: str) -> None:
    with _serving(machine, name) as (target, database):
        (key,) = database.keys
        paid = make_payment(target.port, key)["id"]
        with ThreadPoolExecutor(8) as pool:
            asked = [
                pool.submit(_refund, target.port, key, paid, 600, secrets.token_hex(8)) for _ in range(8)
            ]
            statuses = sorted(one.result()[0] for one in asked)
        assert statuses == [200] * 3 + [400] * 5
        refunded = "select amount_refunded || ' ' || version from charge"
        assert fetch_value(database.url, refunded) == "1800 4"
        # What the ledger says of it: debits are credits, and the processor owes what is left.
        accounts = run_on(database.url, lambda connection: connection.fetch("select * from account"))
        assert sum(one["debits_posted"] - one["credits_posted"] for one in accounts) == 0
        (owed,) = (one for one in accounts if one["code"] == "processor")
        assert (owed["debits_posted"], owed["credits_posted"]) == (2000, 1800)


@pytest.mark.parametrize("name", PEERS)
def test_a_refund_is_made_once_for_each_key(machine: Machine, name: str) -> None:
    with _serving(machine, name) as (target, database):
        (key,) = database.keys
        paid = make_payment(target.port, key)["id"]
        first = _refund(target.port, key, paid, 2000, "one key")
        # All of it is given back: only the key lets the same request through.
        assert first[0] == 200
        assert _refund(target.port, key, paid, 2000, "one key") == first
        assert _refund(target.port, key, paid, 1, "one key")[0] == 400
        assert _refund(target.port, key, paid, 1, "another")[0] == 400
        assert fetch_value(database.url, "select count(*) from refund") == 1
