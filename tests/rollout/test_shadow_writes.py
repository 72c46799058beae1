"""Writes in shadow: the older API executes them; fastpay decides them, and commits nothing."""

import copy
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.rollout.recorded import answer_of, differences, outcomes, wait_for_outcomes
from tests.rollout.states import set_all, side_of
from tests.support.api import open_client
from tests.support.legacy import RawLegacy
from tests.support.servers import RunningServer, fetch
from tests.support.tenants import make_tenant

PAYMENTS, ROUTE = "/v1/payment_intents", "POST /v1/payment_intents"
PAYMENT = {
    "amount": "1999",
    "currency": "usd",
    "payment_method": "pm_card_visa",
    "confirm": "true",
    "metadata[order]": "7",
}
Change = Callable[[dict[str, Any]], object]


def _rename(body: dict[str, Any]) -> None:
    body["captured_amount"] = body.pop("amount_received")


# A fault of the candidate: how the older API answers, which does not have it; the request; its name.
FAULTS: dict[str, tuple[Change, dict[str, str], str]] = {
    "rounding": (lambda one: one.update(amount_received=2000), {}, "money amount_received"),
    "the posting is short": (lambda one: one.update(amount_received=2000), {}, "posting capture usd"),
    "exponent": (lambda one: one.update(amount=199_900), {}, "money amount"),
    "currency": (lambda one: one.update(currency="jpy"), {}, "money currency"),
    "state": (lambda one: one.update(status="processing"), {}, "value status"),
    "renamed field": (_rename, {}, "missing captured_amount"),
    "lost metadata": (lambda one: one["metadata"].update(more="1"), {}, "missing metadata.*"),
    "another type": (lambda one: one.update(object="payment"), {}, "value object"),
    "a missing event": (lambda one: one, {"confirm": "false"}, "event payment_intent.succeeded"),
    "nothing is moved": (lambda one: one, {"confirm": "false"}, "posting capture usd"),
    "a decline": (lambda one: one, {"payment_method": "pm_card_visa_chargeDeclined"}, "status (status)"),
}


def content(server: RunningServer, tenant_id: uuid.UUID) -> dict[str, int]:
    """Return how many rows each table has of a tenant, and how far its sequences are."""
    tables = fetch(
        server.database_url,
        "select table_name as name from information_schema.columns join pg_class on relname = table_name "
        "where table_schema = 'public' and column_name = 'tenant_id' and relkind in ('r', 'p')",
    )
    counts = " union all ".join(
        f"select '{row['name']}' as name, count(*)::bigint as count from {row['name']} where tenant_id = $1"
        for row in tables
    )
    counts += " union all select 'sequences', sum(sequence)::bigint from book where tenant_id = $1"
    return {row["name"]: row["count"] for row in fetch(server.database_url, counts, tenant_id)}


def test_a_write_is_decided_and_equal_but_for_identifiers_and_times(
    shop: httpx.Client, front: RunningServer, legacy: RawLegacy
) -> None:
    legacy.answers[PAYMENTS] = answer_of(shop.post(PAYMENTS, data=PAYMENT).json())
    set_all("shadow", shop, server=front)
    shown = shop.post(PAYMENTS, data=PAYMENT, headers={"Idempotency-Key": "order-7"})
    assert side_of(shown) == "legacy"
    assert legacy.last(PAYMENTS).body.startswith(b"amount=1999&")
    counted = wait_for_outcomes(front, ROUTE, 1)
    assert (outcomes(counted), differences(counted)) == ({"equal": 1}, set())
    assert counted["hidden", "identifiers of a write"] > 0
    assert legacy.count(PAYMENTS) == 1


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_candidate_is_found_by_the_first_write(
    shop: httpx.Client, front: RunningServer, legacy: RawLegacy, name: str
) -> None:
    change, sent, difference = FAULTS[name]
    right = copy.deepcopy(shop.post(PAYMENTS, data=PAYMENT).json())
    change(right)
    legacy.answers[PAYMENTS] = answer_of(right)
    set_all("shadow", shop, server=front)
    assert shop.post(PAYMENTS, data=PAYMENT | sent).json() == right
    counted = wait_for_outcomes(front, ROUTE, 1)
    assert outcomes(counted) == {"differing": 1}
    assert difference in differences(counted)


WRITES: dict[str, dict[str, str]] = {
    PAYMENTS: PAYMENT,
    "/v1/customers": {"email": "a@shop.example", "payment_method": "pm_card_visa"},
    "/v1/payment_methods": {"type": "card", "card[token]": "tok_visa"},
    "/v1/setup_intents": {"payment_method": "pm_card_visa", "confirm": "true"},
    "/v1/tokens": {"card[number]": "4242424242424242", "card[exp_month]": "12", "card[exp_year]": "2034"},
    "/v1/ledger/accounts": {"code": "1", "ledger": "1", "currency": "usd"},
    "/v1/webhook_endpoints": {"url": "https://shop.example/hook", "enabled_events[]": "*"},
    "/v1/payouts": {"amount": "1", "currency": "usd"},
}


def test_nothing_of_a_write_in_shadow_is_ever_committed(front: RunningServer, legacy: RawLegacy) -> None:
    tenant = make_tenant(front.database_url)
    for path in WRITES:
        legacy.answers[path] = answer_of({})
    with open_client(front.url, tenant.secret) as shop:
        set_all("shadow", shop, server=front)
        before = content(front, tenant.tenant_id)
        assert before["book"] == 2
        for path, sent in WRITES.items():
            for more in ({}, {"amount": "-1"}, {"payment_method": "pm_card_chargeDeclined"}):
                assert shop.post(path, data=sent | more).json() == {}
            wait_for_outcomes(front, f"POST {path}", 3)
        assert content(front, tenant.tenant_id) == before
        # The writer and the cache go on from where they were.
        set_all("fastpay", shop, server=front)
        assert shop.get("/v1/charges").json()["data"] == []
        assert shop.post(PAYMENTS, data=PAYMENT).json()["status"] == "succeeded"
        assert len(shop.get("/v1/charges").json()["data"]) == 1


@pytest.mark.parametrize(
    ("path", "sent", "outcome"),
    [
        (PAYMENTS, PAYMENT | {"expand[]": "latest_charge"}, "unsuitable"),
        ("/v1/webhook_endpoints", WRITES["/v1/webhook_endpoints"], "unsuitable"),
        (PAYMENTS, PAYMENT | {"customer": "cus_OldCustomer1"}, "absent"),
    ],
)
def test_what_cannot_be_decided_is_counted_as_such(
    shop: httpx.Client,
    front: RunningServer,
    legacy: RawLegacy,
    path: str,
    sent: dict[str, str],
    outcome: str,
) -> None:
    legacy.answers[path] = answer_of({"id": "x"})
    set_all("shadow", shop, server=front)
    shop.post(path, data=sent)
    assert outcomes(wait_for_outcomes(front, f"POST {path}", 1)) == {outcome: 1}
