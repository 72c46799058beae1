"""What debits and bank transfers do to the balance: the dialect calls a payment what no card paid."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.api import get, open_client, post
from tests.support.dialect import deviations
from tests.support.servers import PATIENCE_SECONDS, RunningServer
from tests.support.tenants import make_tenant

PATH = "/v1/balance_transactions"
DEBIT = {
    "currency": "eur",
    "payment_method": "pm_success_de",
    "payment_method_types[]": "sepa_debit",
    "mandate_data[customer_acceptance][type]": "offline",
}


@pytest.fixture(scope="module")
def shop(server: RunningServer) -> Iterator[httpx.Client]:
    with open_client(server.url, make_tenant(server.database_url).secret) as client:
        yield client


def pay(client: httpx.Client, **fields: str) -> Any:
    """Return the charge of a payment that went well, perhaps later."""
    made = post(client, "/v1/payment_intents", amount="2000", confirm="true", **fields)
    until = time.monotonic() + PATIENCE_SECONDS
    while made["status"] == "processing":
        assert time.monotonic() < until
        time.sleep(0.05)
        made = get(client, f"/v1/payment_intents/{made['id']}")
    assert made["status"] == "succeeded"
    return get(client, f"/v1/charges/{made['latest_charge']}")


@pytest.fixture(scope="module")
def booked(shop: httpx.Client) -> dict[str, Any]:
    """Payments by each type of method with a refund of each: the balance transactions by what they are of."""
    customer = post(shop, "/v1/customers")["id"]
    post(shop, f"/v1/test_helpers/customers/{customer}/fund_cash_balance", amount="2000", currency="eur")
    cash = {
        "currency": "eur",
        "customer": customer,
        "payment_method_types[]": "customer_balance",
        "payment_method_data[type]": "customer_balance",
    }
    charges = {
        "card": pay(shop, currency="eur", payment_method="pm_card_visa"),
        "debit": pay(shop, **DEBIT),
        "cash": pay(shop, **cash),
    }
    refunds = {
        f"{name} refund": post(shop, "/v1/refunds", charge=charge["id"], amount="300")
        for name, charge in charges.items()
    }
    return {
        name: get(shop, f"{PATH}/{of['balance_transaction']}") for name, of in (charges | refunds).items()
    }


def test_what_no_card_paid_is_a_payment(shop: httpx.Client, booked: dict[str, Any]) -> None:
    assert {name: (one["type"], one["reporting_category"]) for name, one in booked.items()} == {
        "card": ("charge", "charge"),
        "debit": ("payment", "charge"),
        "cash": ("payment", "charge"),
        "card refund": ("refund", "refund"),
        "debit refund": ("payment_refund", "refund"),
        "cash refund": ("payment_refund", "refund"),
    }
    assert [deviations(one) for one in booked.values()] == [[]] * 6
    # What is expanded in another object is the same.
    for one in booked.values():
        path = "charges" if one["source"].startswith("ch_") else "refunds"
        owner = get(shop, f"/v1/{path}/{one['source']}", **{"expand[]": "balance_transaction"})
        assert owner["balance_transaction"] == one


def test_a_refund_of_a_debit_says_that_the_bank_transfers_it(
    shop: httpx.Client, booked: dict[str, Any]
) -> None:
    refund = get(shop, f"/v1/refunds/{booked['debit refund']['source']}")
    assert refund["destination_details"]["type"] == "eu_bank_transfer"
    assert deviations(refund) == []


@pytest.mark.parametrize("type_", ["charge", "payment", "refund", "payment_refund"])
def test_each_type_finds_its_own(shop: httpx.Client, booked: dict[str, Any], type_: str) -> None:
    wanted = [one for one in booked.values() if one["type"] == type_]
    newest_first = sorted(wanted, key=lambda one: one["id"], reverse=True)
    assert get(shop, PATH, type=type_)["data"] == newest_first
    assert get(shop, PATH, type=type_, currency="eur")["data"] == newest_first
    for one in booked.values():
        found = get(shop, PATH, type=type_, source=one["source"])["data"]
        assert found == ([one] if one["type"] == type_ else [])


@pytest.mark.parametrize("type_", ["payment", "payment_refund"])
def test_pages_of_a_type_go_both_ways(shop: httpx.Client, booked: dict[str, Any], type_: str) -> None:
    older, newer = sorted(one["id"] for one in booked.values() if one["type"] == type_)

    def page(**query: str) -> tuple[list[str], bool]:
        found = get(shop, PATH, type=type_, limit="1", **query)
        return [one["id"] for one in found["data"]], found["has_more"]

    assert page() == ([newer], True)
    assert page(starting_after=newer) == ([older], False)
    assert page(starting_after=older) == ([], False)
    assert page(ending_before=older) == ([newer], False)
    assert page(ending_before=newer) == ([], False)
    card = booked["card" if type_ == "payment" else "card refund"]["id"]
    assert page(ending_before=card) == ([older], True)
