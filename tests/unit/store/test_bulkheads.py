"""Bulkheads between kinds of reads, and between tenants."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack

import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.errors import RateLimited
from fastpay.store.bulkheads import Bulkheads

TEST_MODE, LIVE_MODE, OTHER = Scope("a", False), Scope("a", True), Scope("b", False)


async def is_refused(slot: AbstractAsyncContextManager[None]) -> bool:
    """Tell whether it is the tenant's own doing that no slot comes."""
    try:
        async with slot:
            return False
    except RateLimited:
        return True


async def test_both_modes_of_a_tenant_share_what_it_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "scan_wait_timeout_ms", 20)
    gates = Bulkheads(reader_connections=8, scan_connections=6)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(gates.verifying(TEST_MODE))
        for _ in range(2):
            await stack.enter_async_context(gates.searching(TEST_MODE))
        assert await is_refused(gates.verifying(LIVE_MODE))
        assert await is_refused(gates.searching(LIVE_MODE))
        assert not await is_refused(gates.verifying(OTHER))
        assert not await is_refused(gates.searching(OTHER))


@pytest.mark.parametrize("connections", [2, 3, 4, 100])
async def test_verifications_leave_searches_a_connection_and_the_other_way_round(connections: int) -> None:
    gates = Bulkheads(reader_connections=1, scan_connections=connections)
    async with gates.verifying(TEST_MODE), gates.searching(TEST_MODE):
        pass
    async with gates.searching(TEST_MODE), gates.verifying(TEST_MODE):
        pass
