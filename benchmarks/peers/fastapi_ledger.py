"""The same peer with transfers of the ledger, one transaction a request.

Accounts are locked in the order of their identifiers, the tenant's sequence as late as can be. The key is
claimed last, since the answer beside it names the place in the sequence: who loses a race for a key is undone
and gives the first answer.

Run: uvicorn benchmarks.peers.fastapi_ledger:app --loop uvloop --http httptools --no-access-log
"""

from typing import Annotated, Any

from fastapi import Depends, Header, HTTPException, Request, Response

from benchmarks.peers import statements
from benchmarks.peers.fastapi_app import answer, app, authenticate, read, replay, retried
from benchmarks.peers.params import CreateTransfer
from benchmarks.peers.payment import Tenant, fingerprint, key_digest
from benchmarks.peers.transfer import EVENT_COUNT, NotMovable, Transfer, move, sides_of

__all__ = ["app"]


class KeyTaken(Exception):
    """Somebody else has claimed the key meanwhile."""


async def read_transfer(request: Request) -> CreateTransfer:
    """Return the checked parameters of a transfer."""
    return await read(CreateTransfer, request)


@app.post("/v1/ledger/transfers")
async def create_transfer(
    request: Request,
    tenant: Annotated[Tenant, Depends(authenticate)],
    params: Annotated[CreateTransfer, Depends(read_transfer)],
    idempotency_key: Annotated[str, Header(min_length=1, max_length=255)],
) -> Response:
    """Move money, once for each idempotency key."""
    asked = fingerprint(params)
    pool = request.app.state.pool
    digest = key_digest(tenant, idempotency_key)
    first_answer = (statements.FIRST_ANSWER, digest, tenant.id, tenant.livemode)
    first = await pool.fetchrow(*first_answer)
    if first is None:
        try:
            key = (digest, idempotency_key, asked)
            return answer(*await retried(lambda: _move(pool, tenant, params, key)))
        except NotMovable as error:
            raise HTTPException(400, str(error)) from None
        except KeyTaken:
            first = await pool.fetchrow(*first_answer)
    return replay(first, asked)


async def _move(
    pool: Any, tenant: Tenant, params: CreateTransfer, key: tuple[bytes, str, bytes]
) -> tuple[bytes, str]:
    """Write the transfer in one transaction. Return the answer and the request's identifier."""
    scope = (tenant.id, tenant.livemode)
    digest, *named = key
    async with pool.acquire() as connection, connection.transaction():
        locked = await connection.fetch(statements.LOCK_ACCOUNTS, *scope, sides_of(params))
        transfer = move(tenant, params, {row["account_id"]: row for row in locked})
        body = await _write(connection, transfer)
        stored = (*named, body, transfer.request_id, transfer.created_at)
        if await connection.fetchval(statements.CLAIM_KEY, digest, *scope, *stored) is None:
            raise KeyTaken
    return body, transfer.request_id


async def _write(connection: Any, transfer: Transfer) -> bytes:
    """Write all rows but the key's, and return the answer."""
    scope = (transfer.tenant.id, transfer.tenant.livemode)
    sides = (transfer.debit, transfer.credit, transfer.amount)
    await connection.execute(statements.MOVE_BETWEEN, *scope, *sides)
    # From here on the tenant's other requests wait until this one is on disk.
    sequence = await connection.fetchval(statements.ADVANCE_BOOK, *scope, EVENT_COUNT)
    await connection.execute(statements.INSERT_LEDGER_TRANSFER, *transfer.row(sequence))
    await connection.execute(statements.INSERT_EVENT, *transfer.event(sequence))
    return transfer.answer(sequence)
