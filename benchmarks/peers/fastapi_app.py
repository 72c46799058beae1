"""The case study's "after": FastAPI on uvicorn, asyncpg, Redis. One transaction a request.

Written as a good developer would: prepared statements (asyncpg's own cache), several rows in one
`executemany`, orjson for the answers, the API key remembered for two seconds, the rows that all requests
share (the tenant's sequence and its ledger accounts) locked as late as can be and in one order.

Run: uvicorn benchmarks.peers.fastapi_app:app --loop uvloop --http httptools --no-access-log
Reads PEER_DATABASE_URL, PEER_REDIS_URL and PEER_POOL.
"""

import asyncio
import hashlib
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar
from uuid import UUID

import asyncpg
import orjson
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from pydantic import ValidationError
from redis.asyncio import BlockingConnectionPool, Redis

from benchmarks.peers import refund as refunds
from benchmarks.peers import statements
from benchmarks.peers.params import CreatePaymentIntent, CreateRefund, CreateTransfer, parse
from benchmarks.peers.payment import (
    EVENT_COUNT,
    Payment,
    Tenant,
    fingerprint,
    key_digest,
    pay,
    render,
)

KEY_CACHE_SECONDS = 2.0
# What may pass if the transaction is run again, and how often and after how long it is.
RETRIED = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError)
ATTEMPTS_MAX = 3
BACKOFF_SECONDS = 0.01
ANSWER_CACHE_SECONDS = 300
REDIS_CONNECTIONS_MAX, REDIS_WAIT_SECONDS = 50, 20

_known_keys: dict[str, tuple[Tenant, float]] = {}


@asynccontextmanager
async def lifespan(application: FastAPI) -> AsyncIterator[None]:
    """Hold the pool and the cache's connections while the process serves."""
    size = int(os.environ.get("PEER_POOL", "16"))
    async with asyncpg.create_pool(os.environ["PEER_DATABASE_URL"], min_size=size, max_size=size) as pool:
        application.state.pool = pool
        # Beyond its connections a command waits, where the default pool would raise.
        connections = BlockingConnectionPool.from_url(
            os.environ["PEER_REDIS_URL"], max_connections=REDIS_CONNECTIONS_MAX, timeout=REDIS_WAIT_SECONDS
        )
        application.state.redis = Redis.from_pool(connections)
        try:
            yield
        finally:
            await application.state.redis.aclose()


app = FastAPI(lifespan=lifespan, openapi_url=None)


async def authenticate(request: Request, authorization: Annotated[str, Header()] = "") -> Tenant:
    """Return whose key it is, as the database said within the last seconds."""
    known = _known_keys.get(authorization)
    if known is not None and known[1] > time.monotonic():
        return known[0]
    key_hash = hashlib.sha256(authorization.removeprefix("Bearer ").encode()).digest()
    row = await request.app.state.pool.fetchrow(statements.FIND_KEY, key_hash)
    if row is None:
        raise HTTPException(401, "Invalid API key")
    tenant = Tenant(*row)
    _known_keys[authorization] = (tenant, time.monotonic() + KEY_CACHE_SECONDS)
    return tenant


async def read_payment(request: Request) -> CreatePaymentIntent:
    """Return the checked parameters of a payment."""
    return await read(CreatePaymentIntent, request)


async def read_refund(request: Request) -> CreateRefund:
    """Return the checked parameters of a refund."""
    return await read(CreateRefund, request)


@app.get("/health")
async def health() -> dict[str, str]:
    """Say that the process serves."""
    return {"status": "ok"}


@app.post("/v1/payment_intents")
async def create_payment_intent(
    request: Request,
    tenant: Annotated[Tenant, Depends(authenticate)],
    params: Annotated[CreatePaymentIntent, Depends(read_payment)],
    idempotency_key: Annotated[str, Header(min_length=1, max_length=255)],
) -> Response:
    """Take a payment, once for each idempotency key."""
    payment = pay(tenant, params)
    asked = fingerprint(params)
    first = await retried(lambda: _take(request.app.state.pool, payment, idempotency_key, asked))
    if first is not None:
        return replay(first, asked)
    await request.app.state.redis.set(
        _cache_key(tenant, payment.public_id), payment.answer, ex=ANSWER_CACHE_SECONDS
    )
    return answer(payment.answer, payment.request_id)


@app.post("/v1/refunds")
async def create_refund(
    request: Request,
    tenant: Annotated[Tenant, Depends(authenticate)],
    params: Annotated[CreateRefund, Depends(read_refund)],
    idempotency_key: Annotated[str, Header(min_length=1, max_length=255)],
) -> Response:
    """Give money back, once for each idempotency key."""
    asked = fingerprint(params)
    pool = request.app.state.pool
    made, first = await retried(lambda: _give_back(pool, tenant, params, idempotency_key, asked))
    if first is not None:
        return replay(first, asked)
    if made is None:
        raise HTTPException(400, "This payment cannot be refunded by so much")
    return answer(made.answer, made.request_id)


@app.get("/v1/payment_intents/{public_id}")
async def retrieve_payment_intent(
    request: Request, tenant: Annotated[Tenant, Depends(authenticate)], public_id: str
) -> Response:
    """Show a payment, from the cache where it is there."""
    cache_key = _cache_key(tenant, public_id)
    body = await request.app.state.redis.get(cache_key)
    if body is None:
        try:
            identifier = UUID(public_id.removeprefix("pi_"))
        except ValueError:
            raise HTTPException(404, "No such payment_intent") from None
        snapshot = await request.app.state.pool.fetchval(
            statements.LATEST_VERSION, tenant.id, tenant.livemode, identifier
        )
        if snapshot is None:
            raise HTTPException(404, "No such payment_intent")
        body = render(orjson.loads(snapshot), livemode=tenant.livemode)
        await request.app.state.redis.set(cache_key, body, ex=ANSWER_CACHE_SECONDS)
    return answer(body, f"req_{os.urandom(12).hex()}")


