"""Connected accounts, transfers to them and reversals over HTTP."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.http.test_payouts import available, pay
from tests.support.api import get, open_client, post
from tests.support.dialect import deviations
from tests.support.refusals import check_error
from tests.support.servers import RunningServer
from tests.support.tenants import make_tenant

PATH = "/v1/transfers"


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Iterator[httpx.Client]:
    """A tenant with 1,000.00 available."""
    with open_client(server.url, make_tenant(server.database_url).secret) as opened:
        pay(opened, "100000")
        yield opened


@pytest.fixture(scope="module")
def account(client: httpx.Client) -> Any:
    return post(client, "/v1/accounts", **{"type": "express", "email": "a@example.com", "metadata[a]": "1"})


def test_an_account_is_created_retrieved_and_listed(client: httpx.Client, account: Any) -> None:
    assert deviations(account) == []
    assert (account["type"], account["email"], account["capabilities"]) == (
        "express", "a@example.com", {"card_payments": "inactive", "transfers": "active"},
    )  # fmt: skip
    assert get(client, f"/v1/accounts/{account['id']}") == account
    full = post(
        client,
        "/v1/accounts",
        **{
            "business_profile[name]": "Shop",
            "business_type": "company",
            "capabilities[card_payments][requested]": "true",
            "country": "CH",
            "default_currency": "chf",
        },
    )
    assert deviations(full) == []
    assert (full["country"], full["business_profile"]["name"]) == ("CH", "Shop")
    assert get(client, "/v1/accounts", limit="1")["data"] == [full]
    missing = client.get("/v1/accounts/acct_" + "0" * 32)
    assert check_error(missing, 403)["code"] == "account_invalid"
    named = client.get("/v1/balance", headers={"Stripe-Account": account["id"]})
    assert check_error(named, 403)["code"] == "account_invalid"


def test_a_transfer_and_its_reversals_are_as_the_dialect_says(client: httpx.Client, account: Any) -> None:
    before = available(client)
    made = post(
        client,
        PATH,
        amount="700",
        currency="usd",
        destination=account["id"],
        transfer_group="G",
        **{"expand[0]": "destination", "expand[1]": "balance_transaction", "metadata[a]": "1"},
    )
    assert deviations(made) == []
    assert made["destination"] == account
    assert deviations(made["balance_transaction"]) == []
    transaction = made["balance_transaction"]
    assert (transaction["type"], transaction["amount"], transaction["source"]) == (
        "transfer",
        -700,
        made["id"],
    )
    path = f"{PATH}/{made['id']}"
    reversal = post(client, f"{path}/reversals", amount="100", **{"metadata[a]": "1"})
    assert deviations(reversal) == []
    changed = post(client, f"{path}/reversals/{reversal['id']}", **{"metadata[a]": "2"})
    assert get(client, f"{path}/reversals/{reversal['id']}", **{"expand[]": "transfer"})["metadata"] == {
        "a": "2"
    }
    assert get(client, f"{path}/reversals")["data"] == [changed]
    shown = get(client, path)
    assert deviations(shown) == []
    assert (shown["amount_reversed"], shown["reversed"], shown["reversals"]["data"]) == (
        100,
        False,
        [changed],
    )
    assert post(client, path, description="May")["description"] == "May"
    (back,) = get(client, "/v1/balance_transactions", source=reversal["id"])["data"]
    assert (back["type"], back["reporting_category"]) == ("transfer_refund", "transfer_reversal")
    assert deviations(back) == []
    assert available(client) == before - 600
    assert get(client, PATH, destination=account["id"], transfer_group="G")["data"][0]["id"] == made["id"]
    events = get(client, "/v1/events", type="transfer.*")["data"]
    assert {event["type"] for event in events} == {
        "transfer.created",
        "transfer.reversed",
        "transfer.updated",
    }
    assert [deviations(event["data"]["object"]) for event in events] == [[]] * len(events)
    (entry,) = get(client, "/v1/ledger/accounts", code=account["id"])["data"]
    assert get(client, f"/v1/ledger/accounts/{entry['id']}/balance")["available"] == 600
    rows = get(client, f"/v1/ledger/accounts/{entry['id']}/entries")["data"]
    assert [row["balance"] for row in rows] == [600, 700]
    assert get(client, "/v1/ledger/verify")["problems"] == []


def test_a_charge_is_transferred_while_it_is_pending(client: httpx.Client, account: Any) -> None:
    charge = pay(client, "500", "pm_card_visa")["latest_charge"]
    form = {"currency": "usd", "destination": account["id"], "source_transaction": charge}
    made = post(client, PATH, **form, **{"expand[]": "source_transaction"})
    assert (made["amount"], made["source_transaction"]["id"]) == (500, charge)
    assert check_error(client.post(PATH, data=form), 400)["code"] == "amount_too_large"
    assert get(client, "/v1/ledger/verify")["problems"] == []


def test_a_replay_shows_the_transfer_as_it_was(client: httpx.Client, account: Any) -> None:
    headers = {"Idempotency-Key": "transfer"}
    form = {"amount": "5", "currency": "usd", "destination": account["id"]}
    first = client.post(PATH, data=form, headers=headers)
    post(client, f"{PATH}/{first.json()['id']}/reversals")
    again = client.post(PATH, data=form, headers=headers)
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")


def test_charges_are_listed_by_their_group(client: httpx.Client) -> None:
    def pay(**fields: str) -> Any:
        card = {"payment_method": "pm_card_visa", "confirm": "true", "currency": "usd", "amount": "500"}
        return post(client, "/v1/payment_intents", **card, **fields)

    customer = post(client, "/v1/customers")["id"]
    first, other, second = (pay(transfer_group=group) for group in ("G1", "G2", "G1"))
    third = pay(customer=customer, transfer_group="G1")
    alone = pay()["latest_charge"]

    def listed(**query: str) -> list[str]:
        return [charge["id"] for charge in get(client, "/v1/charges", **query)["data"]]

    of_group = [made["latest_charge"] for made in (third, second, first)]
    assert listed(transfer_group="G1") == of_group
    assert listed(transfer_group="G1", limit="1", starting_after=of_group[0]) == of_group[1:2]
    assert listed(transfer_group="G1", customer=customer) == of_group[:1]
    assert listed(transfer_group="G1", payment_intent=other["id"]) == []
    assert listed(transfer_group="G") == []
    # A charge gets another group, with the capture or later.
    post(client, f"/v1/charges/{alone}", transfer_group="G2")
    assert listed(transfer_group="G2") == [alone, other["latest_charge"]]
    held = pay(capture_method="manual")
    post(client, f"/v1/charges/{held['latest_charge']}/capture", transfer_group="G3")
    assert listed(transfer_group="G3") == [held["latest_charge"]]


@pytest.mark.parametrize("character", ["a", "€", "😀"])
def test_the_longest_group_can_be_found(client: httpx.Client, character: str) -> None:
    # Nothing that PostgreSQL could compress.
    group = "".join(character + chr(0x10000 + 7 * number) for number in range(250))
    card = {"payment_method": "pm_card_visa", "confirm": "true", "currency": "usd", "amount": "500"}
    paid = post(client, "/v1/payment_intents", transfer_group=group, **card)
    account = post(client, "/v1/accounts", type="express")["id"]
    made = post(client, PATH, amount="5", currency="usd", destination=account, transfer_group=group)
    assert get(client, PATH, transfer_group=group)["data"][0]["id"] == made["id"]
    assert get(client, "/v1/charges", transfer_group=group)["data"][0]["id"] == paid["latest_charge"]
    for path in (PATH, "/v1/payment_intents", f"/v1/charges/{paid['latest_charge']}"):
        error = check_error(client.post(path, data={"transfer_group": group + "a"}), 400)
        assert error["param"] == "transfer_group"
