"""The case study's "before": Flask on gunicorn's sync workers, SQLAlchemy's ORM over psycopg, no Redis.

The same rows as the other peer's, through mapped classes on reflected tables and one session a request, from
the engine's pool. Rows that requests share are locked last (SELECT FOR UPDATE) and in one order.

Run: gunicorn --workers 5 'benchmarks.peers.flask_app:create_app()'. Reads PEER_DATABASE_URL.
"""

import hashlib
import os
import time
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from flask import Flask, Response, request
from pydantic import ValidationError
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.declarative import DeferredReflection
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from werkzeug.exceptions import BadRequest, NotFound, Unauthorized, UnsupportedMediaType

from benchmarks.peers.params import CreatePaymentIntent, parse
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
_COUNTERS = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")


class Base(DeferredReflection, DeclarativeBase):
    """What is mapped; the columns are the database's."""


class ApiKey(Base):
    """A key of a tenant."""

    __tablename__ = "api_key"


class Book(Base):
    """A tenant's sequence and fees."""

    __tablename__ = "book"


class Account(Base):
    """A balance holder of the ledger."""

    __tablename__ = "account"


class IdempotencyKey(Base):
    """A key that was used, and the answer."""

    __tablename__ = "idempotency"


class PaymentMethod(Base):
    """A card."""

    __tablename__ = "payment_method"


class PaymentIntent(Base):
    """A payment."""

    __tablename__ = "payment_intent"


class Charge(Base):
    """An attempt at a payment."""

    __tablename__ = "charge"


class ObjectVersion(Base):
    """A snapshot of an object."""

    __tablename__ = "object_version"


class Transfer(Base):
    """A move between two accounts."""

    __tablename__ = "transfer"


class Event(Base):
    """Something that happened."""

    __tablename__ = "event"


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
        keys = _columns(IdempotencyKey)
        digest = key_digest(payment.tenant, idempotency_key)
        with self._session.begin() as session:
            values = {
                "digest": digest,
                "tenant_id": payment.tenant.id,
                "livemode": payment.tenant.livemode,
                "idempotency_key": idempotency_key,
                "fingerprint": asked,
                "answer": payment.answer,
                "request_id": payment.request_id,
                "created_at": payment.created_at,
            }
            claim = insert(IdempotencyKey).values(values).on_conflict_do_nothing().returning(keys.digest)
            if session.execute(claim).first() is None:
                return session.scalars(sa.select(IdempotencyKey).where(keys.digest == digest)).one()
            self._write(session, payment)
        return None

    def latest_version(self, tenant: Tenant, identifier: UUID) -> bytes | None:
        """Return the latest snapshot of an object."""
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
        with self._session() as session:
            return session.scalar(query)

    def _write(self, session: Session, payment: Payment) -> None:
        scope = {"tenant_id": payment.tenant.id, "livemode": payment.tenant.livemode}
        shared = {**scope, "version": 1, "currency": payment.currency, "amount": payment.amount}
        _add(session, PaymentMethod, [{**scope, "payment_method_id": payment.method_id, "version": 1}])
        intent = {"payment_intent_id": payment.intent_id, "status": "succeeded", "amount_capturable": 0}
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
        sequence = self._advance(session, payment.tenant)
        self._move(session, payment)
        _add(session, ObjectVersion, _named(ObjectVersion, payment.versions(sequence)))
        _add(session, Transfer, _named(Transfer, payment.transfers(sequence)))
        _add(session, Event, _named(Event, payment.events(sequence)))

    def _advance(self, session: Session, tenant: Tenant) -> int:
        columns = _columns(Book)
        query = sa.select(Book).where(columns.tenant_id == tenant.id, columns.livemode == tenant.livemode)
        book: Any = session.scalars(query.with_for_update()).one()
        book.sequence += EVENT_COUNT
        sequence: int = book.sequence
        return sequence

    def _move(self, session: Session, payment: Payment) -> None:
        columns = _columns(Account)
        moved = payment.moved()
        # The tenant's book is locked, so that nobody else opens or moves these accounts.
        query = sa.select(Account).where(
            columns.tenant_id == payment.tenant.id,
            columns.livemode == payment.tenant.livemode,
            columns.account_id.in_([account_id for account_id, *_ in moved]),
        )
        found: Any = session.scalars(query.with_for_update())
        accounts = {account.account_id: account for account in found}
        for account_id, code, side, debits, credits_ in moved:
            account: Any = accounts.get(account_id)
            if account is None:
                opened = {"account_id": account_id, "code": code, "normal_side": side}
                account = Account(**opened, **dict.fromkeys(_COUNTERS, 0), currency=payment.currency)
                account.tenant_id, account.livemode = payment.tenant.id, payment.tenant.livemode
                session.add(account)
            account.debits_posted += debits
            account.credits_posted += credits_
        session.flush()


def _columns(mapped: type[Base]) -> Any:
    """Return a mapped class for its columns, which are known once the database was looked at."""
    return mapped


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

    def authenticate() -> Tenant:
        tenant = store.authenticate(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if tenant is None:
            raise Unauthorized
        return tenant

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/v1/payment_intents")
    def create_payment_intent() -> Response:
        tenant = authenticate()
        params = _read_params()
        idempotency_key = request.headers.get("Idempotency-Key", "")
        if not 1 <= len(idempotency_key) <= 255:
            raise BadRequest
        payment, asked = pay(tenant, params), fingerprint(params)
        first = store.take(payment, idempotency_key, asked)
        if first is None:
            return _answer(payment.answer, payment.request_id)
        if first.fingerprint != asked:
            raise BadRequest
        response = _answer(first.answer, first.request_id)
        response.headers["Idempotent-Replayed"] = "true"
        return response

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


def _read_params() -> CreatePaymentIntent:
    try:
        return parse(request.content_type or "", request.get_data())
    except ValidationError as error:
        raise BadRequest from error
    except ValueError as error:
        raise UnsupportedMediaType from error


def _answer(body: bytes, request_id: str) -> Response:
    return Response(body, mimetype="application/json", headers={"Request-Id": request_id})
