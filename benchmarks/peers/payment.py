"""One payment as both peers make it: the rows to write and the answer to give, decided in memory.

The tables are fastpay's own, made by its migrations, so that rows, constraints and indexes are the same. What
is stored in them is what such a service would store: the answer whole beside the idempotency key, snapshots
as JSON without what is empty.
"""

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel

from benchmarks.peers.params import CreateCustomersPayment, CreatePaymentIntent

CARDS = {"pm_card_visa": ("visa", "4242"), "pm_card_mastercard": ("mastercard", "4444")}
EVENT_COUNT = 3
# Behind fastpay, which knows its own objects by version 7, a peer needs another one.
_UUID_VERSION = int(os.environ.get("PEER_UUID_VERSION", "7"))


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whose key it is, and the tenant's fees."""

    id: UUID
    livemode: bool
    fee_basis_points: int
    fee_fixed: int


@dataclass(frozen=True, slots=True)
class Payment:
    """Everything about a payment that does not depend on the tenant's sequence."""

    tenant: Tenant
    method_id: UUID
    intent_id: UUID
    charge_id: UUID
    created_at: datetime
    amount: int
    fee: int
    currency: str
    request_id: str
    snapshots: tuple[tuple[UUID, int, bytes], ...]
    public_id: str
    customer_id: UUID | None
    answer: bytes

    def moved(self) -> list[tuple[UUID, str, str, int, int]]:
        """Return id, code, normal side, debits and credits for each account, in the order to lock them."""
        accounts = [
            (self._account_id("processor"), "processor", "D", self.amount, 0),
            (self._account_id("pending"), "pending", "C", self.fee, self.amount),
            (self._account_id("fees"), "fees", "C", 0, self.fee),
        ]
        return sorted(accounts)

    def transfers(self, sequence: int) -> list[tuple[Any, ...]]:
        """Return the rows of the capture and of its fee."""
        processor, pending, fees = (self._account_id(code) for code in ("processor", "pending", "fees"))
        shared = (self.currency, self.charge_id, self.created_at)
        moves = (("capture", processor, pending, self.amount), ("fee", pending, fees, self.fee))
        return [
            (
                self.tenant.id,
                self.tenant.livemode,
                new_id(),
                sequence,
                kind,
                "posted",
                debit,
                credit,
                shared[0],
                amount,
                *shared[1:],
            )
            for kind, debit, credit, amount in moves
        ]

    def versions(self, sequence: int) -> list[tuple[Any, ...]]:
        """Return the rows of the first version of each object."""
        tenant = self.tenant
        return [
            (tenant.id, tenant.livemode, object_id, 1, sequence, kind, snapshot)
            for object_id, kind, snapshot in self.snapshots
        ]

    def events(self, sequence: int) -> list[tuple[Any, ...]]:
        """Return the rows of what is announced; `sequence` is that of the last."""
        announced = (
            ("payment_intent.created", self.intent_id, 1),
            ("charge.succeeded", self.charge_id, 1),
            ("payment_intent.succeeded", self.intent_id, 1),
        )
        return event_rows(self.tenant, announced, sequence, self.request_id, self.created_at)

    def _account_id(self, code: str) -> UUID:
        return account_id(self.tenant, self.currency, code)


def account_id(tenant: Tenant, currency: str, code: str) -> UUID:
    """Return the identifier of an account of the tenant's books."""
    name = f"{tenant.id.hex}{tenant.livemode}{currency}{code}"
    return UUID(bytes=hashlib.blake2b(name.encode(), digest_size=16).digest())


def event_rows(
    tenant: Tenant,
    announced: Sequence[tuple[str, UUID, int]],
    sequence: int,
    request_id: str,
    created_at: datetime,
) -> list[tuple[Any, ...]]:
    """Return the rows of events: type, object and its version are given; `sequence` is that of the last."""
    first = sequence - len(announced) + 1
    return [
        (tenant.id, tenant.livemode, number, new_id(), kind, object_id, version, request_id, created_at)
        for number, (kind, object_id, version) in enumerate(announced, start=first)
    ]


def new_id() -> UUID:
    """Return a UUID that begins with the time, so that new rows lie side by side in every index."""
    moment_ms = time.time_ns() // 1_000_000
    rest = int.from_bytes(os.urandom(10), "big") & ~(0xF << 76) & ~(0x3 << 62)
    return UUID(int=moment_ms << 80 | _UUID_VERSION << 76 | 0x2 << 62 | rest)


