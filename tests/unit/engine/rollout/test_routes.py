"""What an instance knows of the routes."""

from collections.abc import Mapping
from typing import cast

from fastpay.clock import SystemClock
from fastpay.engine.rollout.choice import RouteState
from fastpay.engine.rollout.finding_ports import RouteKey
from fastpay.engine.rollout.routes import EVERY, RolloutStore, Routes

STATES = {
    EVERY: RouteState("split", 5, change=1),
    "GET /v1/charges": RouteState("split", 0, change=2),
    "POST /v1/customers": RouteState("split", 5, change=3),
    "POST /v1/refunds": RouteState("legacy", change=4),
}


class Store:
    """Knows the states."""

    async def read_routes(self) -> Mapping[str, RouteState]:
        """Return them."""
        return STATES


async def test_merged_lists_are_no_routes_that_a_guardrail_takes_back() -> None:
    routes = Routes(cast("RolloutStore", Store()), clock=SystemClock(), retention_hours=24)
    await routes.read()
    assert routes.split() == [RouteKey(3, "POST /v1/customers")]
