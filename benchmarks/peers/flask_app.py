"""The case study's "before": Flask on gunicorn's sync workers, SQLAlchemy over psycopg, no Redis.

The same rows as the other peer's, through SQLAlchemy Core (lighter than its ORM) on reflected tables, several
rows of a table in one insert.

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


class Store:
    """The database of one worker."""

    def __init__(self, url: str) -> None:
        self.engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
        metadata = sa.MetaData()
        metadata.reflect(self.engine)
        self.tables = metadata.tables
        self._known_keys: dict[str, tuple[Tenant, float]] = {}

    def authenticate(self, key: str) -> Tenant | None:
        """Return whose key it is, as the database said within the last seconds."""
        known = self._known_keys.get(key)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        keys, book = self.tables["api_key"], self.tables["book"]
        found = sa.and_(book.c.tenant_id == keys.c.tenant_id, book.c.livemode == keys.c.livemode)
        query = (
            sa.select(keys.c.tenant_id, keys.c.livemode, book.c.fee_basis_points, book.c.fee_fixed)
            .join_from(keys, book, found)
            .where(keys.c.key_hash == hashlib.sha256(key.encode()).digest(), keys.c.revoked_at.is_(None))
        )
        with self.engine.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        tenant = Tenant(*row)
        self._known_keys[key] = (tenant, time.monotonic() + KEY_CACHE_SECONDS)
        return tenant

    def take(self, payment: Payment, idempotency_key: str, asked: bytes) -> Any:
        """Write the payment in one transaction; return the first answer's row where the key was used."""
        rows = self.tables["idempotency"]
        digest = key_digest(payment.tenant, idempotency_key)
        with self.engine.begin() as connection:
            claim = insert(rows).on_conflict_do_nothing().returning(rows.c.digest)
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
            if connection.execute(claim, values).first() is None:
                return connection.execute(sa.select(rows).where(rows.c.digest == digest)).one()
            self._write(connection, payment)
        return None

    def latest_version(self, tenant: Tenant, identifier: UUID) -> bytes | None:
        """Return the latest snapshot of an object."""
        versions = self.tables["object_version"]
        query = (
            sa.select(versions.c.snapshot)
            .where(
                versions.c.tenant_id == tenant.id,
                versions.c.livemode == tenant.livemode,
                versions.c.object_id == identifier,
            )
            .order_by(versions.c.version.desc())
            .limit(1)
        )
        with self.engine.connect() as connection:
            return connection.execute(query).scalar()

    def _write(self, connection: sa.Connection, payment: Payment) -> None:
        scope = {"tenant_id": payment.tenant.id, "livemode": payment.tenant.livemode}
        shared = {**scope, "version": 1, "currency": payment.currency, "amount": payment.amount}
        self._insert(
            connection, "payment_method", [{**scope, "payment_method_id": payment.method_id, "version": 1}]
        )
        intent = {"payment_intent_id": payment.intent_id, "status": "succeeded", "amount_capturable": 0}
        self._insert(connection, "payment_intent", [{**shared, **intent, "amount_received": payment.amount}])
        charge = {
            "charge_id": payment.charge_id,
            "payment_intent_id": payment.intent_id,
            "status": "succeeded",
            "captured": True,
            "amount_captured": payment.amount,
            "amount_refunded": 0,
            "fee": payment.fee,
        }
        self._insert(connection, "charge", [{**shared, **charge}])
        sequence = self._advance(connection, payment.tenant)
        self._move(connection, payment)
        self._insert(connection, "object_version", self._named("object_version", payment.versions(sequence)))
        self._insert(connection, "transfer", self._named("transfer", payment.transfers(sequence)))
        self._insert(connection, "event", self._named("event", payment.events(sequence)))

    def _insert(self, connection: sa.Connection, table: str, records: list[dict[str, Any]]) -> None:
        connection.execute(sa.insert(self.tables[table]), records)

    def _named(self, table: str, records: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
        # The tuples are in the order of the columns, without the optional hold of a transfer.
        names = [column.name for column in self.tables[table].columns if column.name != "hold_id"]
        return [dict(zip(names, record, strict=True)) for record in records]

    def _advance(self, connection: sa.Connection, tenant: Tenant) -> int:
        book = self.tables["book"]
        advance = (
            sa.update(book)
            .where(book.c.tenant_id == tenant.id, book.c.livemode == tenant.livemode)
            .values(sequence=book.c.sequence + EVENT_COUNT)
            .returning(book.c.sequence)
        )
        sequence: int = connection.execute(advance).scalar_one()
        return sequence

    def _move(self, connection: sa.Connection, payment: Payment) -> None:
        account = self.tables["account"]
        records = [
            {
                "tenant_id": payment.tenant.id,
                "livemode": payment.tenant.livemode,
                "account_id": account_id,
                "code": code,
                "currency": payment.currency,
                "normal_side": side,
                "debits_posted": debits,
                "credits_posted": credits_,
                "debits_pending": 0,
                "credits_pending": 0,
            }
            for account_id, code, side, debits, credits_ in payment.moved()
        ]
        new = insert(account).values(records)
        connection.execute(
            new.on_conflict_do_update(
                index_elements=["tenant_id", "livemode", "account_id"],
                set_={
                    "debits_posted": account.c.debits_posted + new.excluded.debits_posted,
                    "credits_posted": account.c.credits_posted + new.excluded.credits_posted,
                },
            )
        )


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
