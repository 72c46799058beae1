"""Commits what administrators do in the console, each together with the note of it."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from fastpay import limits
from fastpay.admin.console.ports import Operator, Order
from fastpay.errors import InvalidRequest
from fastpay.store.failures import LOST
from fastpay.store.pool import ReaderPool
from fastpay.store.statements import SQL

_FORM_USED = "operator_action_form_unique"


class FormUsed(InvalidRequest):
    """A form was sent again. What it asked for is done already."""


@asynccontextmanager
async def transaction(pool: ReaderPool) -> AsyncIterator[Any]:
    """Lend a connection to a block, and commit what it did if it raises nothing.

    Raises: FormUsed if the block notes what was noted before; DatabaseUnavailable, Overloaded.
    """
    try:
        async with pool.lend() as connection, connection.transaction():
            yield connection
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != _FORM_USED:
            raise pool.unavailable(error) from error
        raise FormUsed(
            "This form was sent before, and what it asked for is done. A key or a secret that came of it is "
            "shown once only: if nobody has it, roll it."
        ) from None
    except (*LOST, asyncpg.PostgresError) as error:
        raise pool.unavailable(error) from error


async def note(
    connection: Any,
    operator: Operator,
    order: Order,
    *,
    action: str,
    subject: str,
    detail: str,
    tenant_id: uuid.UUID | None = None,
) -> None:
    """Note what an operator did, to a tenant or to all, in the same transaction. To be done last."""
    # With the operator, since nobody may use up the forms of another one.
    form_key = f"{operator.operator_id.hex} {order.key}"
    values = (action, subject, detail[: limits.operator_detail_chars_max], form_key, tenant_id)
    await connection.execute(SQL["operator_note_form"], operator.name, *values)
