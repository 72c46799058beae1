"""Reads in shadow: the older API answers, and what fastpay would answer is compared, counted and shown."""

from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from fastpay import limits
from tests.rollout.differences import FAULTS, OF_LISTS, without
from tests.rollout.recorded import Counted, answer_of, differences, outcomes, wait_for, wait_for_outcomes
from tests.rollout.states import run_rollout, set_all, side_of
from tests.support.legacy import Heard, RawLegacy
from tests.support.servers import RunningServer, locked

CHARGES = "/v1/charges"
PAYMENT = {"amount": "1999", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
# Fewer than are compared at once, so that none is dropped.
ROUND = limits.shadow_requests_max // 2


def pay(shop: httpx.Client) -> None:
    for amount in ("1999", "500"):
        shop.post("/v1/payment_intents", data=PAYMENT | {"amount": amount, "metadata[order]": "7"})


def test_each_fault_of_a_candidate_is_found_by_the_first_request_that_shows_it(
    shop: httpx.Client, front: RunningServer, legacy: RawLegacy
) -> None:
    pay(shop)
    page: dict[str, Any] = shop.get(CHARGES).json()
    # Asked again for what it does not say alike, it gives the same answer to the same request.
    pages: dict[str, dict[str, Any]] = {}
    route = f"GET {CHARGES}"

    async def of_limit(heard: Heard, reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(answer_of(pages.get(heard.line.partition("limit=")[2].partition(" ")[0], page)))
        await writer.drain()

    legacy.answers[CHARGES] = of_limit
    set_all("shadow", shop, server=front, route=route)
    counted = wait_for_outcomes(front, route, 1)
    assert outcomes(counted).keys() == {"equal"}
    sent = 0
    for fault in (*FAULTS, *OF_LISTS):
        right = without(fault, page)
        limit = str(20 + sent)
        pages[limit] = right
        shown = shop.get(CHARGES, params={"limit": limit})
        # The client gets what the older API says, whatever this side would say.
        assert (side_of(shown), shown.json()) == ("legacy", right)
        sent += 1
        if sent % ROUND == 0:
            wait_for(front, route, lambda counted: outcomes(counted).get("differing", 0) == sent)  # noqa: B023
    counted = wait_for(front, route, lambda counted: outcomes(counted).get("differing", 0) == sent)
    assert {fault.found for fault in (*FAULTS, *OF_LISTS)} <= differences(counted)
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
        counted = wait_for_outcomes(front, f"GET {path}", sent)
    assert outcomes(counted).keys() == {"equal"}
    assert counted["hidden", "learned: order data"] >= 5
    status = run_rollout(front, "status")
    assert "GET /v1/customers  shadow" in status
    assert "green  compared=9 equal=9 differing=0 hidden=" in status
    # How long both sides took, of each pair.
    assert sum(counted.get(("latency", name), 0) for name in ("slower", "not slower")) == 9
    assert "  legacy p50=" in status


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
    assert outcomes(wait_for_outcomes(front, f"GET {path}", 1)) == {outcome: 1}


def test_an_object_that_only_the_older_api_has_is_counted_as_absent(
    shop: httpx.Client, front: RunningServer, legacy: RawLegacy
) -> None:
    legacy.answers["/v1/charges/ch_OldCharge1234"] = answer_of({"id": "ch_OldCharge1234"})
    set_all("shadow", shop, server=front)
    assert shop.get("/v1/charges/ch_OldCharge1234").json() == {"id": "ch_OldCharge1234"}
    assert outcomes(wait_for_outcomes(front, "GET /v1/charges/{id}", 1)) == {"absent": 1}


@contextmanager
def unreadable(server: RunningServer, table: str) -> Iterator[None]:
    """Let nobody read a table for the block."""
    with locked(server.database_url, f"lock table {table} in access exclusive mode"):
        yield


def test_a_client_does_not_wait_for_fastpay_and_what_is_too_much_is_dropped(
    shop: httpx.Client, front: RunningServer, legacy: RawLegacy
) -> None:
    path, sent = "/v1/refunds", limits.shadow_requests_max + 3
    legacy.answers[path] = answer_of({"data": []})
    set_all("shadow", shop, server=front)
    counted: Counted = {}
    with unreadable(front, "refund"):
        # At most so many wait for the table at once, each until its deadline.
        while not outcomes(counted).get("dropped"):
            for _ in range(sent):
                assert shop.get(path).json() == {"data": []}
            counted = wait_for_outcomes(front, f"GET {path}", 1)
    assert outcomes(counted).keys() <= {"dropped", "unanswered"}
