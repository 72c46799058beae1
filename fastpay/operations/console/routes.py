"""The rollout in the console: what its page shows, and what administrators change there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from fastpay.admin.console.ports import Done, Operator, Order
from fastpay.errors import ConfigurationError, InvalidRequest, NotFound
from fastpay.operations.console.administrator import STALE
from fastpay.operations.rollout import move, read_route, read_state, rearm
from fastpay.operations.rollout_report import read_report
from fastpay.store.administration import note, transaction
from fastpay.store.pool import ReaderPool
from fastpay.store.rollout import list_changes, lock_routes


class RouteReports:
    """Satisfies `ReportStore`."""

    def __init__(self, pool: ReaderPool) -> None:
        self._pool = pool

    async def report(self) -> Mapping[str, Any]:
        """Return the report that `fastpay rollout report` writes."""
        async with self._pool.lend() as connection:
            made = await read_report(connection)
        shown: dict[str, Any] = msgspec.to_builtins(made, builtin_types=(datetime,))
        return shown


class RouteDesk:
    """Sets and rearms routes, in one transaction with the note of it."""

    def __init__(self, pool: ReaderPool) -> None:
        self._pool = pool

    async def carry_out(self, operator: Operator, order: Order) -> Done:
        """Commit it together with the note of it. Raises: FastpayError."""
        async with transaction(self._pool) as connection:
            await lock_routes(connection)
            newest = await list_changes(connection, 1)
            if order.fields.get("seen") != str(newest[0].state.change if newest else 0):
                raise InvalidRequest(STALE)
            try:
                action, detail = await _change(connection, operator, order)
            except ConfigurationError as error:
                raise InvalidRequest(str(error)) from None
            await note(connection, operator, order, action=action, subject=order.subject, detail=detail)
        return Done()


async def _change(connection: Any, operator: Operator, order: Order) -> tuple[str, str]:
    """Do what a form asks for; return how the audit trail calls it. Raises: ConfigurationError."""
    route, fields = read_route(order.subject), order.fields
    if order.action == "rearm":
        await rearm(connection, route, changed_by=operator.name)
        return "route.rearmed", "legacy"
    if order.action != "set":
        raise NotFound("There is no such action.")
    state = fields.get("state", "")
    state = f"split={fields.get('percent', '').strip()}" if state == "split" else state
    await move(connection, route, read_state(state), changed_by=operator.name)
    return "route.set", state
