"""Lists inside of objects, as they stood when the answer was given."""

import pytest

from fastpay import limits
from tests.unit.api.fakes import OTHER, Api


@pytest.fixture
def api() -> Api:
    return Api()


def test_refunds_of_a_charge_are_shown_as_they_were_when_it_was_answered(api: Api) -> None:
    paid = api.pay()
    api.post("/v1/refunds", f"payment_intent={paid['id']}&amount=1")
    form = f"payment_intent={paid['id']}&amount=2&expand[]=charge.refunds"
    headers = {"idempotency-key": "k"}
    first = api.send("POST", "/v1/refunds", form, headers=headers)
    assert [refund["amount"] for refund in first.json()["charge"]["refunds"]["data"]] == [2, 1]
    api.post("/v1/refunds", f"payment_intent={paid['id']}&amount=3")
    assert api.send("POST", "/v1/refunds", form, headers=headers).content == first.content


def test_refunds_of_a_charge_are_shown_however_many_came_after_them(api: Api) -> None:
    paid = api.pay()
    form = f"payment_intent={paid['id']}&amount=2&expand[]=charge.refunds"
    headers = {"idempotency-key": "k"}
    first = api.send("POST", "/v1/refunds", form, headers=headers)
    for _ in range(limits.page_size_max + limits.page_size_default):
        api.post("/v1/refunds", f"payment_intent={paid['id']}&amount=1")
    replayed = api.send("POST", "/v1/refunds", form, headers=headers)
    assert [refund["amount"] for refund in replayed.json()["charge"]["refunds"]["data"]] == [2]
    assert replayed.content == first.content


def test_the_refunds_of_all_charges_of_a_page_are_read_at_once(api: Api) -> None:
    for count in range(3):
        paid = api.pay()
        for _ in range(count):
            api.post("/v1/refunds", f"payment_intent={paid['id']}&amount=1")
    charges = api.get("/v1/charges?expand[]=data.refunds")["data"]
    assert [len(charge["refunds"]["data"]) for charge in charges] == [2, 1, 0]
    assert all(refund["charge"] == charge["id"] for charge in charges for refund in charge["refunds"]["data"])
    assert api.engine.lists_read == 1


def test_of_many_refunds_a_charge_shows_a_page_and_says_so(api: Api) -> None:
    paid = api.pay()
    for amount in range(1, limits.page_size_default + 2):
        api.post("/v1/refunds", f"payment_intent={paid['id']}&amount={amount}")
    shown = api.get(f"/v1/charges/{paid['latest_charge']}?expand[]=refunds")["refunds"]
    assert shown["has_more"]
    assert [refund["amount"] for refund in shown["data"]] == list(range(limits.page_size_default + 1, 1, -1))


def test_the_list_of_refunds_in_a_charge_goes_on_where_it_says(api: Api) -> None:
    paid, other = api.pay(), api.pay()
    for amount in range(1, limits.page_size_default + 3):
        api.post("/v1/refunds", f"payment_intent={paid['id']}&amount={amount}")
    api.post("/v1/refunds", f"payment_intent={other['id']}&amount=999")
    first = api.get(f"/v1/charges/{paid['latest_charge']}?expand[]=refunds")["refunds"]
    second = api.get(f"{first['url']}?starting_after={first['data'][-1]['id']}")
    assert second["url"] == first["url"]
    assert [refund["amount"] for refund in second["data"]] == [2, 1]
    assert not second["has_more"]
    assert api.refused("GET", f"/v1/charges/ch_{'0' * 32}/refunds")["status"] == 404
    assert api.refused("GET", first["url"], key=OTHER)["status"] == 404
