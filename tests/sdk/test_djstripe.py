"""dj-stripe copies what is served here into its models, with every field that it cannot do without."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import open_client
from tests.support.packages import installed
from tests.support.servers import RunningServer
from tests.support.shop import Shop
from tests.support.tenants import make_tenant

PROGRAM = Path(__file__).with_name("djstripe_sync.py")
PATIENCE_SECONDS = 300
# dj-stripe needs an older release of the SDK than the tests. What else it needs they have.
PACKAGES = ("dj-stripe==2.11.0", "django>=5.2,<5.3", "asgiref", "sqlparse", "stripe>=15.0.1,<16")
PATHS = {
    "Account": "account",
    "BalanceTransaction": "balance_transactions",
    "Charge": "charges",
    "Customer": "customers",
    "Dispute": "disputes",
    "Event": "events",
    "PaymentIntent": "payment_intents",
    "PaymentMethod": "payment_methods",
    "Payout": "payouts",
    "Refund": "refunds",
    "SetupIntent": "setup_intents",
}
# Models that cannot be synced yet, and why. One that can must leave this table.
NOT_SERVED: dict[str, str] = {}


@pytest.fixture(scope="module")
def shop_and_copies(
    server: RunningServer,
) -> Iterator[tuple[dict[str, list[str]], dict[str, Any]]]:
    """What a shop has, by model, and what dj-stripe has of it after a sync of each."""
    place = installed("djstripe", *PACKAGES)
    key = make_tenant(server.database_url).secret
    with open_client(server.url, key) as http:
        shop = Shop(http)
        shop.live()
        # Before the sync: time brings about more.
        served = {name: shop.ids(path) for name, path in PATHS.items()}
        ran = subprocess.run(
            [sys.executable, PROGRAM, server.url, key, *PATHS],
            env={**os.environ, "PYTHONPATH": str(place)},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        yield served, json.loads(ran.stdout)


def test_each_model_that_is_served_is_synced(
    shop_and_copies: tuple[dict[str, list[str]], dict[str, Any]],
) -> None:
    _, copies = shop_and_copies
    failed = {name: copy["error"] for name, copy in copies.items() if "error" in copy}
    assert {name: error for name, error in failed.items() if name not in NOT_SERVED} == {}


def test_a_model_that_can_be_synced_now_is_not_called_unserved(
    shop_and_copies: tuple[dict[str, list[str]], dict[str, Any]],
) -> None:
    _, copies = shop_and_copies
    assert [name for name in NOT_SERVED if copies[name].get("ids")] == []


def test_every_object_is_copied(shop_and_copies: tuple[dict[str, list[str]], dict[str, Any]]) -> None:
    served, copies = shop_and_copies
    for name, identifiers in served.items():
        if name not in NOT_SERVED:
            assert identifiers, name
            # dj-stripe lists the payment methods of customers, and copies others from payments.
            assert name == "PaymentMethod" or set(identifiers) <= set(copies[name]["ids"]), name
