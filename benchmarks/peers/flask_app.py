"""The case study's "before": Flask on gunicorn's sync workers, SQLAlchemy's ORM over psycopg, no Redis.

The same rows as the other peer's, through mapped classes on reflected tables and one session a request, from
the engine's pool. Rows that requests share are locked last (SELECT FOR UPDATE) and in one order.

Run: gunicorn --workers 5 'benchmarks.peers.flask_app:create_app()'. Reads PEER_DATABASE_URL,
and PEER_WAIT_MS: how long a worker waits in each request, as for an answer from a card processor.
"""

import hashlib
import os
import time
from typing import Any, TypeVar
from uuid import UUID

import orjson
import sqlalchemy as sa
from flask import Flask, Response, request
from pydantic import ValidationError
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.exceptions import BadRequest, NotFound, Unauthorized, UnsupportedMediaType

from benchmarks.peers import customer as customers
from benchmarks.peers import refund as refunds
from benchmarks.peers.mapped import (
    Account,
    ApiKey,
    Base,
    Book,
    Charge,
    Event,
    IdempotencyKey,
    ObjectVersion,
    PaymentIntent,
    PaymentMethod,
    StoredCustomer,
    StoredRefund,
    Transfer,
)
from benchmarks.peers.params import CreateCustomer, CreateCustomersPayment, CreateRefund, parse
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
# What has rows of its own in the tenant's sequence.
_Made = Payment | refunds.Refund | customers.Customer
_COUNTERS = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")


