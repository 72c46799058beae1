"""Tenants as an operator sees them: their names and money rules."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from fastpay import limits
from fastpay.domain.rules import Rules
from fastpay.errors import InvalidRequest
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

    def check(self) -> None:
        """Raise InvalidRequest for the first value that is out of its range."""
        for name, value, largest in (
            ("fee_basis_points", self.fee_basis_points, limits.fee_basis_points_max),
            ("fee_fixed", self.fee_fixed, limits.amount_max),
            ("dispute_fee", self.dispute_fee, limits.amount_max),
            ("funds_delay_days", self.funds_delay_days, limits.funds_delay_days_max),
            *(("amount_minimums", amount, limits.amount_max) for amount in self.amount_minimums.values()),
        ):
            if value is not None and not 0 <= value <= largest:
                raise InvalidRequest(f"{name} is a whole number from 0 to {largest}.", param=name)
        if self.payout_interval not in (None, *limits.payout_intervals):
            intervals = ", ".join(limits.payout_intervals)
            raise InvalidRequest(f"payout_interval is one of {intervals}.", param="payout_interval")

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
    return [_listed(row) for row in await connection.fetch(SQL["tenant_list"], name)]


async def read_tenant(
    connection: Any, tenant_id: uuid.UUID, *, is_locked: bool = False
) -> ListedTenant | None:
    """Return a tenant, None if there is none. With `is_locked`, others who lock it wait."""
    found = await connection.fetch(SQL["tenant_lock" if is_locked else "tenant_read"], tenant_id)
    return _listed(found[0]) if found else None


async def rename_tenant(connection: Any, tenant_id: uuid.UUID, name: str) -> None:
    """Give a tenant another name. Raises: InvalidRequest for a bad name, or that of another tenant."""
    check_name(name)
    try:
        await connection.execute(SQL["tenant_rename"], tenant_id, name)
    except asyncpg.UniqueViolationError:
        raise InvalidRequest(f"There is a tenant named {name!r} already.", param="name") from None


def check_name(name: str) -> None:
    """Raise InvalidRequest if a tenant cannot have this name."""
    if not 1 <= len(name) <= limits.tenant_name_chars_max or not name.isprintable():
        raise InvalidRequest(
            f"A tenant's name has 1 to {limits.tenant_name_chars_max} printable characters.", param="name"
        )


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


def _listed(row: Any) -> ListedTenant:
    return ListedTenant(
        row["tenant_id"],
        row["name"],
        row["created_at"],
        rows.rules(row["test_rules"]),
        rows.rules(row["live_rules"]),
    )
