"""The peers do what fastpay does: the same rows, no refund beyond what was taken, no key twice."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

from benchmarks.counting import count_rows
from benchmarks.load.machine import Database, Machine, empty_database, fetch_value, run_on
from benchmarks.load.serving import Target, serve
from benchmarks.payments import make_payment

pytest.importorskip("fastapi", reason="the peers are not installed (make test does it)")

PEERS = ("fastapi", "flask")


@pytest.fixture(scope="module", params=PEERS)
def served(machine: Machine, request: pytest.FixtureRequest) -> Iterator[tuple[Target, Database]]:
    """A peer that serves two tenants: each test has one to itself."""
    name = request.param
    with (
        empty_database(machine, f"peer_{name}", tenants=2) as database,
        serve(
            name,
            database_url=database.url,
            redis_url=machine.redis_url,
            directory=machine.directory,
            workers=2,
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


def test_the_peers_write_the_rows_that_we_write(machine: Machine) -> None:
    ours = count_rows(machine, "fastpay")
    assert ours["refund"] == {"refund": 1, "object_version": 2, "transfer": 1, "event": 2, "idempotency": 1}
    assert {name: count_rows(machine, name) for name in PEERS} == dict.fromkeys(PEERS, ours)


def test_refunds_at_once_give_back_no_more_than_was_taken(served: tuple[Target, Database]) -> None:
    target, database = served
    key, _ = database.keys
    paid = make_payment(target.port, key)["id"]
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(_refund, target.port, key, paid, 600, secrets.token_hex(8)) for _ in range(8)]
        statuses = sorted(one.result()[0] for one in asked)
    assert statuses == [200] * 3 + [400] * 5
    # The other test's payment has not been made yet, or is not this tenant's.
    whose = "where tenant_id = (select tenant_id from tenant where name = 'bench 0')"
    refunded = f"select amount_refunded || ' ' || version from charge {whose}"
    assert fetch_value(database.url, refunded) == "1800 4"
    # What the ledger says of it: debits are credits, and the processor owes what is left.
    accounts = run_on(database.url, lambda connection: connection.fetch(f"select * from account {whose}"))
    assert sum(one["debits_posted"] - one["credits_posted"] for one in accounts) == 0
    (owed,) = (one for one in accounts if one["code"] == "processor")
    assert (owed["debits_posted"], owed["credits_posted"]) == (2000, 1800)


def test_a_refund_is_made_once_for_each_key(served: tuple[Target, Database]) -> None:
    target, database = served
    _, key = database.keys
    paid = make_payment(target.port, key)["id"]
    first = _refund(target.port, key, paid, 2000, "one key")
    # All of it is given back: only the key lets the same request through.
    assert first[0] == 200
    assert _refund(target.port, key, paid, 2000, "one key") == first
    assert _refund(target.port, key, paid, 1, "one key")[0] == 400
    assert _refund(target.port, key, paid, 1, "another")[0] == 400
    whose = "where tenant_id = (select tenant_id from tenant where name = 'bench 1')"
    assert fetch_value(database.url, f"select count(*) from refund {whose}") == 1
