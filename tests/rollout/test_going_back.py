"""After all routes went back, clients see what both sides have, unless an operator wants otherwise."""

import time

import httpx
import pytest

from fastpay.api.merging import BALANCE
from fastpay.engine.rollout.choice import ALL_LEGACY, RouteState
from fastpay.operations.rollout import MERGED, move
from fastpay.store.connections import connected
from fastpay.store.rollout import list_routes
from tests.rollout.states import run_rollout, side_of
from tests.rollout.test_merged import CUSTOMERS, LISTS
from tests.support.legacy import RawLegacy
from tests.support.old_lists import OldLists, made_at
from tests.support.servers import PATIENCE_SECONDS, RunningServer

READS = {f"GET {path}" for path in (*LISTS, BALANCE)}


def until(shop: httpx.Client, path: str, side: str) -> httpx.Response:
    """Return the answer once a side gives it."""
    end = time.monotonic() + PATIENCE_SECONDS
    while side_of(shown := shop.get(path)) != side:
        assert time.monotonic() < end
        time.sleep(0.02)
    return shown


def test_what_fastpay_has_made_stays_in_lists_and_in_the_balance(
    shop: httpx.Client, front: RunningServer, legacy: RawLegacy
) -> None:
    lists = OldLists({CUSTOMERS: made_at("cus", [5], object="customer"), "/v1/charges": []})
    lists.balance = {"livemode": False, "available": [{"amount": 70, "currency": "usd"}]}
    legacy.otherwise = lists.answer
    own = shop.post(CUSTOMERS, data={"name": "a"}).json()["id"]
    assert f"{len(READS)} lists and balances" in run_rollout(front, "set", "*", "legacy")
    listed = until(shop, CUSTOMERS, "both").json()["data"]
    assert [one["id"] for one in listed] == [own, "cus_Old00000000"]
    assert until(shop, BALANCE, "both").json()["available"][0]["amount"] == 70
    assert side_of(shop.get(f"{CUSTOMERS}/{own}")) == "fastpay"
    # What is new is made there.
    assert side_of(shop.post("/v1/setup_intents")) == "legacy"
    assert run_rollout(front, "set", "*", "legacy", "--alone") == "* legacy\n"
    listed = until(shop, CUSTOMERS, "legacy").json()["data"]
    assert [one["id"] for one in listed] == ["cus_Old00000000"]


@pytest.mark.parametrize(
    ("before", "state", "alone", "merged"),
    [
        ((), ALL_LEGACY, False, False),
        ((RouteState("shadow"), MERGED), ALL_LEGACY, False, False),
        ((RouteState("split", 1),), ALL_LEGACY, False, True),
        ((RouteState("split", 1), ALL_LEGACY), ALL_LEGACY, False, True),
        ((RouteState("fastpay"),), RouteState("shadow"), False, True),
        ((RouteState("fastpay"),), ALL_LEGACY, True, False),
        ((RouteState("split", 1),), RouteState("fastpay"), False, False),
    ],
)
async def test_lists_are_merged_once_fastpay_was_to_make_objects(
    database_url: str, before: tuple[RouteState, ...], state: RouteState, *, alone: bool, merged: bool
) -> None:
    async with connected(database_url) as connection:
        for one in before:
            await move(connection, "POST /v1/refunds", one, changed_by="ada")
        count = await move(connection, "*", state, changed_by="ada", alone=alone)
        states = {change.route: change.state for change in await list_routes(connection)}
    assert states.pop("*").state == state.state
    assert (count, set(states)) == ((len(READS), READS) if merged else (0, set()))
    assert all((one.state, one.percent) == ("split", 0) for one in states.values())
