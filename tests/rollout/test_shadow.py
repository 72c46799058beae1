"""Reads in shadow: the older API answers, and what fastpay would answer is compared, counted and shown."""

import asyncio
import json
import threading
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from fastpay import limits
from fastpay.store.connections import connected
from tests.rollout.differences import FAULTS, OF_LISTS, without
from tests.rollout.states import run_rollout, set_all, side_of
from tests.support.api import open_client
from tests.support.legacy import Heard, RawLegacy
from tests.support.servers import PATIENCE_SECONDS, RunningServer, fetch
from tests.support.tenants import make_tenant

CHARGES = "/v1/charges"
PAYMENT = {"amount": "1999", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
# Fewer than are compared at once, so that none is dropped.
ROUND = limits.shadow_requests_max // 2


@pytest.fixture
def shop(front: RunningServer) -> Iterator[httpx.Client]:
    """A client of a new tenant, for which both sides may answer. Afterwards all routes are fastpay's."""
    with open_client(front.url, make_tenant(front.database_url).secret) as client:
        set_all("fastpay", client, server=front)
        yield client
        set_all("fastpay", client, server=front)


def answer_of(body: object, status: str = "200 OK", fields: str = "") -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{fields}Content-Length: {len(text)}\r\n\r\n"
    )
    return head.encode() + text


def found(server: RunningServer, path: str = CHARGES) -> dict[tuple[str, str], int]:
    """Return what was counted on a route since it was set."""
    rows = fetch(
        server.database_url,
        "select measure, name, count from rollout_finding where route = $1 and change_id = "
        "(select max(change_id) from rollout_change where route in ($1, '*'))",
        f"GET {path}",
    )
    return {(row["measure"], row["name"]): row["count"] for row in rows}


def wait_for(
    server: RunningServer, is_there: Callable[[dict[tuple[str, str], int]], bool], path: str = CHARGES
) -> dict[tuple[str, str], int]:
    """Return what was counted once it is complete."""
    end_s = time.monotonic() + PATIENCE_SECONDS
    while not is_there(counted := found(server, path)):
        assert time.monotonic() < end_s, counted
        time.sleep(0.05)
    return counted


def outcomes(counted: dict[tuple[str, str], int]) -> dict[str, int]:
    return {name: count for (measure, name), count in counted.items() if measure == "outcome"}


def pay(shop: httpx.Client) -> None:
    for amount in ("1999", "500"):
        shop.post("/v1/payment_intents", data=PAYMENT | {"amount": amount, "metadata[order]": "7"})


def test_each_fault_of_a_candidate_is_found_by_the_first_request_that_shows_it(
    shop: httpx.Client, front: RunningServer, legacy: RawLegacy
) -> None:
    pay(shop)
    page: dict[str, Any] = shop.get(CHARGES).json()
    legacy.answers[CHARGES] = answer_of(page)
    set_all("shadow", shop, server=front, route=f"GET {CHARGES}")
    counted = wait_for(front, lambda counted: outcomes(counted).get("equal", 0) > 0)
    assert outcomes(counted).keys() == {"equal"}
    sent = 0
    for fault in (*FAULTS, *OF_LISTS):
        right = without(fault, page)
        legacy.answers[CHARGES] = answer_of(right)
        shown = shop.get(CHARGES)
        # The client gets what the older API says, whatever this side would say.
        assert (side_of(shown), shown.json()) == ("legacy", right)
        sent += 1
        if sent % ROUND == 0:
            wait_for(front, lambda counted: outcomes(counted).get("differing", 0) == sent)  # noqa: B023
    counted = wait_for(front, lambda counted: outcomes(counted).get("differing", 0) == sent)
    differences = {name for measure, name in counted if measure == "difference"}
    assert {fault.found for fault in (*FAULTS, *OF_LISTS)} <= differences
    report = run_rollout(front, "report", "--check", fails=True)
    assert "GET /v1/charges  red: answers differ" in report
    assert "money data[].amount: 1" in report
    assert "legacy 2000, fastpay 1999" in report or "legacy 501, fastpay 500" in report
    # Nothing that a client wrote.
    assert "value data[].metadata.*" in report
    assert 'fastpay "7"' not in report
    assert "fastpay a text of 1 characters" in report


