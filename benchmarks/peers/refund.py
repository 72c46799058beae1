"""One refund as both peers make it: the rows to write and the answer to give, decided on a locked charge."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from benchmarks.peers.params import CreateRefund
from benchmarks.peers.payment import Tenant, account_id, event_rows, new_id

EVENT_COUNT = 2


class NotRefundable(Exception):
    """There is less left of the charge than is asked for."""


@dataclass(frozen=True, slots=True)
class LockedCharge:
    """What is stored of the charge of a payment, locked against other refunds of it."""

    charge_id: UUID
    version: int
    currency: str
    amount_captured: int
    amount_refunded: int
    snapshot: bytes


@dataclass(frozen=True, slots=True)
class Refund:
    """Everything about a refund that does not depend on the tenant's sequence."""

    tenant: Tenant
    charge: LockedCharge
    refund_id: UUID
    transfer_id: UUID
    intent_id: UUID
    created_at: datetime
    amount: int
    request_id: str
    snapshots: tuple[tuple[UUID, int, int, bytes], ...]
    answer: bytes

    def moved(self) -> list[tuple[UUID, str, str, int, int]]:
        """Return id, code, normal side, debits and credits for each account, in the order to lock them."""
        accounts = [
            (self._account_id("pending"), "pending", "C", self.amount, 0),
            (self._account_id("processor"), "processor", "D", 0, self.amount),
        ]
        return sorted(accounts)

    def transfers(self, sequence: int) -> list[tuple[Any, ...]]:
        """Return the row of the move back."""
        scope = (self.tenant.id, self.tenant.livemode)
        accounts = (self._account_id("pending"), self._account_id("processor"))
        moved = (*accounts, self.charge.currency, self.amount, self.refund_id, self.created_at)
        return [(*scope, self.transfer_id, sequence, "refund", "posted", *moved)]

    def versions(self, sequence: int) -> list[tuple[Any, ...]]:
        """Return the rows of the refund's first version and of the charge's next."""
        return [
            (self.tenant.id, self.tenant.livemode, object_id, version, sequence, kind, snapshot)
            for object_id, version, kind, snapshot in self.snapshots
        ]

    def events(self, sequence: int) -> list[tuple[Any, ...]]:
        """Return the rows of what is announced; `sequence` is that of the last."""
        announced = (
            ("refund.created", self.refund_id, 1),
            ("charge.refunded", self.charge.charge_id, self.charge.version + 1),
        )
        return event_rows(self.tenant, announced, sequence, self.request_id, self.created_at)

    def _account_id(self, code: str) -> UUID:
        return account_id(self.tenant, self.charge.currency, code)


def give_back(tenant: Tenant, charge: LockedCharge, params: CreateRefund) -> Refund:
    """Decide a refund, of all that is left where no amount is given. Raises: NotRefundable."""
    left = charge.amount_captured - charge.amount_refunded
    amount = left if params.amount is None else params.amount
    if not 0 < amount <= left:
        raise NotRefundable(f"{left} are left to refund.")
    refund_id, transfer_id = new_id(), new_id()
    created_at = datetime.now(UTC)
    before = orjson.loads(charge.snapshot)
    refund = {
        "id": f"re_{refund_id.hex}",
        "created": int(created_at.timestamp()),
        "amount": amount,
        "currency": charge.currency,
        "status": "succeeded",
        "charge": before["id"],
        "payment_intent": params.payment_intent,
        "payment_method": before["payment_method"],
        "balance_transaction": f"txn_{transfer_id.hex}",
        "metadata": params.metadata,
    }
    after = orjson.dumps({**before, "amount_refunded": charge.amount_refunded + amount})
    return Refund(
        tenant=tenant,
        charge=charge,
        refund_id=refund_id,
        transfer_id=transfer_id,
        intent_id=intent_of(params),
        created_at=created_at,
        amount=amount,
        request_id=f"req_{os.urandom(12).hex()}",
        snapshots=(
            (refund_id, 1, 5, orjson.dumps(refund)),
            (charge.charge_id, charge.version + 1, 4, after),
        ),
        answer=render(refund),
    )


def intent_of(params: CreateRefund) -> UUID:
    """Return the identifier of the payment that a refund is of."""
    return UUID(params.payment_intent.removeprefix("pi_"))


def render(refund: dict[str, Any]) -> bytes:
    """Return the answer: the refund with all the fields of the dialect."""
    return orjson.dumps(
        {
            "id": refund["id"],
            "object": "refund",
            "amount": refund["amount"],
            "balance_transaction": refund["balance_transaction"],
            "charge": refund["charge"],
            "created": refund["created"],
            "currency": refund["currency"],
            "customer": None,
            "customer_account": None,
            "destination_details": {"card": {"type": "refund"}, "type": "card"},
            "metadata": refund["metadata"],
            "payment_intent": refund["payment_intent"],
            "payment_method": refund["payment_method"],
            "reason": None,
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": refund["status"],
            "transfer_reversal": None,
        }
    )