def key_digest(tenant: Tenant, idempotency_key: str) -> bytes:
    """Return what a tenant's idempotency key is found by."""
    name = f"{tenant.id.hex}{tenant.livemode}{idempotency_key}"
    return hashlib.blake2b(name.encode(), digest_size=16).digest()


def fingerprint(params: BaseModel) -> bytes:
    """Return a digest of what is asked."""
    return hashlib.sha256(orjson.dumps(params.model_dump(), option=orjson.OPT_SORT_KEYS)).digest()


def pay(tenant: Tenant, params: CreatePaymentIntent) -> Payment:
    """Charge the test card, which always succeeds."""
    customer = params.customer if isinstance(params, CreateCustomersPayment) else None
    method_id, intent_id, charge_id = new_id(), new_id(), new_id()
    created_at = datetime.now(UTC)
    created = int(created_at.timestamp())
    brand, last4 = CARDS[params.payment_method]
    fee = min(params.amount, (params.amount * tenant.fee_basis_points + 5_000) // 10_000 + tenant.fee_fixed)
    public_id = f"pi_{intent_id.hex}"
    card = {"brand": brand, "last4": last4, "exp_month": 12, "exp_year": created_at.year + 1}
    method = {"id": f"pm_{method_id.hex}", "created": created, "card": card}
    intent = {
        "id": public_id,
        "created": created,
        "amount": params.amount,
        "amount_received": params.amount,
        "currency": params.currency,
        "status": "succeeded",
        "client_secret": f"{public_id}_secret_{os.urandom(16).hex()}",
        "latest_charge": f"ch_{charge_id.hex}",
        "payment_method": f"pm_{method_id.hex}",
        "description": params.description,
        "metadata": params.metadata,
        **({} if customer is None else {"customer": customer}),
    }
    charge = {
        "id": f"ch_{charge_id.hex}",
        "created": created,
        "amount": params.amount,
        "amount_captured": params.amount,
        "currency": params.currency,
        "status": "succeeded",
        "payment_intent": public_id,
        "payment_method": f"pm_{method_id.hex}",
        "card": card,
        "fee": fee,
        "description": params.description,
        "metadata": params.metadata,
    }
    return Payment(
        tenant=tenant,
        method_id=method_id,
        intent_id=intent_id,
        charge_id=charge_id,
        created_at=created_at,
        amount=params.amount,
        fee=fee,
        currency=params.currency,
        request_id=f"req_{os.urandom(12).hex()}",
        snapshots=(
            (method_id, 2, orjson.dumps(method)),
            (intent_id, 3, orjson.dumps(intent)),
            (charge_id, 4, orjson.dumps(charge)),
        ),
        public_id=public_id,
        customer_id=None if customer is None else UUID(customer.removeprefix("cus_")),
        answer=render(intent, livemode=tenant.livemode),
    )


def render(intent: dict[str, Any], *, livemode: bool) -> bytes:
    """Return the answer: the payment intent with all the 42 fields of the dialect."""
    return orjson.dumps(
        {
            "id": intent["id"],
            "object": "payment_intent",
            "allowed_payment_method_types": None,
            "amount": intent["amount"],
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": intent["amount_received"],
            "application": None,
            "application_fee_amount": None,
            "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
            "canceled_at": None,
            "cancellation_reason": None,
            "capture_method": "automatic",
            "client_secret": intent["client_secret"],
            "confirmation_method": "automatic",
            "created": intent["created"],
            "currency": intent["currency"],
            "customer": intent.get("customer"),
            "customer_account": None,
            "description": intent.get("description"),
            "excluded_payment_method_types": None,
            "last_payment_error": None,
            "latest_charge": intent["latest_charge"],
            "livemode": livemode,
            "managed_payments": None,
            "metadata": intent["metadata"],
            "next_action": None,
            "on_behalf_of": None,
            "payment_details": None,
            "payment_method": intent["payment_method"],
            "payment_method_configuration_details": None,
            "payment_method_options": {
                "card": {
                    "installments": None,
                    "mandate_options": None,
                    "network": None,
                    "request_three_d_secure": "automatic",
                }
            },
            "payment_method_types": ["card"],
            "processing": None,
            "receipt_email": None,
            "review": None,
            "setup_future_usage": None,
            "shipping": None,
            "source": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": intent["status"],
            "transfer_data": None,
            "transfer_group": None,
        }
    )
