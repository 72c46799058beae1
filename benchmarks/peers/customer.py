"""One new customer as the Flask peer makes it: the rows to write and the answer to give."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from benchmarks.peers.params import CreateCustomer
from benchmarks.peers.payment import Tenant, event_rows, new_id

EVENT_COUNT = 1
_KIND = 1


@dataclass(frozen=True, slots=True)
class Customer:
    """Everything about a customer that does not depend on the tenant's sequence."""

    tenant: Tenant
    customer_id: UUID
    email: str | None
    created_at: datetime
    request_id: str
    answer: bytes

    def moved(self) -> list[tuple[UUID, str, str, int, int]]:
        """Return no account: no money moves."""
        return []

    def transfers(self, sequence: int) -> list[tuple[Any, ...]]:
        """Return no row."""
        return []

    def versions(self, sequence: int) -> list[tuple[Any, ...]]:
        """Return the row of the first version, which is stored as it is answered."""
        return [
            (self.tenant.id, self.tenant.livemode, self.customer_id, 1, sequence, _KIND, self.answer),
        ]

    def events(self, sequence: int) -> list[tuple[Any, ...]]:
        """Return the row of what is announced."""
        announced = [("customer.created", self.customer_id, 1)]
        return event_rows(self.tenant, announced, sequence, self.request_id, self.created_at)


def enroll(tenant: Tenant, params: CreateCustomer) -> Customer:
    """Make a customer."""
    customer_id, created_at = new_id(), datetime.now(UTC)
    return Customer(
        tenant=tenant,
        customer_id=customer_id,
        email=params.email,
        created_at=created_at,
        request_id=f"req_{os.urandom(12).hex()}",
        answer=orjson.dumps(
            {
                "id": f"cus_{customer_id.hex}",
                "object": "customer",
                "created": int(created_at.timestamp()),
                "email": params.email,
                "livemode": tenant.livemode,
                "metadata": params.metadata,
            }
        ),
    )
