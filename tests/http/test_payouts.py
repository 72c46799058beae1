"""Payouts over HTTP: their life, what the balance and the events say of it, and what a schedule pays out."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fastpay.store.connections import connected
from tests.support.api import get, open_client, post
from tests.support.dialect import deviations
from tests.support.refusals import check_error
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant, make_tenant

PATH = "/v1/payouts"


@pytest.fixture(scope="module")
def client(server: RunningServer, tenant: Tenant) -> Iterator[httpx.Client]:
    """A tenant with 1,000.00 available."""
    with open_client(server.url, tenant.secret) as opened:
        pay(opened, "100000")
        yield opened


def pay(client: httpx.Client, amount: str, card: str = "pm_card_bypassPending") -> Any:
    return post(
        client, "/v1/payment_intents", amount=amount, currency="usd", payment_method=card, confirm="true"
    )


def pay_out(client: httpx.Client, amount: str = "700", **fields: str) -> Any:
    return post(client, PATH, amount=amount, currency="usd", **fields)


def ended(client: httpx.Client, payout: Any) -> Any:
    """Return a payout once time has ended it."""
    while (found := get(client, f"{PATH}/{payout['id']}"))["status"] in {"pending", "in_transit"}:
        time.sleep(0.05)
    return found


def events_of(client: httpx.Client, payout: Any) -> list[Any]:
    found = get(client, "/v1/events", type="payout.*", limit="100")["data"]
    return [event for event in reversed(found) if event["data"]["object"]["id"] == payout["id"]]


def available(client: httpx.Client) -> int:
    amount: int = get(client, "/v1/balance")["available"][0]["amount"]
    return amount


def test_a_payout_ends_paid_and_everything_of_it_is_as_the_dialect_says(client: httpx.Client) -> None:
    before = available(client)
    made = pay_out(
        client,
        **{
            "metadata[a]": "1",
            "description": "May",
            "statement_descriptor": "SHOP",
            "expand[]": "balance_transaction",
        },
    )
    assert deviations(made) == []
    assert (made["balance_transaction"]["amount"], made["balance_transaction"]["type"]) == (-700, "payout")
    assert available(client) == before - 700
    paid = ended(client, made)
    assert deviations(paid) == []
    assert (paid["status"], paid["reconciliation_status"]) == ("paid", "not_applicable")
    changed = post(client, f"{PATH}/{made['id']}", **{"metadata[a]": "2"})
    assert changed["metadata"] == {"a": "2"}
    events = events_of(client, made)
    assert [event["type"] for event in events] == [
        "payout.created", "payout.updated", "payout.paid", "payout.updated",
    ]  # fmt: skip
    assert [deviations(event["data"]["object"]) for event in events] == [[]] * 4
    assert events[1]["data"]["previous_attributes"] == {"status": "pending"}
    assert events[2]["request"] == {"id": None, "idempotency_key": None}
    (transaction,) = get(client, "/v1/balance_transactions", source=made["id"])["data"]
    assert deviations(transaction) == []
    assert transaction["id"] == paid["balance_transaction"]


def test_a_failed_payout_comes_back_with_a_transaction_of_its_own(client: httpx.Client) -> None:
    before = available(client)
    failed = ended(client, pay_out(client, destination="ba_noAccount"))
    assert (failed["status"], failed["failure_code"]) == ("failed", "no_account")
    assert deviations(failed) == []
    assert available(client) == before
    back, out = get(client, "/v1/balance_transactions", source=failed["id"])["data"]
    assert [back["type"], back["reporting_category"], back["net"]] == [
        "payout_failure",
        "payout_reversal",
        700,
    ]
    assert (back["id"], out["id"]) == (failed["failure_balance_transaction"], failed["balance_transaction"])
    shown = get(client, f"/v1/balance_transactions/{back['id']}", **{"expand[]": "source"})
    assert shown["source"] == failed
    assert deviations(shown) == []
    assert events_of(client, failed)[-1]["type"] == "payout.failed"
    assert get(client, "/v1/balance_transactions", type="payout_failure")["data"] == [back]


def test_a_paid_payout_is_reversed(client: httpx.Client) -> None:
    before = available(client)
    paid = ended(client, pay_out(client))
    reversal = ended(client, post(client, f"{PATH}/{paid['id']}/reverse", **{"metadata[a]": "1"}))
    assert (reversal["amount"], reversal["original_payout"], reversal["status"]) == (-700, paid["id"], "paid")
    assert deviations(reversal) == []
    assert available(client) == before
    assert get(client, f"{PATH}/{paid['id']}", **{"expand[]": "reversed_by"})["reversed_by"] == reversal
    (back,) = get(client, "/v1/balance_transactions", source=reversal["id"])["data"]
    assert (back["type"], back["amount"]) == ("payout", 700)
    error = check_error(client.post(f"{PATH}/{paid['id']}/reverse"), 400)
    assert error["code"] == "payout_reversal_not_allowed"


def test_a_replay_shows_the_payout_as_it_was(client: httpx.Client) -> None:
    headers, form = {"Idempotency-Key": "payout"}, {"amount": "5", "currency": "usd"}
    first = client.post(PATH, data=form, headers=headers)
    assert ended(client, first.json())["status"] == "paid"
    again = client.post(PATH, data=form, headers=headers)
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")


def test_lists_can_be_filtered(client: httpx.Client) -> None:
    made = [pay_out(client, destination=f"ba_{name}") for name in ("success", "accountClosed")]
    paid, failed = (ended(client, payout) for payout in made)
    assert get(client, PATH, destination="ba_success")["data"] == [paid]
    assert get(client, PATH, status="failed", destination="ba_accountClosed")["data"] == [failed]
    assert failed not in get(client, PATH, status="paid")["data"]
    first, second = get(client, PATH, limit="2")["data"]
    assert (first, second) == (failed, paid)
    assert get(client, PATH, starting_after=first["id"], limit="1")["data"] == [second]


def test_payouts_are_found_by_the_time_of_their_arrival(client: httpx.Client) -> None:
    first, second = pay_out(client), pay_out(client, "5")
    found = [one["id"] for one in get(client, PATH, limit="100")["data"]]
    date = second["arrival_date"]

    def ids(**query: str) -> list[str]:
        return [one["id"] for one in get(client, PATH, **query)["data"]]

    assert {first["id"], second["id"]} <= set(ids(**{"arrival_date[gte]": str(first["arrival_date"])}))
    assert second["id"] in ids(arrival_date=str(date))
    assert ids(**{"arrival_date[gt]": str(date)}) == []
    assert ids(**{"arrival_date[lt]": "1"}) == ids(arrival_date="-5") == []
    assert ids(**{"arrival_date[lte]": str(date), "limit": "100"}) == found
    # With another filter, and page by page from either end.
    within = {"arrival_date[lte]": str(date), "limit": "1"}
    assert ids(**within, starting_after=second["id"]) == [first["id"]]
    assert ids(**within, ending_before=first["id"]) == [second["id"]]
    assert ids(**within, destination="ba_accountClosed") == ids(destination="ba_accountClosed", limit="1")


def test_more_than_is_available_is_refused(client: httpx.Client) -> None:
    error = check_error(
        client.post(PATH, data={"amount": "99999999", "currency": "usd"}), 402, kind="invalid_request_error"
    )
    assert (error["code"], error["param"]) == ("balance_insufficient", "amount")


def test_a_payout_that_ended_cannot_be_canceled(client: httpx.Client) -> None:
    paid = ended(client, pay_out(client))
    assert check_error(client.post(f"{PATH}/{paid['id']}/cancel"), 400)["code"] == "payout_not_cancelable"


def test_an_event_tells_what_became_available(client: httpx.Client) -> None:
    pay(client, "1234")
    while True:
        found = get(client, "/v1/events", type="balance.available", limit="1")["data"]
        if found and found[0]["data"]["object"] == get(client, "/v1/balance"):
            break
        time.sleep(0.05)
    assert deviations(found[0]["data"]["object"]) == []
    assert found[0]["request"]["id"] is None


def test_what_a_schedule_pays_out_can_be_listed(server: RunningServer) -> None:
    tenant = make_tenant(server.database_url)
    with open_client(server.url, tenant.secret) as client:
        first, second = (pay(client, amount)["latest_charge"] for amount in ("1000", "500"))
        late = pay(client, "70", "pm_card_visa")["latest_charge"]
        refund = post(client, "/v1/refunds", charge=first, amount="300")
        pending = post(client, "/v1/refunds", charge=late, amount="7")
        manual = ended(client, pay_out(client, "100"))
        schedule(server, tenant, "daily")
        while not (payouts := [one for one in get(client, PATH)["data"] if one["automatic"]]):
            time.sleep(0.05)
        payout = ended(client, payouts[0])
        assert deviations(payout) == []
        assert (payout["amount"], payout["reconciliation_status"]) == (1100, "completed")
        assert events_of(client, payout)[-1]["type"] == "payout.reconciliation_completed"
        listed = get(client, "/v1/balance_transactions", payout=payout["id"])["data"]
        assert [item["source"] for item in listed] == [
            payout["id"], manual["id"], refund["id"], second, first,
        ]  # fmt: skip
        assert sum(item["net"] for item in listed[1:]) == payout["amount"]
        assert pending["id"] not in {item["source"] for item in listed}
        charges = get(client, "/v1/balance_transactions", payout=payout["id"], type="charge", limit="1")
        assert ([item["source"] for item in charges["data"]], charges["has_more"]) == ([second], True)
        back = get(
            client, "/v1/balance_transactions", payout=payout["id"], ending_before=listed[-1]["id"], limit="2"
        )
        assert (back["data"], back["has_more"]) == (listed[2:4], True)
        error = check_error(client.get("/v1/balance_transactions", params={"payout": manual["id"]}), 400)
        assert error["param"] == "payout"
        assert get(client, "/v1/ledger/verify")["problems"] == []
        account = get(client, "/v1/account")
        assert account["settings"]["payouts"]["schedule"] == {"delay_days": 2, "interval": "daily"}
        assert account["payouts_enabled"]


def schedule(server: RunningServer, tenant: Tenant, interval: str) -> None:
    async def work() -> None:
        async with connected(server.database_url) as connection:
            await connection.execute(
                "update book set payout_interval = $2 where tenant_id = $1", tenant.tenant_id, interval
            )

    asyncio.run(work())
