"""Tenants as an operator sees them: their names and money rules."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from fastpay.domain.rules import Rules
from fastpay.store import rows
from fastpay.store.statements import SQL

# Connections are `Any`, since asyncpg has no types.


class ListedTenant(msgspec.Struct, frozen=True):
    """A tenant with its rules in each mode."""

    tenant_id: uuid.UUID
    name: str
    created_at: datetime
    test: Rules
    live: Rules


class RuleChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Which rules to change; None leaves one as it is. A minimum of None removes it for that currency."""

    fee_basis_points: int | None = None
    fee_fixed: int | None = None
    refunds_may_overdraw: bool | None = None
    funds_delay_days: int | None = None
    amount_minimums: Mapping[str, int | None] = {}
    payout_interval: str | None = None
    dispute_fee: int | None = None

    def applied_to(self, rules: Rules) -> Rules:
        """Return the rules after these changes."""
        changed = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        minimums = {**rules.amount_minimums, **self.amount_minimums}
        changed["amount_minimums"] = {
            currency: amount for currency, amount in minimums.items() if amount is not None
        }
        return msgspec.structs.replace(rules, **changed)


async def list_tenants(connection: Any, name: str | None = None) -> list[ListedTenant]:
    """Return all tenants in the order of their names, or the one with this name."""
    found = await connection.fetch(SQL["tenant_list"], name)
    return [
        ListedTenant(
            row["tenant_id"],
            row["name"],
            row["created_at"],
            rows.rules(row["test_rules"]),
            rows.rules(row["live_rules"]),
        )
        for row in found
    ]


async def set_rules(
    connection: Any, tenant_id: uuid.UUID, changes: RuleChanges, *, livemodes: Sequence[bool]
) -> None:
    """Change a tenant's rules in these modes. Every running instance applies them from the next commit."""
    values = rule_values(changes)
    await connection.execute(SQL["tenant_set_rules"], tenant_id, livemodes, *values)


def rule_values(rules: Rules | RuleChanges) -> tuple[Any, ...]:
    """Return the rules in the order of the statements' parameters."""
    return (
        rules.fee_basis_points,
        rules.fee_fixed,
        rules.refunds_may_overdraw,
        rules.funds_delay_days,
        msgspec.json.encode(rules.amount_minimums).decode(),
        rules.payout_interval,
        rules.dispute_fee,
    )