class Store:
    """The database of one worker."""

    def __init__(self, url: str) -> None:
        # A sync worker uses one connection at a time; the pool keeps it open between requests.
        engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), pool_size=1)
        Base.prepare(engine)
        self._session = sessionmaker(engine, expire_on_commit=False)
        self._known_keys: dict[str, tuple[Tenant, float]] = {}

    def authenticate(self, key: str) -> Tenant | None:
        """Return whose key it is, as the database said within the last seconds."""
        known = self._known_keys.get(key)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        keys, book = _columns(ApiKey), _columns(Book)
        found = sa.and_(book.tenant_id == keys.tenant_id, book.livemode == keys.livemode)
        query = (
            sa.select(keys.tenant_id, keys.livemode, book.fee_basis_points, book.fee_fixed)
            .join_from(ApiKey, Book, found)
            .where(keys.key_hash == hashlib.sha256(key.encode()).digest(), keys.revoked_at.is_(None))
        )
        with self._session() as session:
            row = session.execute(query).first()
        if row is None:
            return None
        tenant = Tenant(*row)
        self._known_keys[key] = (tenant, time.monotonic() + KEY_CACHE_SECONDS)
        return tenant

    def take(self, payment: Payment, idempotency_key: str, asked: bytes) -> Any:
        """Write the payment in one transaction; return the first answer's row where the key was used."""
        with self._session.begin() as session:
            first = _claim(session, payment, idempotency_key, asked)
            if first is None:
                self._write(session, payment)
            return first

    def enroll(self, customer: customers.Customer, idempotency_key: str, asked: bytes) -> Any:
        """Write the customer in one transaction; return the first answer's row where the key was used."""
        with self._session.begin() as session:
            first = _claim(session, customer, idempotency_key, asked)
            if first is None:
                scope = {"tenant_id": customer.tenant.id, "livemode": customer.tenant.livemode}
                row = {"customer_id": customer.customer_id, "version": 1, "email": customer.email}
                _add(session, StoredCustomer, [{**scope, **row, "deleted": False}])
                self._book(session, customer, "", customers.EVENT_COUNT)
            return first

    def give_back(
        self, tenant: Tenant, params: CreateRefund, idempotency_key: str, asked: bytes
    ) -> tuple[refunds.Refund | None, Any]:
        """Write the refund in one transaction, if enough is left; or return the first answer's row."""
        with self._session.begin() as session:
            columns = _columns(Charge)
            query = sa.select(Charge).where(
                columns.tenant_id == tenant.id,
                columns.livemode == tenant.livemode,
                columns.payment_intent_id == refunds.intent_of(params),
                columns.status == "succeeded",
            )
            # Whoever refunds the same charge waits here; its snapshot is read after, to be the latest.
            charge: Any = session.scalars(query.with_for_update()).first()
            made = _decide_refund(session, tenant, params, charge)
            if made is None:
                return None, _first_answer(session, tenant, idempotency_key)
            first = _claim(session, made, idempotency_key, asked)
            if first is None:
                self._write_refund(session, made, charge)
            return made, first

    def latest_version(self, tenant: Tenant, identifier: UUID) -> bytes | None:
        """Return the latest snapshot of an object."""
        with self._session() as session:
            return _latest_version(session, tenant, identifier)

    def _write(self, session: Session, payment: Payment) -> None:
        scope = {"tenant_id": payment.tenant.id, "livemode": payment.tenant.livemode}
        shared = {**scope, "version": 1, "currency": payment.currency, "amount": payment.amount}
        _add(session, PaymentMethod, [{**scope, "payment_method_id": payment.method_id, "version": 1}])
        intent = {"payment_intent_id": payment.intent_id, "status": "succeeded", "amount_capturable": 0}
        intent["customer_id"] = payment.customer_id
        _add(session, PaymentIntent, [{**shared, **intent, "amount_received": payment.amount}])
        charge = {
            "charge_id": payment.charge_id,
            "payment_intent_id": payment.intent_id,
            "status": "succeeded",
            "captured": True,
            "amount_captured": payment.amount,
            "amount_refunded": 0,
            "fee": payment.fee,
        }
        _add(session, Charge, [{**shared, **charge}])
        self._book(session, payment, payment.currency, EVENT_COUNT)

    def _write_refund(self, session: Session, made: refunds.Refund, charge: Any) -> None:
        charge.version += 1
        charge.amount_refunded += made.amount
        row = {
            "tenant_id": made.tenant.id,
            "livemode": made.tenant.livemode,
            "refund_id": made.refund_id,
            "version": 1,
            "status": "succeeded",
            "currency": charge.currency,
            "amount": made.amount,
            "charge_id": charge.charge_id,
            "payment_intent_id": charge.payment_intent_id,
        }
        _add(session, StoredRefund, [row])
        self._book(session, made, charge.currency, refunds.EVENT_COUNT)

    def _book(self, session: Session, made: _Made, currency: str, event_count: int) -> None:
        """Write what has a place in the tenant's sequence."""
        sequence = self._advance(session, made.tenant, event_count)
        self._move(session, made, currency)
        _add(session, ObjectVersion, _named(ObjectVersion, made.versions(sequence)))
        _add(session, Transfer, _named(Transfer, made.transfers(sequence)))
        _add(session, Event, _named(Event, made.events(sequence)))

    def _advance(self, session: Session, tenant: Tenant, event_count: int) -> int:
        columns = _columns(Book)
        query = sa.select(Book).where(columns.tenant_id == tenant.id, columns.livemode == tenant.livemode)
        book: Any = session.scalars(query.with_for_update()).one()
        book.sequence += event_count
        sequence: int = book.sequence
        return sequence

    def _move(self, session: Session, made: _Made, currency: str) -> None:
        columns = _columns(Account)
        moved = made.moved()
        # The tenant's book is locked, so that nobody else opens or moves these accounts.
        query = sa.select(Account).where(
            columns.tenant_id == made.tenant.id,
            columns.livemode == made.tenant.livemode,
            columns.account_id.in_([account_id for account_id, *_ in moved]),
        )
        found: Any = session.scalars(query.with_for_update())
        accounts = {account.account_id: account for account in found}
        for account_id, code, side, debits, credits_ in moved:
            account: Any = accounts.get(account_id)
            if account is None:
                opened = {"account_id": account_id, "code": code, "normal_side": side}
                account = Account(**opened, **dict.fromkeys(_COUNTERS, 0), currency=currency)
                account.tenant_id, account.livemode = made.tenant.id, made.tenant.livemode
                session.add(account)
            account.debits_posted += debits
            account.credits_posted += credits_
        session.flush()


def _columns(mapped: type[Base]) -> Any:
    """Return a mapped class for its columns, which are known once the database was looked at."""
    return mapped


def _claim(session: Session, made: _Made, idempotency_key: str, asked: bytes) -> Any:
    """Store the answer under the key; return the first answer's row where there is one already."""
    values = {
        "digest": key_digest(made.tenant, idempotency_key),
        "tenant_id": made.tenant.id,
        "livemode": made.tenant.livemode,
        "idempotency_key": idempotency_key,
        "fingerprint": asked,
        "answer": made.answer,
        "request_id": made.request_id,
        "created_at": made.created_at,
    }
    claim = insert(IdempotencyKey).values(values).on_conflict_do_nothing()
    if session.execute(claim.returning(_columns(IdempotencyKey).digest)).first() is not None:
        return None
    return _first_answer(session, made.tenant, idempotency_key)


def _first_answer(session: Session, tenant: Tenant, idempotency_key: str) -> Any:
    keys = _columns(IdempotencyKey)
    query = sa.select(IdempotencyKey).where(keys.digest == key_digest(tenant, idempotency_key))
    return session.scalars(query).first()


