"""The list of balance transactions: the same items as retrieved ones, its pages and its filters."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.support.api import get, post
from tests.support.dialect import deviations
from tests.support.refusals import check_error

PATH = "/v1/balance_transactions"


def listed(client: httpx.Client, **query: str) -> Any:
    return get(client, PATH, **query)


@pytest.fixture(scope="module")
def booked(client: httpx.Client) -> list[Mapping[str, Any]]:
    """What changed the balance, newest first: three captures, of which one came late, and a refund."""

    def pay(currency: str, **fields: str) -> Any:
        card = {"payment_method": "pm_card_visa", "confirm": "true", "currency": currency}
        return post(client, "/v1/payment_intents", amount="2000", **card, **fields)

    late = pay("usd", capture_method="manual")
    first = pay("usd")
    # What was only held or released has no balance transaction.
    released = pay("usd", capture_method="manual")
    post(client, f"/v1/payment_intents/{released['id']}/cancel")
    other = pay("eur")
    post(client, f"/v1/payment_intents/{late['id']}/capture", amount_to_capture="1500")
    refund = post(client, "/v1/refunds", payment_intent=first["id"], amount="300")
    charges = [client.get(f"/v1/charges/{intent['latest_charge']}").json() for intent in (late, other, first)]
    return [client.get(f"{PATH}/{one['balance_transaction']}").json() for one in (refund, *charges)]


def test_each_item_is_the_retrieved_one_newest_first(
    client: httpx.Client, booked: list[Mapping[str, Any]]
) -> None:
    assert listed(client) == {"object": "list", "url": PATH, "has_more": False, "data": booked}
    assert [deviations(item) for item in booked] == [[]] * 4
    assert [item["amount"] for item in booked] == [-300, 1500, 2000, 2000]


def test_pages_go_both_ways(client: httpx.Client, booked: list[Mapping[str, Any]]) -> None:
    first = listed(client, limit="3")
    assert (first["data"], first["has_more"]) == (booked[:3], True)
    second = listed(client, limit="3", starting_after=booked[2]["id"])
    assert (second["data"], second["has_more"]) == (booked[3:], False)
    back = listed(client, limit="2", ending_before=booked[3]["id"])
    assert (back["data"], back["has_more"]) == (booked[1:3], True)
    assert listed(client, ending_before=booked[0]["id"])["data"] == []


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ({"type": "refund"}, [0]),
        ({"type": "charge"}, [1, 2, 3]),
        ({"type": "payout"}, []),
        ({"currency": "eur"}, [2]),
        ({"currency": "USD"}, [0, 1, 3]),
        ({"currency": "chf"}, []),
        ({"currency": "usd", "type": "charge", "limit": "1"}, [1]),
        ({"created[gte]": "1"}, [0, 1, 2, 3]),
        ({"created[lt]": "5"}, []),
    ],
)
def test_filters_choose(
    client: httpx.Client, booked: list[Mapping[str, Any]], query: dict[str, str], places: list[int]
) -> None:
    assert listed(client, **query)["data"] == [booked[place] for place in places]


def test_a_source_chooses_what_it_did(client: httpx.Client, booked: list[Mapping[str, Any]]) -> None:
    for item in booked:
        source = {"source": item["source"]}
        assert listed(client, **source)["data"] == [item]
        assert listed(client, **source, currency=item["currency"], type=item["type"])["data"] == [item]
        assert listed(client, **source, type="charge" if item["type"] == "refund" else "refund")["data"] == []
        assert listed(client, **source, starting_after=item["id"])["data"] == []
        assert listed(client, **source, **{"created[gt]": str(item["created"])})["data"] == []
    assert listed(client, source="ch_" + "0" * 32)["data"] == []


def test_sources_are_expanded(client: httpx.Client, booked: list[Mapping[str, Any]]) -> None:
    shown = listed(client, **{"expand[]": "data.source.charge"})["data"]
    assert [item["source"]["id"] for item in shown] == [item["source"] for item in booked]
    assert shown[0]["source"]["charge"]["object"] == "charge"


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"currency": "xyz"}, "currency"),
        ({"currency": ""}, "currency"),
        ({"type": ""}, "type"),
        ({"source": "cus_1"}, "source"),
        ({"source": "\x00"}, "source"),
        ({"starting_after": "txn_" + "0" * 32}, "starting_after"),
        ({"ending_before": "nonsense"}, "ending_before"),
        ({"limit": "0"}, "limit"),
        ({"created": "x"}, "created"),
        ({"unknown": "1"}, "unknown"),
        ({"expand[]": "source"}, "expand"),
    ],
)
def test_what_is_wrong_is_named(client: httpx.Client, query: dict[str, str], param: str) -> None:
    error = check_error(client.get(PATH, params=query), 400)
    assert error["param"] == param
