"""Payments that go on to a connected account over HTTP, with their fees, refunds and payouts."""

from typing import Any

import httpx
import pytest

from tests.http.test_payouts import available
from tests.support.api import get, post
from tests.support.refusals import check_error

PATH = "/v1/payment_intents"
CHARGE = {"expand[]": "latest_charge"}


@pytest.fixture(scope="module")
def seller(client: httpx.Client) -> str:
    return str(post(client, "/v1/accounts", type="express")["id"])


def sell(client: httpx.Client, seller: str, card: str = "bypassPending", **fields: str) -> Any:
    form = {
        "amount": "1000",
        "currency": "usd",
        "payment_method": f"pm_card_{card}",
        "confirm": "true",
        "transfer_data[destination]": seller,
    }
    return post(client, PATH, **form | CHARGE | fields)


def held_by(client: httpx.Client, account: str) -> int:
    """Return the balance of a connected account."""
    (entry,) = get(client, "/v1/ledger/accounts", code=account)["data"]
    return int(get(client, f"/v1/ledger/accounts/{entry['id']}/balance")["available"])


def test_a_payment_shows_where_it_went_on_to_and_what_came_back(client: httpx.Client, seller: str) -> None:
    before = available(client)
    paid = sell(client, seller, application_fee_amount="123", on_behalf_of=seller)
    charge = paid["latest_charge"]
    assert (paid["transfer_data"], paid["application_fee_amount"], paid["on_behalf_of"]) == (
        {"amount": None, "destination": seller}, 123, seller,
    )  # fmt: skip
    assert {name: charge[name] for name in ("transfer_data", "application_fee_amount", "on_behalf_of")} == {
        name: paid[name] for name in ("transfer_data", "application_fee_amount", "on_behalf_of")
    }
    fee = get(client, f"/v1/application_fees/{charge['application_fee']}")
    assert (fee["amount"], fee["account"], fee["originating_transaction"]) == (123, seller, charge["id"])
    transfer = get(client, f"/v1/transfers/{charge['transfer']}")
    assert (transfer["amount"], transfer["source_transaction"]) == (1000, charge["id"])
    group = f"group_{paid['id']}"
    assert paid["transfer_group"] == charge["transfer_group"] == transfer["transfer_group"] == group
    assert (available(client) - before, held_by(client, seller)) == (123, 877)
    (entry,) = get(client, "/v1/balance_transactions", source=fee["id"])["data"]
    assert (entry["type"], entry["amount"], entry["reporting_category"]) == (
        "application_fee", 123, "platform_earning",
    )  # fmt: skip
    assert get(client, "/v1/application_fees", charge=charge["id"])["data"] == [fee]
    assert get(client, "/v1/ledger/verify")["problems"] == []


def test_a_refund_takes_its_shares_back(client: httpx.Client, seller: str) -> None:
    charge = sell(client, seller, application_fee_amount="100")["latest_charge"]
    before, owned = available(client), held_by(client, seller)
    shares = {"reverse_transfer": "true", "refund_application_fee": "true"}
    refund = post(client, f"/v1/charges/{charge['id']}/refunds", amount="250", **shares)
    assert (available(client) - before, held_by(client, seller) - owned) == (-25, -225)
    reversal = get(client, f"/v1/transfers/{charge['transfer']}/reversals/{refund['transfer_reversal']}")
    assert (reversal["amount"], reversal["source_refund"]) == (250, refund["id"])
    fee = get(client, f"/v1/application_fees/{charge['application_fee']}")
    (back,) = fee["refunds"]["data"]
    assert (fee["amount_refunded"], back["amount"], back["fee"]) == (25, 25, fee["id"])
    (entry,) = get(client, "/v1/balance_transactions", source=back["id"])["data"]
    assert (entry["type"], entry["amount"]) == ("application_fee_refund", -25)
    post(client, f"/v1/application_fees/{fee['id']}/refund")
    again = client.post(f"/v1/application_fees/{fee['id']}/refunds")
    assert check_error(again, 400)["code"] == "application_fee_already_refunded"
    assert get(client, "/v1/ledger/verify")["problems"] == []


def test_a_refund_beyond_what_the_account_has_is_refused_and_changes_nothing(client: httpx.Client) -> None:
    poor = str(post(client, "/v1/accounts")["id"])
    charge = sell(client, poor, application_fee_amount="1000")["latest_charge"]
    assert held_by(client, poor) == 0
    before = available(client)
    answer = client.post("/v1/refunds", data={"charge": charge["id"], "reverse_transfer": "true"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "balance_insufficient")
    assert (available(client), get(client, f"/v1/charges/{charge['id']}")) == (before, charge)
    assert get(client, "/v1/ledger/verify")["problems"] == []


def test_a_capture_decides_on_the_split(client: httpx.Client, seller: str) -> None:
    owned = 0 if not get(client, "/v1/ledger/accounts", code=seller)["data"] else held_by(client, seller)
    held = sell(client, seller, capture_method="manual", **{"transfer_data[amount]": "600"})
    assert held["latest_charge"]["transfer"] is None
    path = f"{PATH}/{held['id']}/capture"
    done = post(client, path, **{"transfer_data[amount]": "400", "amount_to_capture": "500"}, **CHARGE)
    assert done["transfer_data"] == {"amount": 400, "destination": seller}
    assert held_by(client, seller) - owned == 400
    other = sell(client, seller, capture_method="manual")
    form = {"application_fee_amount": "50"}
    captured = post(client, f"/v1/charges/{other['latest_charge']['id']}/capture", **form)
    assert (captured["application_fee_amount"], held_by(client, seller) - owned) == (50, 1350)


def test_a_replay_shows_the_payment_and_the_fee_as_they_were(client: httpx.Client, seller: str) -> None:
    paid = sell(client, seller, application_fee_amount="100")
    fee = paid["latest_charge"]["application_fee"]
    headers = {"Idempotency-Key": f"refund of {fee}"}
    path = f"/v1/application_fees/{fee}/refunds"
    form = {"amount": "10", "expand[]": "fee"}
    first = client.post(path, data=form, headers=headers)
    post(client, path)
    again = client.post(path, data=form, headers=headers)
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert again.json()["fee"]["amount_refunded"] == 10
    listed = get(client, path, limit="1")
    assert (listed["data"][0]["amount"], listed["has_more"]) == (90, True)


def test_a_disputed_payment_debits_the_platform_alone(client: httpx.Client, seller: str) -> None:
    owned, before = held_by(client, seller), available(client)
    charge = sell(client, seller, "createDispute")["latest_charge"]
    assert (held_by(client, seller) - owned, available(client) - before) == (1000, -1000)
    transfer = get(client, f"/v1/transfers/{charge['transfer']}")
    assert (transfer["reversed"], charge["disputed"]) == (False, True)
    assert get(client, "/v1/ledger/verify")["problems"] == []
