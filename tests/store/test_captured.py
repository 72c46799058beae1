"""What the book has of captures, however long before them the money was held."""

import asyncio
from typing import Any

import httpx
import pytest

from fastpay.domain.identifiers import Scope
from fastpay.engine.rollout.guard_ports import Moved
from fastpay.store.pool import ReaderPool
from fastpay.store.postgres import DatabaseSettings
from fastpay.store.rollout_guard import PostgresGuard
from tests.support.api import open_client, post
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant

PAYMENTS = "/v1/payment_intents"
CARD = "payment_method_options[card]"
HOLD = {"amount": "2000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
HOLD |= {"capture_method": "manual"}
FLEXIBLE = {f"{CARD}[request_multicapture]": "if_available"}
ABOVE = {f"{CARD}[request_overcapture]": "if_available"}
PART = {"amount_to_capture": "500"}


@pytest.mark.parametrize(
    ("asking", "captures", "received"),
    [
        ({}, [{}], 2000),
        ({}, [PART], 500),
        (FLEXIBLE, [PART | {"final_capture": "false"}, PART | {"final_capture": "false"}, PART], 1500),
        (ABOVE, [{"amount_to_capture": "2100"}], 2100),
    ],
)
async def test_all_captures_of_a_charge_are_added_up(
    server: RunningServer,
    tenant: Tenant,
    asking: dict[str, str],
    captures: list[dict[str, str]],
    received: int,
) -> None:
    def pay(client: httpx.Client) -> Any:
        paid = post(client, PAYMENTS, **HOLD, **asking)
        for form in captures:
            paid = post(client, f"{PAYMENTS}/{paid['id']}/capture", **form)
        return paid

    with open_client(server.url, tenant.secret) as client:
        paid = await asyncio.to_thread(pay, client)
        held = await asyncio.to_thread(lambda: post(client, PAYMENTS, **HOLD))
    assert paid["amount_received"] == received
    scope = Scope(tenant.tenant_id.hex, livemode=False)
    asked = [
        Moved(scope, one["latest_charge"], "charge", "usd", received, is_capture=True) for one in (paid, held)
    ]
    pool = ReaderPool(DatabaseSettings(url=server.database_url))
    try:
        booked = await PostgresGuard(pool).read_booked(asked)
    finally:
        await pool.close()
    # What is held only was not captured.
    assert booked == {(paid["latest_charge"], "charge"): {"usd": received}}