def test_the_order_of_lists_alone_raises_nothing_once_it_is_learned(
    shop: httpx.Client, front: RunningServer, legacy: RawLegacy
) -> None:
    path = "/v1/customers"
    for name in ("a", "b", "c"):
        shop.post(path, data={"name": name})
    page = shop.get(path).json()
    turns = iter(range(1_000))

    async def shuffled(heard: Heard, reader: StreamReader, writer: StreamWriter) -> None:
        turn = next(turns) % 3
        writer.write(answer_of(page | {"data": page["data"][turn:] + page["data"][:turn]}))
        await writer.drain()

    legacy.answers[path] = shuffled
    set_all("shadow", shop, server=front)
    for sent in range(1, 10):
        shop.get(path)
        counted = wait_for(front, lambda counted: outcomes(counted).get("equal", 0) == sent, path)  # noqa: B023
    assert outcomes(counted).keys() == {"equal"}
    assert counted["hidden", "learned: order data"] >= 5
    status = run_rollout(front, "status")
    assert "GET /v1/customers  shadow" in status
    assert "green  compared=9 equal=9 differing=0 hidden=" in status


def test_zero_compared_is_red(front: RunningServer) -> None:
    run_rollout(front, "set", "GET /v1/refunds", "shadow")
    assert "red: nothing was compared" in run_rollout(front, "report", "--check", fails=True)
    assert "GET /v1/refunds  shadow" in run_rollout(front, "status")


UNCOMPARED = [
    ("legacy_failed", "/v1/refunds", answer_of({"error": {}}, "500 Internal Server Error"), {}),
    ("unreadable", "/v1/refunds", answer_of(b"x", fields="Content-Encoding: br\r\n"), {}),
    ("unreadable", "/v1/refunds", answer_of(b"x" * (limits.shadow_body_bytes_max + 1)), {}),
    ("unsuitable", "/v1/refunds", answer_of({}), {"If-None-Match": '"a"'}),
    ("stranger", "/v1/refunds", answer_of({}), {"Authorization": "Bearer sk_test_OldKeyOfTheOtherSide"}),
]


@pytest.mark.parametrize(("outcome", "path", "answer", "fields"), UNCOMPARED)
def test_what_says_nothing_about_fastpay_is_not_compared(
    shop: httpx.Client,
    front: RunningServer,
    legacy: RawLegacy,
    outcome: str,
    path: str,
    answer: bytes,
    fields: dict[str, str],
) -> None:
    legacy.answers[path] = answer
    set_all("shadow", shop, server=front)
    assert side_of(shop.get(path, headers=fields)) == "legacy"
    counted = wait_for(front, lambda counted: outcomes(counted) != {}, path)
    assert outcomes(counted) == {outcome: 1}


def test_an_object_that_only_the_older_api_has_is_counted_as_absent(
    shop: httpx.Client, front: RunningServer, legacy: RawLegacy
) -> None:
    legacy.answers["/v1/charges/ch_OldCharge1234"] = answer_of({"id": "ch_OldCharge1234"})
    set_all("shadow", shop, server=front)
    assert shop.get("/v1/charges/ch_OldCharge1234").json() == {"id": "ch_OldCharge1234"}
    counted = wait_for(front, lambda counted: outcomes(counted) != {}, "/v1/charges/{id}")
    assert outcomes(counted) == {"absent": 1}


@contextmanager
def unreadable(server: RunningServer, table: str) -> Iterator[None]:
    """Let nobody read a table for the block."""
    locked, stop = threading.Event(), threading.Event()

    async def lock() -> None:
        async with connected(server.database_url) as connection, connection.transaction():
            await connection.execute(f"lock table {table} in access exclusive mode")
            locked.set()
            await asyncio.to_thread(stop.wait, PATIENCE_SECONDS)

    thread = threading.Thread(target=lambda: asyncio.run(lock()))
    thread.start()
    assert locked.wait(PATIENCE_SECONDS)
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_client_does_not_wait_for_fastpay_and_what_is_too_much_is_dropped(
    shop: httpx.Client, front: RunningServer, legacy: RawLegacy
) -> None:
    path, sent = "/v1/refunds", limits.shadow_requests_max + 3
    legacy.answers[path] = answer_of({"data": []})
    set_all("shadow", shop, server=front)
    with unreadable(front, "refund"):
        for _ in range(sent):
            assert shop.get(path).json() == {"data": []}
        counted = wait_for(front, lambda counted: outcomes(counted).get("dropped", 0) > 0, path)
    assert outcomes(counted)["dropped"] <= 3
    counted = wait_for(front, lambda counted: sum(outcomes(counted).values()) == sent, path)
    assert outcomes(counted).keys() <= {"dropped", "unanswered", "differing"}
