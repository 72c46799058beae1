"""Counts what an operator wants to know of webhook deliveries, for all tenants."""

from typing import Any

import msgspec

from fastpay import limits
from fastpay.domain.webhook_endpoints import WebhookEndpoint
from fastpay.store.statements import SQL


class DeliverySurvey(msgspec.Struct, frozen=True, kw_only=True):
    """How deliveries stand.

    `unheld` endpoints are enabled and have no live instance. `parked` deliveries wait for another attempt.
    `furthest_id` is the endpoint that is furthest behind the sequence of its tenant, by `lag_max`. `oldest_s`
    is the age of the oldest event that an enabled endpoint has not acknowledged.
    """

    enabled: int = 0
    disabled: int = 0
    unheld: int = 0
    failing: int = 0
    parked: int = 0
    lag_max: int = 0
    furthest_id: str | None = None
    oldest_s: int = 0


async def survey_deliveries(connection: Any) -> DeliverySurvey:
    """Return how deliveries stand now. `connection` is of asyncpg, which has no types."""
    row = dict(
        await connection.fetchrow(SQL["relay_survey"], limits.relay_lease_ms, limits.relay_circuit_failures)
    )
    found = row.pop("furthest_id")
    furthest_id = None if found is None else f"{WebhookEndpoint.prefix}_{found.hex}"
    return DeliverySurvey(furthest_id=furthest_id, **row)
