"""Lists and balances of a split route: what both sides have, in one answer or in none."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import stripe

from fastpay import limits
from fastpay.api.app import ROUTES
from fastpay.api.merging import BALANCE, why_alone
from tests.rollout.recorded import answer_of, outcomes, wait_for
from tests.rollout.states import insert, run_rollout, set_all, side_of
from tests.support.api import ask
from tests.support.doors import H2, HTTP1, Door
from tests.support.legacy import RawLegacy
from tests.support.old_lists import Object, OldLists, both, made_at, page_of
from tests.support.servers import RunningServer, locked
from tests.support.shop import PAY, Shop

DOORS = (HTTP1, H2)
CUSTOMERS = "/v1/customers"
LISTS = sorted(
    route.path
    for route in ROUTES
    if route.method == "GET"
    and route.path != BALANCE
    and why_alone(route.path, route.endpoint.contract) is None
)
HERE, THERE = 120, 200
TILL = {"code": "till", "currency": "usd", "normal_side": "debit"}
# Money becomes available in its own time, with an event.
MORE = {"/v1/events": {"type": "payment_intent.*"}}


@pytest.fixture
def old(legacy: RawLegacy) -> OldLists:
    """The lists of the older API."""
    lists = OldLists()
    legacy.otherwise = lists.answer
    return lists


@pytest.fixture
def customers(shop: httpx.Client, front: RunningServer, old: OldLists) -> list[Object]:
    """Customers of both sides, some hundreds, of which many were made in the same seconds."""
    for number in range(HERE):
        shop.post(CUSTOMERS, data={"name": str(number)})
    own = everything(shop, CUSTOMERS)
    assert len(own) == HERE
    chance, first, last = random.Random(19), own[-1]["created"], own[0]["created"]
    moments = [chance.randint(first - 60, last + 2) for _ in range(THERE)]
    # Whole pages of one second, on both sides of the first one of fastpay.
    moments += [first] * 12 + [last] * 12
    old.objects[CUSTOMERS] = made_at("cus", moments, object="customer")
    set_all("split=0", shop, server=front)
    return both(own, old.objects[CUSTOMERS])


def everything(client: httpx.Client, path: str, **query: str) -> list[Object]:
    """Return a list, by pages as long as they may be."""
    found: list[Object] = []
    while True:
        after = {"starting_after": found[-1]["id"]} if found else {}
        page = client.get(path, params={"limit": "100", **query, **after}).json()
        found += page["data"]
        if not page["has_more"]:
            return found


def identifiers(objects: list[Any]) -> list[str]:
    return [one["id"] for one in objects]


@pytest.fixture
def sdk(shop: httpx.Client, front: RunningServer) -> Iterator[stripe.StripeClient]:
    """The official client of the same tenant."""
    transport = stripe.RequestsClient()
    key = shop.headers["authorization"].removeprefix("Bearer ")
    yield stripe.StripeClient(
        key, base_addresses={"api": front.url}, http_client=transport, max_network_retries=0
    )
    transport.close()  # type: ignore[no-untyped-call]  # theirs


def test_the_official_client_walks_over_both_sides_without_a_gap_or_a_copy(
    customers: list[Object], sdk: stripe.StripeClient, old: OldLists
) -> None:
    wanted, chance = identifiers(customers), random.Random(7)
    for size in (100, 37, *chance.sample(range(5, 60), 3)):
        # An older API may give less than it is asked for.
        old.limit_max = min(100, size + 20 if size % 2 else 11)
        forward = sdk.v1.customers.list({"limit": size})
        assert [one.id for one in forward.auto_paging_iter()] == wanted
        backward = sdk.v1.customers.list({"limit": size, "ending_before": wanted[-1]})
        assert [one.id for one in backward.auto_paging_iter()] == wanted[-2::-1]


def test_a_page_is_what_a_model_of_one_list_gives(
    customers: list[Object], shop: httpx.Client, shop_door: Door
) -> None:
    chance, seen = random.Random(3), set()
    for _ in range(150):
        query = {"limit": str(chance.choice((1, 2, 3, 10, chance.randint(1, 100))))}
        cursor = chance.choice(("starting_after", "ending_before", None))
        if cursor is not None:
            query[cursor] = chance.choice(customers)["id"]
        for bound in chance.sample(("created[gte]", "created[gt]", "created[lt]", "created[lte]"), 2):
            if chance.random() < 0.4:
                query[bound] = str(chance.choice(customers)["created"])
        shown = shop.get(CUSTOMERS, params=query)
        page = page_of(customers, query, CUSTOMERS)
        assert (side_of(shown), shown.http_version) == ("both", shop_door.version), (query, shown.text)
        assert identifiers(shown.json()["data"]) == identifiers(page["data"]), query
        assert (shown.json()["has_more"], shown.json()["url"]) == (page["has_more"], CUSTOMERS), query
        seen.add((cursor, query.get(cursor or "", "").startswith("cus_Old"), page["has_more"]))
    assert len(seen) == 10


def test_a_page_goes_back_where_the_older_api_has_nothing_older(
    shop: httpx.Client, front: RunningServer, old: OldLists
) -> None:
    for name in "abc":
        shop.post(CUSTOMERS, data={"name": name})
    own = everything(shop, CUSTOMERS)
    newest = own[0]["created"]
    count = limits.page_size_max * limits.merged_pages_max
    old.objects[CUSTOMERS] = made_at("cus", range(newest + 1, newest + 1 + count))
    set_all("split=0", shop, server=front)
    merged = both(own, old.objects[CUSTOMERS])
    for query in ({"limit": "2"}, {"limit": "7"}, {"limit": "7", "created[lt]": str(newest + 5)}):
        query["ending_before"] = own[-1]["id"]
        shown, page = shop.get(CUSTOMERS, params=query).json(), page_of(merged, query, CUSTOMERS)
        assert identifiers(shown["data"]) == identifiers(page["data"])
        assert shown["has_more"] == page["has_more"]
    old.objects[CUSTOMERS] = made_at("cus", range(newest + 1, newest + 2 + count))
    refused = shop.get(CUSTOMERS, params={"ending_before": own[-1]["id"]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "legacy_unmergeable")


def test_every_list_that_both_sides_can_have_is_merged_in_both_directions(
    shop: httpx.Client, front: RunningServer, old: OldLists
) -> None:
    # No payout, which goes on by itself.
    Shop(shop).connect()
    for number in range(4):
        paid = shop.post("/v1/payment_intents", data=PAY | {"amount": f"{number + 5}00"}).json()
        shop.post("/v1/refunds", data={"payment_intent": paid["id"], "amount": "1"})
        shop.post(CUSTOMERS, data={"name": str(number)})
        shop.post("/v1/setup_intents")
    assert {"/v1/charges", "/v1/payment_intents", "/v1/refunds", "/v1/events", "/v1/payouts"} <= set(LISTS)
    wanted = {}
    for path in LISTS:
        own = everything(shop, path, **MORE.get(path, {}))
        moments = [one["created"] for one in own[:: max(1, len(own) // 4)]] or [1_700_000_000]
        old.objects[path] = made_at("old", [*moments, moments[-1] - 9, 1_600_000_000])
        wanted[path] = identifiers(both(own, old.objects[path]))
    set_all("split=50", shop, server=front)
    for path, merged in wanted.items():
        walked, query = list[str](), {"limit": "3", **MORE.get(path, {})}
        while True:
            page = shop.get(path, params=query)
            assert side_of(page) == "both", path
            walked += identifiers(page.json()["data"])
            if not page.json()["has_more"]:
                break
            query["starting_after"] = walked[-1]
        assert walked == merged, path
        walked, query = [merged[-1]], {"limit": "3", **MORE.get(path, {})}
        while len(walked) < len(merged):
            page = shop.get(path, params=query | {"ending_before": walked[0]})
            assert page.json()["has_more"] == (len(walked) + 3 < len(merged)), path
            walked = identifiers(page.json()["data"]) + walked
        assert walked == merged, path


def _ignoring_created(target: str) -> bytes:
    return answer_of({"data": made_at("cus", [1_900_000_000]), "has_more": False})


FAULTS = {
    "refuses": (answer_of({"error": {}}, "400 Bad Request"), "legacy_failed"),
    "fails": (answer_of({"error": {}}, "500 Oh"), "legacy_failed"),
    "no JSON": (answer_of(b"<html>"), "legacy_unmergeable"),
    "no list": (answer_of({"id": "cus_1"}), "legacy_unmergeable"),
    "no time": (answer_of({"data": [{"id": "cus_1"}], "has_more": False}), "legacy_unmergeable"),
    "oldest first": (
        answer_of({"data": made_at("cus", [5, 9])[::-1], "has_more": False}),
        "legacy_unmergeable",
    ),
    "more of nothing": (answer_of({"data": [], "has_more": True}), "legacy_unmergeable"),
    "too long": (answer_of(b" " * limits.merged_part_bytes_max + b"[]"), "legacy_unmergeable"),
    "coded": (answer_of(b"x", fields="Content-Encoding: gzip\r\n"), "legacy_unmergeable"),
    "breaks off": (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "legacy_failed"),
}


def counts_of(server: RunningServer) -> dict[str, int]:
    """Return how many answers of both sides there were by outcome, and the parts that were asked for."""
    lines = ask(server.admin_url + "/metrics").text.splitlines()
    found = {
        re.findall('outcome="([a-z]+)"', name)[0]: int(float(value))
        for name, value in (line.rsplit(" ", 1) for line in lines)
        if name.startswith("fastpay_merged_duration_seconds_count{")
    }
    parts = next(line for line in lines if line.startswith("fastpay_merged_parts_asked_total "))
    return found | {"parts": int(float(parts.split(" ")[1]))}


def test_if_the_older_api_fails_the_answer_is_an_error_and_no_part(
    shop: httpx.Client, shop_door: Door, front: RunningServer, legacy: RawLegacy
) -> None:
    shop.post(CUSTOMERS, data={"name": "a"})
    set_all("split=0", shop, server=front)
    before = counts_of(front)
    for fault, (answer, code) in FAULTS.items():
        legacy.answers[CUSTOMERS] = answer
        shown = shop.get(CUSTOMERS)
        assert (shown.status_code, shown.json()["error"]["code"]) == (502, code), fault
        assert side_of(shown) == "both"
        assert "data" not in shown.json()
    assert shop.get(CUSTOMERS, params={"limit": "0"}).status_code == 400
    del legacy.answers[CUSTOMERS]
    legacy.otherwise = lambda target: answer_of({"data": [], "has_more": False})
    assert shop.get(CUSTOMERS).status_code == 200
    if shop_door == HTTP1:
        # The other door is another instance.
        told = Counter(counts_of(front)) - Counter(before)
        assert (told["failed"], told["refused"], told["answered"]) == (len(FAULTS), 1, 1)
        assert told["parts"] == len(FAULTS) + 1
        assert front.output.count('merge_failed route="GET /v1/customers" status=502') >= len(FAULTS)
    counted = wait_for(front, f"GET {CUSTOMERS}", lambda found: ("outcome", "merged") in found)
    assert outcomes(counted) == {"merged": 1, "unmerged": len(FAULTS)}
    assert f"GET {CUSTOMERS}  split=0" in (status := run_rollout(front, "status"))
    assert f"(merged: of both sides, unmerged={len(FAULTS)}, merged=1)" in status


def test_a_filter_that_the_older_api_does_not_have_is_noticed(
    shop: httpx.Client, front: RunningServer, legacy: RawLegacy
) -> None:
    own = shop.post(CUSTOMERS, data={"name": "a"}).json()
    set_all("split=0", shop, server=front)
    legacy.otherwise = _ignoring_created
    shown = shop.get(CUSTOMERS, params={"starting_after": own["id"]})
    assert shown.json()["error"]["code"] == "legacy_unmergeable"


def test_if_fastpay_fails_the_answer_is_an_error_and_no_part(
    shop: httpx.Client, front: RunningServer, old: OldLists
) -> None:
    old.objects[CUSTOMERS] = made_at("cus", [5, 9])
    set_all("split=0", shop, server=front)
    with locked(front.database_url, "lock table customer in access exclusive mode"):
        shown = shop.get(CUSTOMERS)
    assert shown.status_code == 503
    assert (side_of(shown), "data" in shown.json()) == ("both", False)


def test_what_fastpay_refuses_is_refused(shop: httpx.Client, front: RunningServer, old: OldLists) -> None:
    old.objects[CUSTOMERS] = made_at("cus", [5, 9])
    set_all("split=0", shop, server=front)
    gone = "cus_OldGone00001"
    refused: list[tuple[dict[str, str], str]] = [
        ({"limit": "0"}, "limit"),
        ({"starting_after": gone}, "starting_after"),
        ({"ending_before": "cus_019377f500007000800000000000dead"}, "ending_before"),
        ({"starting_after": gone, "ending_before": gone}, "ending_before"),
        ({"unknown": "1"}, "unknown"),
    ]
    for query, param in refused:
        shown = shop.get(CUSTOMERS, params=query)
        assert (shown.status_code, side_of(shown)) == (400, "both"), query
        assert shown.json()["error"]["param"] == param


def test_what_is_of_one_side_is_asked_of_that_side_alone(
    shop: httpx.Client, front: RunningServer, legacy: RawLegacy, old: OldLists
) -> None:
    own = shop.post(CUSTOMERS, data={"name": "a"}).json()["id"]
    old.objects["/v1/charges"] = []
    set_all("split=100", shop, server=front)
    legacy.heard.clear()
    assert side_of(shop.get("/v1/charges", params={"customer": own})) == "fastpay"
    assert legacy.heard == []
    for path, query in (
        ("/v1/charges", {"customer": "cus_OldCustomer1"}),
        ("/v1/customers/search", {"query": "email:'a@b.example'"}),
        ("/v1/payment_methods", {"type": "card"}),
        ("/v1/events", {"after_sequence": "0"}),
    ):
        assert side_of(shop.get(path, params=query)) == "legacy", path
    # No other API of the dialect has these, whatever the share is.
    set_all("legacy", shop, server=front)
    assert side_of(shop.get("/v1/ledger/accounts")) == "legacy"
    for state in ("fastpay", "split=0"):
        set_all(state, shop, server=front)
    account = shop.post("/v1/ledger/accounts", data=TILL)
    assert (account.status_code, side_of(account)) == (200, "fastpay"), account.text
    for path in ("/v1/ledger/accounts", f"/v1/ledger/accounts/{account.json()['id']}"):
        assert side_of(shop.get(path)) == "fastpay", path
    # Only the older API may know this key.
    stranger = {"Authorization": "Bearer sk_test_of_the_older_api"}
    for path in ("/v1/charges", "/v1/ledger/accounts"):
        assert side_of(shop.get(path, headers=stranger)) == "legacy"
    assert shop.head("/v1/charges").headers["fastpay-served-by"] == "both"
    assert shop.head("/v1/charges").content == b""


def test_filters_reach_both_sides_and_credentials_too(
    shop: httpx.Client, front: RunningServer, legacy: RawLegacy, old: OldLists
) -> None:
    shop.post(CUSTOMERS, data={"email": "a@b.example"})
    shop.post(CUSTOMERS, data={"email": "c@d.example"})
    old.objects[CUSTOMERS] = made_at("cus", [5], email="a@b.example")
    set_all("split=0", shop, server=front)
    shown = shop.get(CUSTOMERS, params={"email": "a@b.example", "limit": "2"})
    assert [one["email"] for one in shown.json()["data"]] == ["a@b.example"] * 2
    heard = legacy.heard[-1]
    assert heard.line == "GET /v1/customers?email=a%40b.example&limit=2 HTTP/1.1"
    assert heard.values("authorization") == [shop.headers["authorization"]]


def test_balances_are_added_by_currency_and_by_type_of_source(
    shop: httpx.Client, front: RunningServer, old: OldLists
) -> None:
    paid = {"currency": "usd", "payment_method": "pm_card_bypassPending", "confirm": "true"}
    shop.post("/v1/payment_intents", data={"amount": "2000", **paid})
    shop.post("/v1/payment_intents", data={"amount": "300", **paid, "payment_method": "pm_card_visa"})
    own = shop.get(BALANCE).json()
    line = {"amount": 70, "currency": "usd", "source_types": {"bank_account": 50, "card": 20}}
    euros = {"amount": -5, "currency": "eur", "source_types": {"card": -5}}
    old.balance = {
        "object": "balance",
        "livemode": False,
        "available": [line, euros],
        "pending": [{"amount": 1, "currency": "usd"}],
        "issuing": {"available": []},
    }
    set_all("split=0", shop, server=front)
    shown = shop.get(BALANCE)
    before = own["available"][0]["amount"]
    assert side_of(shown) == "both"
    assert shown.json()["available"] == [
        euros,
        {
            "amount": before + 70,
            "currency": "usd",
            "source_types": {"bank_account": 50, "card": before + 20},
        },
    ]
    assert shown.json()["pending"][0]["amount"] == own["pending"][0]["amount"] + 1
    assert shown.json()["connect_reserved"] == own["connect_reserved"]
    assert shown.json()["issuing"] == {"available": []}
    wrongs: list[Object] = [{"livemode": True}, {"available": [{"amount": "1"}]}, {"pending": {}}]
    for wrong in wrongs:
        old.balance = {"livemode": False, **wrong}
        refused = shop.get(BALANCE)
        assert (refused.status_code, refused.json()["error"]["code"]) == (502, "legacy_unmergeable")


def test_status_says_what_is_merged_and_why_other_reads_are_not(front: RunningServer) -> None:
    insert(front, "*", "split=10")
    status = run_rollout(front, "status")
    lines = {line.partition("  ")[0]: line for line in status.splitlines()}
    for merged in (*LISTS, BALANCE):
        assert "(merged: of both sides)" in lines[f"GET {merged}"]
        assert "red" not in lines[f"GET {merged}"]
    assert "a search has no order that both sides share" in lines["GET /v1/charges/search"]
    assert "it cannot be asked for by time" in lines["GET /v1/payment_methods"]
    assert "(of fastpay alone: only fastpay has these)" in lines["GET /v1/ledger/accounts"]
    insert(front, "*", "legacy")
    status = run_rollout(front, "status")
    assert status.count("split=0 merges it with what fastpay has made") == len(LISTS) + 1
    insert(front, "*", "fastpay")
