"""What a payment's page costs the database: the same statements, however long its history is."""

import asyncio
import re
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
from tests.support.operators import SignedIn, get, join, page_of
from tests.support.servers import RunningServer, SpawnServer, execute
from tests.support.tenants import Tenant, make_tenant


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


def look_up(
    server: RunningServer, tenant: Tenant, payment: str, *, thorough: bool = False
) -> tuple[int, History]:
    """Return how many statements a payment's history takes, and the history."""

    async def work() -> tuple[int, History]:
        pool = ReaderPool(DatabaseSettings(url=server.database_url), connections_max=1)
        reads = _Counting(pool)
        try:
            history = await Histories(reads).history(tenant.tenant_id.hex, False, payment, thorough=thorough)
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


def test_balances_are_added_up_when_somebody_asks_if_much_was_moved_since(
    server: RunningServer, tenant: Tenant, payment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page does bounded work by itself. What it leaves out is found all the same, and is the same."""
    with open_client(server.url, tenant.secret) as api:
        api.post(f"/v1/payment_intents/{payment['id']}/capture").raise_for_status()
    _, near = look_up(server, tenant, payment["id"])
    assert near.postings
    assert all(one.debit_after is not None and one.credit_after is not None for one in near.postings)
    monkeypatch.setattr(limits, "history_transfers_max", len(near.postings) - 1)
    _, far = look_up(server, tenant, payment["id"])
    assert {(one.debit_after, one.credit_after) for one in far.postings} == {(None, None)}
    _, asked = look_up(server, tenant, payment["id"], thorough=True)
    assert asked.postings == near.postings


def test_the_page_of_a_payment_before_much_else_leads_to_its_balances(spawn_server: SpawnServer) -> None:
    """The balances after each of its transfers, whatever other payments have moved between and after."""
    # Its books are wrong in the end, and other tests look through those that are shared.
    server = spawn_server()
    tenant = make_tenant(server.database_url)
    paid = {"amount": "700", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true",
            "payment_method_types[]": "card"}  # fmt: skip
    with open_client(server.url, tenant.secret) as api:
        first = api.post("/v1/payment_intents", data=paid).json()
        api.post("/v1/payment_intents", data=paid).raise_for_status()
        api.post("/v1/refunds", data={"payment_intent": first["id"], "amount": "100"}).raise_for_status()
    # As many transfers as a page adds up by itself, there and back between the same accounts.
    execute(
        server.database_url,
        f"""
        insert into transfer
        select
            tenant_id, livemode, ('f' || substr(gen_random_uuid()::text, 2))::uuid, sequence + number,
            kind, phase,
            case number % 2 when 0 then debit_account_id else credit_account_id end,
            case number % 2 when 0 then credit_account_id else debit_account_id end,
            currency, 1, source_id, null, created_at
        from generate_series(1, {limits.history_transfers_max}) as number, (
            select * from transfer where tenant_id = '{tenant.tenant_id}' order by transfer_id desc limit 1
        ) as latest
        """,
    )
    page = page_of(tenant, first)
    with open_client(server.admin_url, headers={"Origin": server.admin_url}) as http:
        ada = join(http, server)
        bare = get(http, page, ada).text
        assert 'class="after"' not in bare
        assert '<a href="?balances=all">' in bare
        shown = get(http, f"{page}?balances=all", ada).text
    after = re.findall(r'/accounts/usd/processor">\w+</a> <span class="after">([^<]+)</span>', shown)
    assert after == ["7.00 USD", "13.00 USD"]
