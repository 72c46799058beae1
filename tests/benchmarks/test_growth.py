"""Stored payments are like real ones: the books hold, and they can be read and refunded."""

import asyncio
import json
from contextlib import AbstractContextManager
from http.client import HTTPConnection

import pytest

from benchmarks.load import stored
from benchmarks.load.machine import Database, Machine, empty_database, fetch_value, run_on
from benchmarks.load.serving import Target, serve
from benchmarks.load.stored import Bounds
from benchmarks.payments import make_payment, make_refund

_COUNT = 2_000
_LAST = "select max(payment_intent_id::text) from payment_intent where payment_intent_id <> $1::uuid"


def test_copies_are_payments(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "_STEP", 300)
    advanced: list[int] = []
    with empty_database(machine, "stored", tenants=1) as database:
        (key,) = database.keys
        with _serving(machine, database) as target:
            model = str(make_payment(target.port, key)["id"])
        for first, last in ((1, 10), (11, _COUNT)):
            bounds = Bounds(60, machine.directory, free_bytes_min=0)
            work = stored.store(database.url, model, first, last, bounds, advanced.append)
            assert asyncio.run(work) == last - first + 1
        assert sum(advanced) == _COUNT
        assert fetch_value(database.url, "select count(*) from payment_intent") == _COUNT + 1
        copy = run_on(database.url, lambda connection: connection.fetchval(_LAST, model.removeprefix("pi_")))
        copy = "pi_" + copy.replace("-", "")
        with _serving(machine, database) as target:
            # Sequence, versions, events, balances and references of everything, held against each other.
            verified = _get(target.port, key, "/v1/ledger/verify")
            assert verified["ok"], verified
            shown = _get(target.port, key, f"/v1/payment_intents/{copy}")
            assert (shown["id"], shown["status"], shown["amount"]) == (copy, "succeeded", 2000)
            assert (
                shown["latest_charge"]
                != _get(target.port, key, f"/v1/payment_intents/{model}")["latest_charge"]
            )
            refund = make_refund(target.port, key, copy)
            assert (refund["payment_intent"], refund["charge"]) == (copy, shown["latest_charge"])
            charge = _get(target.port, key, f"/v1/charges/{refund['charge']}")
            assert (charge["payment_intent"], charge["amount_refunded"]) == (copy, 1)
            make_payment(target.port, key)
            assert _get(target.port, key, "/v1/ledger/verify")["ok"]


def test_filling_stops_at_its_bounds(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "_STEP", 10)
    with empty_database(machine, "stored", tenants=1) as database:
        with _serving(machine, database) as target:
            model = str(make_payment(target.port, database.keys[0])["id"])
        for bounds in (Bounds(0, machine.directory, 0), Bounds(60, machine.directory, 1 << 60)):
            first = int(fetch_value(database.url, "select count(*) from payment_intent"))
            done = asyncio.run(stored.store(database.url, model, first, first + 999, bounds, lambda _: None))
            # Each of the two connections finishes the step that it has begun.
            assert done in (10, 20)
            sequence = fetch_value(database.url, "select sequence from book where not livemode")
            assert sequence == 3 * (first + done)


def _serving(machine: Machine, database: Database) -> AbstractContextManager[Target]:
    return serve(
        "fastpay", database_url=database.url, redis_url=machine.redis_url, directory=machine.directory
    )


def _get(port: int, key: str, path: str) -> dict[str, object]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    assert response.status == 200, body
    answer: dict[str, object] = json.loads(body)
    return answer