_Params = TypeVar("_Params", CreatePaymentIntent, CreateRefund, CreateTransfer)
_Result = TypeVar("_Result")


async def read(model: type[_Params], request: Request) -> _Params:
    """Return the checked parameters of a request."""
    try:
        return parse(model, request.headers.get("content-type", ""), await request.body())
    except ValidationError as error:
        raise HTTPException(400, error.errors(include_url=False, include_context=False)) from error
    except ValueError as error:
        raise HTTPException(415, str(error)) from error


async def retried(work: Callable[[], Awaitable[_Result]]) -> _Result:
    """Run a transaction, and again where that may help."""
    for attempt in range(1, ATTEMPTS_MAX):
        try:
            return await work()
        except RETRIED:
            await asyncio.sleep(random.uniform(0, BACKOFF_SECONDS * 2**attempt))
    return await work()


async def _take(pool: Any, payment: Payment, idempotency_key: str, asked: bytes) -> Any:
    """Write the payment in one transaction; return the first answer's row where the key was used."""
    tenant = payment.tenant
    digest = key_digest(tenant, idempotency_key)
    async with pool.acquire() as connection, connection.transaction():
        if not await _claim(connection, payment, digest, idempotency_key, asked):
            return await connection.fetchrow(statements.FIRST_ANSWER, digest, tenant.id, tenant.livemode)
        # A savepoint, as the case study has it: what fails in it leaves the claim of the key in place.
        async with connection.transaction():
            await _write(connection, payment)
    return None


async def _give_back(
    pool: Any, tenant: Tenant, params: CreateRefund, idempotency_key: str, asked: bytes
) -> tuple[refunds.Refund | None, Any]:
    """Write the refund in one transaction, where there is enough left; or return the first answer's row."""
    scope = (tenant.id, tenant.livemode)
    digest = key_digest(tenant, idempotency_key)
    async with pool.acquire() as connection, connection.transaction():
        made = await _decide_refund(connection, tenant, params)
        if made is None or not await _claim(connection, made, digest, idempotency_key, asked):
            return None, await connection.fetchrow(statements.FIRST_ANSWER, digest, *scope)
        async with connection.transaction():
            charge = made.charge
            row = (made.refund_id, charge.currency, made.amount, charge.charge_id, made.intent_id)
            await connection.execute(statements.INSERT_REFUND, *scope, *row)
            await connection.execute(statements.REFUND_CHARGE, *scope, charge.charge_id, made.amount)
            await _book(connection, made, charge.currency, refunds.EVENT_COUNT)
    return made, None


async def _decide_refund(connection: Any, tenant: Tenant, params: CreateRefund) -> refunds.Refund | None:
    scope = (tenant.id, tenant.livemode)
    row = await connection.fetchrow(statements.LOCK_CHARGE, *scope, refunds.intent_of(params))
    if row is None:
        return None
    snapshot = await connection.fetchval(statements.LATEST_VERSION, *scope, row["charge_id"])
    try:
        return refunds.give_back(tenant, refunds.LockedCharge(**row, snapshot=snapshot), params)
    except refunds.NotRefundable:
        return None


async def _claim(
    connection: Any, made: Payment | refunds.Refund, digest: bytes, idempotency_key: str, asked: bytes
) -> bool:
    """Store the answer under the key, unless there is one already."""
    scope = (made.tenant.id, made.tenant.livemode)
    answered = (made.answer, made.request_id, made.created_at)
    new = await connection.fetchval(statements.CLAIM_KEY, digest, *scope, idempotency_key, asked, *answered)
    return new is not None


async def _write(connection: Any, payment: Payment) -> None:
    scope = (payment.tenant.id, payment.tenant.livemode)
    intent = (payment.intent_id, payment.currency, payment.amount)
    await connection.execute(statements.INSERT_METHOD, *scope, payment.method_id)
    await connection.execute(statements.INSERT_INTENT, *scope, *intent)
    await connection.execute(
        statements.INSERT_CHARGE,
        *scope,
        payment.charge_id,
        payment.currency,
        payment.amount,
        payment.fee,
        payment.intent_id,
    )
    await _book(connection, payment, payment.currency, EVENT_COUNT)


async def _book(connection: Any, made: Payment | refunds.Refund, currency: str, event_count: int) -> None:
    """Write what has a place in the tenant's sequence."""
    scope = (made.tenant.id, made.tenant.livemode)
    # From here on the tenant's other requests wait until this one is on disk.
    sequence = await connection.fetchval(statements.ADVANCE_BOOK, *scope, event_count)
    moved = list(zip(*made.moved(), strict=True))
    await connection.execute(statements.MOVE_ACCOUNTS, *scope, currency, *moved)
    await connection.executemany(statements.INSERT_VERSION, made.versions(sequence))
    await connection.executemany(statements.INSERT_TRANSFER, made.transfers(sequence))
    await connection.executemany(statements.INSERT_EVENT, made.events(sequence))


def replay(first: Any, asked: bytes) -> Response:
    """Give the first answer again, to the same request."""
    if first["fingerprint"] != asked:
        raise HTTPException(400, "This idempotency key was used with other parameters")
    response = answer(first["answer"], first["request_id"])
    response.headers["Idempotent-Replayed"] = "true"
    return response


def answer(body: bytes, request_id: str) -> Response:
    """Return an answer that has its body already."""
    return Response(body, media_type="application/json", headers={"Request-Id": request_id})


def _cache_key(tenant: Tenant, public_id: str) -> str:
    return f"{tenant.id.hex}:{tenant.livemode}:{public_id}"
