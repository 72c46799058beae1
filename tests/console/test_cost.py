"""What a payment's page costs the database: the same statements, however long its history is."""

import asyncio
from typing import Any

import httpx
import pytest

from fastpay import limits
from fastpay.admin.console.ports import History
from fastpay.operations.console.histories import Histories
from fastpay.store.pool import ReaderPool
from fastpay.store.postgres import DatabaseSettings
from fastpay.store.reads import PostgresReads
from tests.support.api import open_client
from tests.support.operators import SignedIn, get, page_of
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant


class _Counting(PostgresReads):
    """Counts statements."""

    def __init__(self, pool: ReaderPool) -> None:
        super().__init__(pool, pool)
        self.count = 0

    async def fetch(self, statement: str, *arguments: Any) -> Any:
        self.count += 1
        return await super().fetch(statement, *arguments)

    async def fetch_for(self, *arguments: Any, **more: Any) -> Any:
        self.count += 1
        return await super().fetch_for(*arguments, **more)


def look_up(server: RunningServer, tenant: Tenant, payment: str) -> tuple[int, History]:
    """Return how many statements a payment's history takes, and the history."""

    async def work() -> tuple[int, History]:
        pool = ReaderPool(DatabaseSettings(url=server.database_url), connections_max=1)
        reads = _Counting(pool)
        try:
            history = await Histories(reads).history(tenant.tenant_id.hex, False, payment)
        finally:
            await pool.close()
        assert history is not None
        return reads.count, history

    return asyncio.run(work())


def test_a_payment_with_a_hundred_events_takes_no_more_statements_than_one_with_few(
    http: httpx.Client, server: RunningServer, ada: SignedIn, tenant: Tenant
) -> None:
    paid = {"amount": "9000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true",
            "payment_method_types[]": "card"}  # fmt: skip
    with open_client(server.url, tenant.secret) as api:
        few, many = (api.post("/v1/payment_intents", data=paid).json() for _ in range(2))
        for _ in range(50):
            refund = {"payment_intent": many["id"], "amount": "100"}
            api.post("/v1/refunds", data=refund).raise_for_status()
    count, short = look_up(server, tenant, few["id"])
    same_count, long = look_up(server, tenant, many["id"])
    events, more_events = len(short.occurrences), len(long.occurrences)
    assert (same_count, events < 5, more_events > 100) == (count, True, True), (count, events, more_events)
    shown = get(http, page_of(tenant, many), ada).text
    assert shown.count("<li>") == 51
    assert "40.00 USD" in shown


def test_a_payment_has_no_balances_if_too_much_was_moved_since(
    server: RunningServer, tenant: Tenant, payment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_client(server.url, tenant.secret) as api:
        api.post(f"/v1/payment_intents/{payment['id']}/capture").raise_for_status()
    _, near = look_up(server, tenant, payment["id"])
    assert near.postings
    assert all(one.debit_after is not None and one.credit_after is not None for one in near.postings)
    monkeypatch.setattr(limits, "history_transfers_max", len(near.postings) - 1)
    _, far = look_up(server, tenant, payment["id"])
    assert {(one.debit_after, one.credit_after) for one in far.postings} == {(None, None)}