def _decide_refund(
    session: Session, tenant: Tenant, params: CreateRefund, charge: Any
) -> refunds.Refund | None:
    if charge is None:
        return None
    snapshot = _latest_version(session, tenant, charge.charge_id)
    assert snapshot is not None
    amounts = (charge.amount_captured, charge.amount_refunded)
    locked = refunds.LockedCharge(charge.charge_id, charge.version, charge.currency, *amounts, snapshot)
    try:
        return refunds.give_back(tenant, locked, params)
    except refunds.NotRefundable:
        return None


def _latest_version(session: Session, tenant: Tenant, identifier: UUID) -> bytes | None:
    versions = _columns(ObjectVersion)
    query = (
        sa.select(versions.snapshot)
        .where(
            versions.tenant_id == tenant.id,
            versions.livemode == tenant.livemode,
            versions.object_id == identifier,
        )
        .order_by(versions.version.desc())
        .limit(1)
    )
    return session.scalar(query)


def _add(session: Session, mapped: type[Base], records: list[dict[str, Any]]) -> None:
    session.add_all([mapped(**record) for record in records])
    session.flush()


def _named(mapped: type[Base], records: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    # The tuples are in the order of the columns, without the optional hold of a transfer.
    names = [column.name for column in mapped.__table__.columns if column.name != "hold_id"]
    return [dict(zip(names, record, strict=True)) for record in records]


def create_app() -> Flask:
    """Return the application of one worker."""
    app = Flask(__name__)
    store = Store(os.environ["PEER_DATABASE_URL"])
    wait_seconds = float(os.environ.get("PEER_WAIT_MS", "0")) / 1000

    def authenticate() -> Tenant:
        tenant = store.authenticate(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if tenant is None:
            raise Unauthorized
        return tenant

    @app.before_request
    def wait() -> None:
        if wait_seconds and request.path != "/health":
            time.sleep(wait_seconds)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/v1/customers")
    def create_customer() -> Response:
        tenant = authenticate()
        params, idempotency_key = _read_params(CreateCustomer), _read_key()
        customer, asked = customers.enroll(tenant, params), fingerprint(params)
        first = store.enroll(customer, idempotency_key, asked)
        return _answer(customer.answer, customer.request_id) if first is None else _replay(first, asked)

    @app.post("/v1/payment_intents")
    def create_payment_intent() -> Response:
        tenant = authenticate()
        params, idempotency_key = _read_params(CreateCustomersPayment), _read_key()
        payment, asked = pay(tenant, params), fingerprint(params)
        first = store.take(payment, idempotency_key, asked)
        if first is None:
            return _answer(payment.answer, payment.request_id)
        return _replay(first, asked)

    @app.post("/v1/refunds")
    def create_refund() -> Response:
        tenant = authenticate()
        params, idempotency_key = _read_params(CreateRefund), _read_key()
        asked = fingerprint(params)
        made, first = store.give_back(tenant, params, idempotency_key, asked)
        if first is not None:
            return _replay(first, asked)
        if made is None:
            raise BadRequest
        return _answer(made.answer, made.request_id)

    @app.get("/v1/payment_intents/<public_id>")
    def retrieve_payment_intent(public_id: str) -> Response:
        tenant = authenticate()
        try:
            identifier = UUID(public_id.removeprefix("pi_"))
        except ValueError:
            raise NotFound from None
        snapshot = store.latest_version(tenant, identifier)
        if snapshot is None:
            raise NotFound
        body = render(orjson.loads(snapshot), livemode=tenant.livemode)
        return _answer(body, f"req_{os.urandom(12).hex()}")

    return app


_Params = TypeVar("_Params", CreateCustomersPayment, CreateCustomer, CreateRefund)


def _read_key() -> str:
    idempotency_key = request.headers.get("Idempotency-Key", "")
    if not 1 <= len(idempotency_key) <= 255:
        raise BadRequest
    return idempotency_key


def _read_params(model: type[_Params]) -> _Params:
    try:
        return parse(model, request.content_type or "", request.get_data())
    except ValidationError as error:
        raise BadRequest from error
    except ValueError as error:
        raise UnsupportedMediaType from error


def _replay(first: Any, asked: bytes) -> Response:
    if first.fingerprint != asked:
        raise BadRequest
    response = _answer(first.answer, first.request_id)
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _answer(body: bytes, request_id: str) -> Response:
    return Response(body, mimetype="application/json", headers={"Request-Id": request_id})
