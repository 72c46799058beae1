"""One transfer of the ledger as the peer makes it: its rows and the answer, decided on locked accounts.

The tables are fastpay's own, and so are the rules: two accounts that are there, that clients may move, in one
currency, and above their bounds after it. Holds are not among what the peer does.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from benchmarks.peers.params import CreateTransfer
from benchmarks.peers.payment import Tenant

EVENT_COUNT = 1
RESERVED = frozenset({"processor", "pending", "available", "fees"})
_POSTED = 1


class NotMovable(Exception):
    """The transfer breaks a rule."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Everything about a transfer that does not depend on the tenant's sequence."""

    tenant: Tenant
    debit: UUID
    credit: UUID
    currency: str
    amount: int
    # Debits of the one and credits of the other as they stand after it: posted, then pending.
    counters: tuple[int, int, int, int]
    metadata: Mapping[str, str]
    created_at: datetime
    request_id: str

    def identifier(self, sequence: int) -> UUID:
        """Return a UUID of version 7 that carries the place in the sequence instead of chance."""
        return UUID(int=self._moment_ms << 80 | 0x7 << 76 | 0x2 << 62 | sequence << 14)

    def row(self, sequence: int) -> tuple[Any, ...]:
        """Return the row of the transfer, for INSERT_LEDGER_TRANSFER."""
        metadata = orjson.dumps(dict(self.metadata)).decode() if self.metadata else None
        moved = (self.debit, self.credit, self.currency, self.amount, *self.counters, metadata)
        return (self.tenant.id, self.tenant.livemode, sequence, 0, _POSTED, self.created_at, *moved)

    def event(self, sequence: int) -> tuple[Any, ...]:
        """Return the row of what is announced, for INSERT_EVENT."""
        event_id = UUID(int=self._moment_ms << 80 | 0x7 << 76 | 0x2 << 62 | _random(62))
        named = ("ledger.transfer.created", self.identifier(sequence), 1, self.request_id, self.created_at)
        return (self.tenant.id, self.tenant.livemode, sequence, event_id, *named)

    def answer(self, sequence: int) -> bytes:
        """Return the answer, with all the fields that a transfer has."""
        return orjson.dumps(
            {
                "id": f"ltr_{self.identifier(sequence).hex}",
                "object": "ledger_transfer",
                "amount": self.amount,
                "amount_posted": self.amount,
                "created": self._moment_ms // 1000,
                "credit_account": f"lacc_{self.credit.hex}",
                "currency": self.currency,
                "debit_account": f"lacc_{self.debit.hex}",
                "ended_by": None,
                "expires_at": None,
                "hold": None,
                "livemode": self.tenant.livemode,
                "metadata": self.metadata,
                "sequence": sequence,
                "status": "posted",
                "type": "transfer",
            }
        )

    @property
    def _moment_ms(self) -> int:
        return round(self.created_at.timestamp() * 1000)


def sides_of(params: CreateTransfer) -> tuple[UUID, UUID]:
    """Return the accounts to debit and to credit."""
    return UUID(params.debit_account[5:]), UUID(params.credit_account[5:])


def move(tenant: Tenant, params: CreateTransfer, accounts: Mapping[UUID, Any]) -> Transfer:
    """Decide on the rows of both accounts, which are locked. Raises: NotMovable."""
    debit_id, credit_id = sides_of(params)
    if debit_id not in accounts or credit_id not in accounts:
        raise NotMovable("No such ledger account")
    debit, credit = accounts[debit_id], accounts[credit_id]
    if debit_id == credit_id:
        raise NotMovable("The two accounts of a transfer must differ")
    if {debit["code"], credit["code"]} & RESERVED:
        raise NotMovable("This account is moved by payments alone")
    if debit["currency"] != credit["currency"]:
        raise NotMovable("The accounts have two currencies")
    if _left(debit, debits=params.amount) < 0 or _left(credit, credits_=params.amount) < 0:
        raise NotMovable("Not enough is left")
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    return Transfer(
        tenant=tenant,
        debit=debit_id,
        credit=credit_id,
        currency=debit["currency"],
        amount=params.amount,
        counters=(
            debit["debits_posted"] + params.amount,
            debit["debits_pending"],
            credit["credits_posted"] + params.amount,
            credit["credits_pending"],
        ),
        metadata=params.metadata,
        created_at=datetime.fromtimestamp(now_ms / 1000, UTC),
        request_id=f"req_{os.urandom(12).hex()}",
    )


def _left(account: Mapping[str, Any], *, debits: int = 0, credits_: int = 0) -> int:
    """Return how much an account would be above its bound after a move; what gives nothing away always is."""
    if account["min_balance"] is None:
        return 0
    balance = account["credits_posted"] + credits_ - account["debits_posted"] - debits
    if account["normal_side"] == "C":
        return 0 if not debits else balance - account["debits_pending"] - account["min_balance"]
    return 0 if not credits_ else -balance - account["credits_pending"] - account["min_balance"]


def _random(bits: int) -> int:
    return int.from_bytes(os.urandom(8), "big") >> 64 - bits
