"""Only the side that has an object tells of it: webhooks and events of both sides never meet."""

import json
import time
from typing import Any

import httpx

from tests.rollout.recorded import answer_of, outcomes, wait_for
from tests.rollout.states import set_all, side_of
from tests.support.doors import H2, HTTP1
from tests.support.legacy import RawLegacy
from tests.support.servers import PATIENCE_SECONDS, RunningServer

DOORS = (HTTP1, H2)
HOOK, PAYMENTS = "/hook", "/v1/payment_intents"
PAYMENT = {"amount": "1999", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
# Not those of a balance, which change in their own time.
TYPES = ["charge.*", "customer.*", "payment_intent.*", "refund.*"]
OLD = {"customer": "cus_OldCustomer1", "charge": "ch_OldCharge1234", "payment": "pi_OldPayment123"}


def told(legacy: RawLegacy) -> list[dict[str, Any]]:
    """Return the events that were delivered. The older API is the receiver, too."""
    return [json.loads(heard.body) for heard in legacy.heard if heard.line.split(" ")[1] == HOOK]


def asked(legacy: RawLegacy) -> list[str]:
    """Return what the older API was asked for, each with its body."""
    return [heard.line + heard.body.decode() for heard in legacy.heard if heard.line.split(" ")[1] != HOOK]


def change_old_objects(shop: httpx.Client) -> None:
    """Change objects of the older API in each way, and one whose side is not said."""
    for path, form in (
        (f"/v1/customers/{OLD['customer']}", {"name": "a"}),
        (f"{PAYMENTS}/{OLD['payment']}/capture", {}),
        (f"{PAYMENTS}/{OLD['payment']}/cancel", {}),
        (f"/v1/charges/{OLD['charge']}", {"description": "a"}),
        ("/v1/refunds", {"charge": OLD["charge"]}),
        (PAYMENTS, PAYMENT | {"customer": OLD["customer"]}),
    ):
        assert side_of(shop.post(path, data=form)) == "legacy"


def test_only_the_owner_of_an_object_tells_of_it_whatever_the_routes_are(
    shop: httpx.Client, front: RunningServer, legacy: RawLegacy
) -> None:
    shop.post(
        "/v1/webhook_endpoints",
        data={"url": legacy.url + HOOK, **{f"enabled_events[{at}]": one for at, one in enumerate(TYPES)}},
    ).raise_for_status()
    own = [shop.post("/v1/customers", data={"name": "a"}).json()["id"]]
    payment = shop.post(PAYMENTS, data=PAYMENT | {"customer": own[0]}).json()
    own += [payment["id"], payment["latest_charge"]]
    # The second one is a rollback: those of a guardrail and of a person are the same change.
    for state in ("split=100", "legacy", "fastpay", "shadow"):
        set_all(state, shop, server=front)
        change_old_objects(shop)
        refund = shop.post("/v1/refunds", data={"charge": own[2], "amount": "5"})
        assert side_of(refund) == "fastpay"
        own.append(refund.json()["id"])
        assert side_of(shop.post(f"/v1/customers/{own[0]}", data={"name": state})) == "fastpay"
    # What is new is the older API's now, and is decided here as well.
    legacy.answers[PAYMENTS] = answer_of(payment)
    assert side_of(shop.post(PAYMENTS, data=PAYMENT)) == "legacy"
    wait_for(
        front, f"POST {PAYMENTS}", lambda counted: {"equal", "differing"} & outcomes(counted).keys() != set()
    )
    refund = shop.post("/v1/refunds", data={"charge": own[2], "amount": "6"})
    own.append(refund.json()["id"])
    set_all("fastpay", shop, server=front)
    types = {f"types[{at}]": one for at, one in enumerate(TYPES)}
    events = shop.get("/v1/events", params={"limit": "100", **types}).json()["data"]
    assert {one["data"]["object"]["id"] for one in events} == set(own)
    assert [one["type"] for one in events].count("charge.refunded") == 5
    assert [one["type"] for one in events].count("customer.updated") == 4
    end_s = time.monotonic() + PATIENCE_SECONDS
    while len(told(legacy)) < len(events):
        assert time.monotonic() < end_s, told(legacy)
        time.sleep(0.05)
    assert sorted(one["id"] for one in told(legacy)) == sorted(one["id"] for one in events)
    # The older API, which could tell of it, has never heard of an object of fastpay.
    assert [line for line in asked(legacy) if any(identifier in line for identifier in own)] == []
    assert any(OLD["charge"] in line for line in asked(legacy))
