"""The official Node client drives the server too: the newest release, and one of 2020."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.servers import RunningServer
from tests.support.tenants import Tenant

PATIENCE_SECONDS = 120


@pytest.mark.parametrize("package", ["stripe", "stripe-8"])
def test_a_short_life_of_payments(
    node: tuple[str, Path], server: RunningServer, tenant: Tenant, package: str
) -> None:
    program, place = node
    ran = subprocess.run(
        [program, "life.js", server.url, tenant.secret, package],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    pending = told.pop("pending")
    assert [(line["amount"], line["currency"]) for line in pending] == [
        (1999 + 1500 - 500, "usd"),
    ]
    assert told == {
        "paid": "succeeded",
        "same": True,
        "replayed": "true",
        "net": 1999,
        "captured": 1500,
        "refund": "succeeded",
        "amounts": [1500, 1999],
        "declined": {
            "type": "StripeCardError",
            "code": "card_declined",
            "decline_code": "generic_decline",
            "status": 402,
            "payment_intent": "requires_payment_method",
        },
        "mismatch": {"type": "StripeIdempotencyError", "status": 400},
        "wrong": {
            "type": "StripeInvalidRequestError",
            "code": "amount_too_small",
            "param": "amount",
            "status": 400,
        },
        "missing": {
            "type": "StripeInvalidRequestError",
            "code": "resource_missing",
            "param": "id",
            "status": 404,
        },
        "deleted": True,
    }
