"""Routes are moved under load, while both sides are killed: each order is charged once across both books."""

import threading
import time
from collections import Counter
from pathlib import Path

import httpx

from tests.rollout.states import insert, side_of
from tests.support.api import open_client
from tests.support.old_shop import OldShop, running_shop
from tests.support.servers import PATIENCE_SECONDS, RunningServer, SpawnServer, fetch
from tests.support.tenants import make_tenant

CLIENTS, STEP_ORDERS = 4, 40
STEPS = ("shadow", "split=1", "split=50", "fastpay", "legacy")
PAYMENT = {"amount": "1999", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}


class Load:
    """Clients that pay until they are stopped, and repeat what has no answer under the same key."""

    def __init__(self, urls: list[str], secret: str) -> None:
        self.urls = urls
        self.secret = secret
        self.stop = threading.Event()
        self.done: list[tuple[str, str, str]] = []
        self.faults: list[str] = []
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(CLIENTS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def wait(self, orders: int) -> None:
        """Return once so many more orders are paid."""
        end_s, target = time.monotonic() + PATIENCE_SECONDS, len(self.done) + orders
        while len(self.done) < target:
            assert not self.faults, self.faults
            assert time.monotonic() < end_s, f"{target - len(self.done)} orders are missing"
            time.sleep(0.02)

    def _run(self, number: int) -> None:
        count = 0
        while not self.stop.is_set():
            count += 1
            order = f"order-{number}-{count}"
            customer = self._post("/v1/customers", {"email": f"{order}@shop.example"}, f"customer {order}")
            for part in ("a", "b", "guest"):
                fields = PAYMENT | {"metadata[order]": order + part}
                if part != "guest":
                    fields["customer"] = customer[0]
                paid = self._post("/v1/payment_intents", fields, order + part)
                self.done.append((order + part, customer[0], paid[1]))
                if part != "guest" and paid[1] != customer[1]:
                    self.faults.append(f"{order}: made at {customer[1]}, paid at {paid[1]}")

    def _post(self, path: str, fields: dict[str, str], key: str) -> tuple[str, str]:
        """Repeat a request until it is done; return what was made, and by which side."""
        attempt = 0
        while True:
            attempt += 1
            try:
                with open_client(self.urls[attempt % len(self.urls)], self.secret) as client:
                    answer = client.post(path, data=fields, headers={"Idempotency-Key": key})
            except httpx.HTTPError:
                time.sleep(0.02)
                continue
            if answer.status_code == 200:
                return answer.json()["id"], side_of(answer)
            if answer.status_code < 500:
                self.faults.append(answer.text)
                return "", ""
            time.sleep(0.02)


def test_each_order_is_charged_once_while_routes_are_moved_and_both_sides_are_killed(
    spawn_server: SpawnServer, tmp_path: Path
) -> None:
    with running_shop(tmp_path) as shop:
        environment = {
            "FASTPAY_LEGACY_URL": shop.url,
            "FASTPAY_LEGACY_IDLE_MS": "3000",
            # A busy machine is no reason for a guardrail to go back.
            "FASTPAY_ROLLOUT_SLOW_MS": "600000",
        }
        stays = spawn_server(environment=environment)
        beside = environment | {
            "FASTPAY_DATABASE_URL": stays.database_url,
            "FASTPAY_REDIS_URL": stays.redis_url,
        }
        falls = spawn_server(environment=beside)
        secret = make_tenant(stays.database_url).secret
        insert(stays, "*", "legacy")
        with Load([stays.url, falls.url], secret) as load:
            for state in STEPS:
                load.wait(STEP_ORDERS)
                shop.kill()
                falls.kill()
                # While requests are without an answer: they are repeated on routes that have changed.
                for route in ("POST /v1/customers", "POST /v1/payment_intents"):
                    insert(stays, route, state)
                shop.start()
                falls = spawn_server(environment=beside)
                load.urls[1] = falls.url
            load.wait(STEP_ORDERS)
        assert not load.faults, load.faults
        _compare(load, shop, stays)
        _look_at_shadow(stays)


def _compare(load: Load, shop: OldShop, server: RunningServer) -> None:
    """Hold both books against what the clients know."""
    there = Counter(order for (order,) in shop.rows("select order_number from payment"))
    here = Counter(
        row["key"]
        for row in fetch(
            server.database_url,
            "select idempotency_key as key from idempotency where idempotency_key ~ '^order-'",
        )
    )
    charged = there + here
    assert charged.keys() >= {order for order, _, _ in load.done}
    assert set(charged.values()) == {1}
    sides = {"legacy": there, "fastpay": here}
    assert all(sides[side][order] == 1 for order, _, side in load.done)
    assert min(len(there), len(here)) > STEP_ORDERS // 4
    # Money: what this book charged is what clients were told that it charged.
    charges = fetch(server.database_url, "select count(*) as count from charge")[0]["count"]
    assert charges == len(here)


def _look_at_shadow(server: RunningServer) -> None:
    """See that writes were decided while they were in shadow, and that none of them was committed."""
    decided = fetch(
        server.database_url,
        "select sum(count)::bigint as count from rollout_finding join rollout_change using (change_id) "
        "where state = 'shadow' and measure = 'outcome' and name in ('equal', 'differing')",
    )
    assert decided[0]["count"] > 0
    reverted = fetch(server.database_url, "select reason from rollout_change where reason is not null")
    assert reverted == []
