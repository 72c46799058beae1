"""Objects of the older API whose identifiers look like fastpay's: once one is seen, no route is split."""

import asyncio
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from fastpay.clock import SystemClock
from fastpay.config import Settings
from fastpay.domain.identifiers import identifier_at
from fastpay.operations.doctor import check_database
from fastpay.operations.findings import Finding
from tests.rollout.recorded import answer_of
from tests.rollout.states import run_rollout, set_all, side_of
from tests.support.legacy import RawLegacy
from tests.support.servers import PATIENCE_SECONDS, RunningServer, execute, fetch

CUSTOMERS = "/v1/customers"
# No other test makes these with such identifiers: the log tells of a prefix once an hour.
SETUPS = "/v1/setup_intents"
SPLIT = ("set", f"POST {SETUPS}", "split=1")
THEIRS = identifier_at("seti", 1_700_000_000_000, 7, 0)
SETUP = {"id": THEIRS, "object": "setup_intent", "created": 1_700_000_000}


@pytest.fixture(autouse=True)
def _nothing_seen(front: RunningServer) -> Iterator[None]:
    execute(front.database_url, "delete from rollout_mistaken")
    yield
    execute(front.database_url, "delete from rollout_mistaken")


def seen(front: RunningServer) -> dict[str, str]:
    """Return the identifiers that were seen, with their routes."""
    rows = fetch(front.database_url, "select identifier, route from rollout_mistaken")
    return {row["identifier"]: row["route"] for row in rows}


async def examined(front: RunningServer) -> list[Finding]:
    """Return what `fastpay doctor` says of the database."""
    settings = Settings(database_url=front.database_url, legacy_url="http://127.0.0.1:9")
    found = check_database(front.database_url, clock=SystemClock(), settings=settings)
    return [one async for one in found]


def until_seen(front: RunningServer, ask: Callable[[], httpx.Response]) -> dict[str, str]:
    """Ask until something was seen: an answer on a route is looked at once a second."""
    end_s = time.monotonic() + PATIENCE_SECONDS
    while not (found := seen(front)):
        assert time.monotonic() < end_s
        assert side_of(ask()) in ("legacy", "both")
        time.sleep(0.1)
    return found


def test_an_older_api_with_identifiers_like_ours_is_told_of_and_no_route_is_split(
    shop: httpx.Client, front: RunningServer, legacy: RawLegacy
) -> None:
    set_all("legacy", shop, server=front)
    legacy.answers[SETUPS] = answer_of(SETUP)
    found = until_seen(front, lambda: shop.post(SETUPS))
    assert found == {THEIRS: f"POST {SETUPS}"}
    told = f"the older API's {THEIRS} looks like an identifier of fastpay (POST {SETUPS}, "
    assert f"no route can be split: {told}" in run_rollout(front, *SPLIT, fails=True)
    assert f"red: no route can be split: {told}" in run_rollout(front, "status")
    assert told in run_rollout(front, "report", "--check", fails=True)
    (finding,) = [one for one in asyncio.run(examined(front)) if one.check == "older API"]
    assert (finding.state, told in finding.seen) == ("fault", True)
    assert f'legacy_identifier_confused route="POST {SETUPS}" identifier={THEIRS}' in front.output
    # On the way back no list is split, either.
    assert "lists and balances" not in run_rollout(front, "set", "*", "legacy")
    # Nothing else is in the way: what cannot be told apart matters where both sides have objects.
    run_rollout(front, "set", f"POST {SETUPS}", "shadow")
    legacy.answers.clear()
    assert run_rollout(front, "forget-identifiers") == "1 were forgotten\n"
    run_rollout(front, *SPLIT)


# A list that no other test has in shadow: the first answers of a route are those that teach noise.
LIST = "/v1/payouts"


@pytest.mark.parametrize("state", ["shadow", "split=0"])
def test_answers_in_shadow_and_parts_of_merged_lists_are_looked_at(
    shop: httpx.Client, front: RunningServer, legacy: RawLegacy, state: str
) -> None:
    payout = {**SETUP, "id": identifier_at("po", 1_700_000_000_000, 7, 0), "object": "payout"}
    legacy.answers[LIST] = answer_of({"object": "list", "data": [payout], "has_more": False})
    set_all(state, shop, server=front)
    assert until_seen(front, lambda: shop.get(LIST)) == {payout["id"]: f"GET {LIST}"}


def test_what_fastpay_has_itself_is_its_own_wherever_it_is_shown(
    shop: httpx.Client, front: RunningServer, legacy: RawLegacy
) -> None:
    own = shop.post(CUSTOMERS, data={"name": "a"}).json()
    set_all("legacy", shop, server=front)
    # The one that is not here is seen with the other: so the answer was looked at.
    # Of a prefix the last one is kept.
    both = [{**own, "id": identifier_at("cus", 1_700_000_000_000, 7, 1)}, own]
    legacy.answers[CUSTOMERS] = answer_of({"object": "list", "data": both, "has_more": False})
    assert until_seen(front, lambda: shop.get(CUSTOMERS)) == {both[0]["id"]: f"GET {CUSTOMERS}"}
