"""fastpay/operations/demo/audit.py"""

import asyncio

import msgspec

from fastpay.operations.demo.audit import read_back
from fastpay.operations.demo.client import Client
from fastpay.operations.demo.payments import Payment
from fastpay.outbound.http import Answer

PAID = Payment(order="1", id="pi_1", outcome="paid", currency="usd", amount=500, received=500)
OTHER = msgspec.structs.replace(PAID, order="2", id="pi_2")


class Told(Client):
    """A client whose server says the same of every payment."""

    def __init__(self, received: int) -> None:
        super().__init__("http://127.0.0.1:1", "sk_test_x")
        self._received = received

    async def get(self, path: str, **params: object) -> Answer:
        """Return a payment as it is shown."""
        identifier = path.rpartition("/")[2]
        body = {
            "id": identifier,
            "status": "succeeded",
            "currency": "usd",
            "amount": 500,
            "amount_received": self._received,
            "latest_charge": {"amount_refunded": 0, "captured": True},
            "metadata": {"order": identifier[-1]},
        }
        return Answer(200, [], msgspec.json.encode(body), 1.0)


def test_payments_that_read_as_they_were_listed_are_no_fault() -> None:
    assert asyncio.run(read_back(Told(500), [PAID, OTHER], at_once=3)) == []


def test_each_payment_that_reads_differently_is_named() -> None:
    faults = asyncio.run(read_back(Told(400), [PAID, OTHER], at_once=1))
    assert [fault.split()[0] for fault in faults] == ["pi_1", "pi_2"]
