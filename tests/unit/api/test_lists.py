"""Lists over fake ports: pages, cursors, ranges of time, filters and searches."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from fastpay._native.headers import Headers
from fastpay.api.context import Call
from fastpay.api.list_params import ListParams
from fastpay.api.lists import List, Owner
from fastpay.api.resources.charges import CHARGE
from fastpay.api.search import parse
from fastpay.domain import kinds
from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Versioned
from fastpay.engine.ports import Credentials, Filter, Page
from tests.unit.api.fakes import NOW_MS, OTHER, SECRET, Api

ABSENT = "0199e9b7e0007abc8def012345678901"
NOW_S = NOW_MS // 1000


@pytest.fixture
def api() -> Api:
    return Api()


def _customers(api: Api, count: int) -> list[str]:
    """Make customers, a second apart, and return their identifiers, newest first."""
    made = []
    for number in range(count):
        api.clock.moment_ms = NOW_MS + number * 1000
        made.append(api.post("/v1/customers", f"name=c{number}")["id"])
    return made[::-1]


def _ids(page: dict[str, Any]) -> list[str]:
    return [item["id"] for item in page["data"]]


def test_a_list_is_newest_first_and_ten_long(api: Api) -> None:
    made = _customers(api, 12)
    page = api.get("/v1/customers")
    assert (page["object"], page["url"], page["has_more"]) == ("list", "/v1/customers", True)
    assert _ids(page) == made[:10]


def test_pages_follow_one_another_forwards_and_backwards(api: Api) -> None:
    made = _customers(api, 5)
    first = api.get("/v1/customers?limit=2")
    second = api.get(f"/v1/customers?limit=2&starting_after={made[1]}")
    third = api.get(f"/v1/customers?limit=2&starting_after={made[3]}")
    assert [_ids(page) for page in (first, second, third)] == [made[:2], made[2:4], made[4:]]
    assert [page["has_more"] for page in (first, second, third)] == [True, True, False]
    back = api.get(f"/v1/customers?limit=2&ending_before={made[4]}")
    assert (_ids(back), back["has_more"]) == (made[2:4], True)
    front = api.get(f"/v1/customers?limit=2&ending_before={made[2]}")
    assert (_ids(front), front["has_more"]) == (made[:2], False)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("created={s}", [2]),
        ("created[gt]={s}", [3, 4]),
        ("created[gte]={s}", [2, 3, 4]),
        ("created[lt]={s}", [0, 1]),
        ("created[lte]={s}", [0, 1, 2]),
        ("created[gt]={s}&created[lte]={next}", [3]),
        ("created[gte]={next}&created[lt]={s}", []),
        ("created[gte]=-5", [0, 1, 2, 3, 4]),
        ("created[lte]=9223372036854775807", [0, 1, 2, 3, 4]),
        ("created=9223372036854775807", []),
    ],
)
def test_a_range_of_time_has_the_granularity_of_a_second(api: Api, query: str, expected: list[int]) -> None:
    made = _customers(api, 5)[::-1]
    page = api.get("/v1/customers?" + query.format(s=NOW_S + 2, next=NOW_S + 3))
    assert _ids(page) == [made[number] for number in reversed(expected)]


def test_a_range_of_time_and_a_cursor_hold_together(api: Api) -> None:
    made = _customers(api, 5)
    page = api.get(f"/v1/customers?created[gte]={NOW_S + 1}&starting_after={made[1]}")
    assert _ids(page) == made[2:4]
    back = api.get(f"/v1/customers?created[lte]={NOW_S + 3}&ending_before={made[3]}&limit=1")
    assert (_ids(back), back["has_more"]) == ([made[2]], True)


@pytest.mark.parametrize("name", ["starting_after", "ending_before"])
@pytest.mark.parametrize("cursor", [f"cus_{ABSENT}", "nonsense", "other kind", "other tenant"])
def test_a_cursor_must_be_there_and_of_the_kind(api: Api, name: str, cursor: str) -> None:
    if cursor == "other kind":
        cursor = api.post("/v1/payment_intents", "amount=1&currency=usd")["id"]
    if cursor == "other tenant":
        cursor = api.post("/v1/customers", key=OTHER)["id"]
    error = api.refused("GET", f"/v1/customers?{name}={cursor}")
    assert (error["status"], error["code"], error["param"]) == (400, "resource_missing", name)
    assert cursor in error["message"]


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/v1/customers?starting_after=cus_1&ending_before=cus_2", "ending_before"),
        ("/v1/customers?limit=0", "limit"),
        ("/v1/customers?limit=101", "limit"),
        ("/v1/customers?limit=x", "limit"),
        ("/v1/customers?created[after]=1", "created[after]"),
        ("/v1/customers?created=x", "created"),
        ("/v1/customers?expand[]=payment_method", "expand"),
        ("/v1/customers?status=open", "status"),
        ("/v1/charges?customer=nonsense", "customer"),
        (f"/v1/charges?customer=cus_{ABSENT}&payment_intent=nonsense", "payment_intent"),
        (f"/v1/charges?customer=nonsense&payment_intent=pi_{ABSENT}", "customer"),
        ("/v1/payment_methods?type=paypal", "type"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(api: Api, path: str, param: str) -> None:
    error = api.refused("GET", path)
    assert (error["status"], error["param"]) == (400, param)


def test_filters_choose_by_what_an_object_belongs_to(api: Api) -> None:
    customer = api.post("/v1/customers", "email=a@b.c")["id"]
    api.post("/v1/customers", "email=x@y.z")
    mine, others = api.pay(f"customer={customer}"), api.pay()
    refund = api.post("/v1/refunds", f"payment_intent={mine['id']}&amount=1")
    api.post("/v1/refunds", f"payment_intent={others['id']}&amount=1")
    charge = mine["latest_charge"]
    assert _ids(api.get("/v1/customers?email=a@b.c")) == [customer]
    assert _ids(api.get(f"/v1/payment_intents?customer={customer}")) == [mine["id"]]
    assert _ids(api.get(f"/v1/charges?customer={customer}")) == [charge]
    assert _ids(api.get(f"/v1/charges?payment_intent={mine['id']}")) == [charge]
    assert _ids(api.get(f"/v1/refunds?charge={charge}")) == [refund["id"]]
    assert _ids(api.get(f"/v1/refunds?payment_intent={mine['id']}")) == [refund["id"]]
    assert _ids(api.get(f"/v1/charges?customer=cus_{ABSENT}")) == []
    assert _ids(api.get("/v1/charges", key=OTHER)) == []


def test_a_list_shows_its_items_expanded(api: Api) -> None:
    customer = api.post("/v1/customers", "name=A")
    api.pay(f"customer={customer['id']}")
    page = api.get("/v1/charges?expand[]=data.customer&expand[]=data.payment_intent")
    assert page["data"][0]["customer"] == customer
    assert page["data"][0]["payment_intent"]["object"] == "payment_intent"


def test_two_filters_and_a_range_of_time_hold_together(api: Api) -> None:
    customer = api.post("/v1/customers")["id"]
    intent = api.pay(f"customer={customer}")
    api.pay()
    charge = intent["latest_charge"]
    refund = api.post("/v1/refunds", f"charge={charge}")["id"]
    time = f"created[gte]={intent['created']}"
    both = f"payment_intent={intent['id']}&{time}"
    assert _ids(api.get(f"/v1/charges?customer={customer}&{both}")) == [charge]
    assert _ids(api.get(f"/v1/charges?customer=cus_{ABSENT}&{both}")) == []
    assert _ids(api.get(f"/v1/refunds?charge={charge}&{both}")) == [refund]
    assert _ids(api.get(f"/v1/refunds?charge=ch_{ABSENT}&{both}")) == []
    assert _ids(api.get(f"/v1/refunds?charge={charge}&payment_intent=pi_{ABSENT}")) == []


def test_a_search_gives_out_pages(api: Api) -> None:
    made = _customers(api, 3)
    first = api.get("/v1/customers/search?query=created>0&limit=2")
    assert (first["object"], first["url"]) == ("search_result", "/v1/customers/search")
    assert (_ids(first), first["has_more"]) == (made[:2], True)
    second = api.get(f"/v1/customers/search?query=created>0&limit=2&page={first['next_page']}")
    assert (_ids(second), second["has_more"], second["next_page"]) == (made[2:], False, None)
    assert set(api.engine.searches) == {parse("created>0", kinds.CUSTOMER)}


def test_a_page_that_no_search_gave_out_is_refused(api: Api) -> None:
    _customers(api, 3)
    page = api.get("/v1/customers/search?query=created>0&limit=1")["next_page"]
    for query, wrong in (("created>0", page[:-1]), ("created>0", "nonsense"), ("created>1", page)):
        error = api.refused("GET", f"/v1/customers/search?query={query}&page={wrong}")
        assert (error["status"], error["param"]) == (400, "page")
    error = api.refused("GET", f"/v1/customers/search?query=created>0&page={page}", key=OTHER)
    assert error["param"] == "page"


def test_a_page_of_one_kind_is_none_of_another(api: Api) -> None:
    _customers(api, 3)
    page = api.get("/v1/customers/search?query=created>0&limit=1")["next_page"]
    error = api.refused("GET", f"/v1/charges/search?query=created>0&page={page}")
    assert (error["status"], error["param"]) == (400, "page")


def test_a_search_counts_all_that_it_finds_when_asked(api: Api) -> None:
    _customers(api, 3)
    page = api.get("/v1/customers/search?query=created>0&limit=2&expand[]=total_count")
    assert (len(page["data"]), page["total_count"]) == (2, 3)
    assert "total_count" not in api.get("/v1/customers/search?query=created>0")
    error = api.refused("GET", "/v1/customers?expand[]=total_count")
    assert (error["status"], error["param"]) == (400, "expand")


def test_each_kind_is_searched_at_a_path_of_its_own(api: Api) -> None:
    customer = api.post("/v1/customers", "name=Ada")["id"]
    intent = api.pay(f"customer={customer}&expand[]=latest_charge")
    found = {
        noun: _ids(api.get(f"/v1/{noun}/search?query=created>0&expand[]=data.{path}"))
        for noun, path in (
            ("customers", "invoice_settings.default_payment_method"),
            ("payment_intents", "customer"),
            ("charges", "payment_intent"),
        )
    }
    assert found == {
        "customers": [customer],
        "payment_intents": [intent["id"]],
        "charges": [intent["latest_charge"]["id"]],
    }


def test_a_search_needs_a_query_that_can_be_read(api: Api) -> None:
    for path in ("/v1/customers/search", "/v1/customers/search?query=name", "/v1/customers/search?query="):
        error = api.refused("GET", path)
        assert (error["status"], error["param"]) == (400, "query")
    assert api.engine.searches == []


def test_pages_to_expand_are_read_one_in_a_turn_of_the_loop(api: Api) -> None:
    customer = api.post("/v1/customers", "name=c")["id"]
    api.pay(f"customer={customer}")
    turn = 0
    read_in: list[int] = []
    read = api.engine.list

    async def note(scope: Scope, wanted: Filter, page: Page) -> Sequence[Versioned]:
        read_in.append(turn)
        return await read(scope, wanted, page)

    async def ask(client: httpx.AsyncClient) -> None:
        path = "/v1/payment_intents?expand[]=data.customer"
        answer = await client.get(path, headers={"authorization": f"Bearer {SECRET}"})
        assert answer.json()["data"][0]["customer"]["id"] == customer

    async def flood() -> None:
        nonlocal turn
        async with httpx.AsyncClient(transport=httpx.ASGITransport(api.app), base_url="http://f") as client:
            asking = asyncio.gather(*(ask(client) for _ in range(10)))
            while not asking.done():
                turn += 1
                await asyncio.sleep(0)
            await asking

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api.engine, "list", note)
        asyncio.run(flood())
    assert len(read_in) == len(set(read_in)) == 10


def test_what_an_object_owns_is_filtered_by_the_attribute_that_refers_to_it(api: Api) -> None:
    """Which is not what an error calls the owner: a payment method is a PaymentMethod there."""
    paid = [api.pay() for _ in range(2)]
    method = paid[0]["payment_method"]
    call = Call(
        services=api.services,
        credentials=Credentials(scope=Scope("a", False), kind="secret", fingerprint_key=b""),
        request_id="req_1",
        method="GET",
        path=f"/v1/payment_methods/{method}/charges",
        arguments={"id": method},
        headers=Headers(()),
        asgi={},
        query=b"",
        unread=[],
    )
    endpoint = List(CHARGE, ListParams, owner=Owner(kinds.PAYMENT_METHOD, "payment_method"))
    reply = asyncio.run(endpoint.answer(call))
    assert _ids(json.loads(reply.body)) == [paid[0]["latest_charge"]]
