"""Two instances on one database. The clock of one jumps days ahead and back, then that of the database does.

Time is the database's: nobody pays twice, no first answer goes, nothing expires, and lists stay in order.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fastpay.operations.embedded import children
from tests.support.api import open_client
from tests.support.database_clock import give_clock, move_clock
from tests.support.process_clock import MovableClock, find_library
from tests.support.servers import NUMBERS, PATIENCE_SECONDS, RunningServer, SpawnServer, fetch
from tests.support.tenants import make_tenant

PAY = {"amount": "2000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
KEYS = [f"order {number}" for number in range(10)]


class Shop:
    """A client of both instances: `steady` has the right time, `jumping` has a clock that is moved."""

    def __init__(self, steady: RunningServer, jumping: RunningServer, clock: MovableClock) -> None:
        self._servers = (steady, jumping)
        self._clock = clock
        key = make_tenant(steady.database_url).secret
        self.steady, self.jumping = (open_client(server.url, key) for server in (steady, jumping))
        # Payments in the order in which they were made.
        self.paid: list[str] = []

    def pay(self, http: httpx.Client, **more: str) -> str:
        """Make a payment that must succeed, and return its identifier."""
        answer = http.post("/v1/payment_intents", data=PAY | more)
        assert answer.status_code == 200, answer.text
        self.paid.append(answer.json()["id"])
        assert abs(answer.json()["created"] - time.time()) < PATIENCE_SECONDS
        return self.paid[-1]

    def move(self, offset: str) -> None:
        """Move one instance's clock, and wait until the instance says what it makes of it."""
        self._clock.move(offset)
        self._wait(self.jumping, 200 if offset == "+0" else 503)

    def move_database(self, hours: int) -> None:
        """Move the database's clock, and wait until both instances say what they make of it."""
        asyncio.run(move_clock(self._servers[0].database_url, hours=hours))
        for http in (self.steady, self.jumping):
            self._wait(http, 503 if hours else 200)

    def logged(self, event: str) -> list[int]:
        """Return how often each instance logged an event, the steady one first."""
        return [server.output.count(f" {event} ") for server in self._servers]

    def _wait(self, http: httpx.Client, status: int) -> None:
        assert children.wait_until(
            lambda: http.get("/readyz").status_code == status, timeout_ms=PATIENCE_SECONDS * 1000
        ), [server.output for server in self._servers]
        # Long enough for some rounds of what an impatient instance does by itself.
        time.sleep(0.4)

    def check_refused(self, http: httpx.Client) -> None:
        """The instance refuses what would write, says why, and shows what is there."""
        for path, form in (("/v1/payment_intents", PAY), ("/v1/customers", {})):
            answer = http.post(path, data=form)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "clock_skewed")
            assert answer.headers["stripe-should-retry"] == "true"
            assert answer.headers["retry-after"] == "1"
        assert http.get("/readyz").json()["error"]["code"] == "clock_skewed"
        assert http.get(f"/v1/payment_intents/{self.paid[0]}").status_code == 200

    def check_order(self) -> None:
        """Both list what was made in the order in which it was made."""
        for http in (self.steady, self.jumping):
            listed = http.get("/v1/payment_intents", params={"limit": 100}).json()["data"]
            assert [payment["id"] for payment in listed] == self.paid[::-1]


@pytest.fixture
def shop(spawn_server: SpawnServer, database_url: str, scratch: Path) -> Iterator[Shop]:
    clock = MovableClock(scratch / f"clock{next(NUMBERS)}", find_library())
    asyncio.run(give_clock(database_url))
    own = {"FASTPAY_DATABASE_URL": database_url, "FASTPAY_REDIS_URL": "unix:///nowhere"}
    steady, jumping = (spawn_server(environment=own | more) for more in (clock.impatience, clock.environment))
    found = Shop(steady, jumping, clock)
    yield found
    for http in (found.steady, found.jumping):
        http.close()


def test_a_clock_that_jumps_costs_no_first_answer_no_capture_and_no_order(
    shop: Shop, database_url: str
) -> None:
    first = {key: send(shop.steady, key) for key in KEYS}
    shop.paid += [answer.json()["id"] for answer in first.values()]
    held = shop.pay(shop.steady, capture_method="manual")
    hold = make_hold(shop.jumping)

    for offset in ("+25h", "+8d", "-25h"):
        shop.move(offset)
        shop.check_refused(shop.jumping)
        for key, http in zip(KEYS, itertools.cycle((shop.steady, shop.jumping)), strict=False):
            answer = send(http, key)
            if http is shop.jumping:
                assert answer.status_code == 503
                answer = send(shop.steady, key)
            assert answer.content == first[key].content
            assert answer.headers["idempotent-replayed"] == "true"
        shop.pay(shop.steady)
        shop.check_order()

        shop.move("+0")
        for http in (shop.jumping, shop.steady, shop.jumping):
            shop.pay(http)
        shop.check_order()
        # And what it forgets by itself it forgets by the right time.
        assert fetch(database_url, "select count(*) from idempotency")[0][0] >= len(KEYS)
        for key in KEYS:
            assert send(shop.jumping, key).content == first[key].content
        assert shop.jumping.get(f"/v1/payment_intents/{held}").json()["status"] == "requires_capture"
        assert shop.jumping.get(f"/v1/ledger/transfers/{hold}").json()["status"] == "held"

    assert shop.logged("error clock_skewed") == shop.logged("info clock_corrected") == [0, 3]
    for hours in (25, -25):
        shop.move_database(hours)
        for http in (shop.steady, shop.jumping):
            shop.check_refused(http)
        shop.move_database(0)
        for http in (shop.steady, shop.jumping):
            shop.pay(http)
            assert [send(http, key).content for key in KEYS] == [first[key].content for key in KEYS]
        shop.check_order()
    assert shop.logged("error clock_skewed") == shop.logged("info clock_corrected") == [2, 5]

    assert shop.jumping.post(f"/v1/payment_intents/{held}/capture").json()["status"] == "succeeded"
    assert shop.jumping.post(f"/v1/ledger/transfers/{hold}/post").status_code == 200


def send(http: httpx.Client, key: str) -> httpx.Response:
    """Pay under a key."""
    return http.post("/v1/payment_intents", data=PAY, headers={"Idempotency-Key": key})


def make_hold(http: httpx.Client) -> str:
    """Reserve an amount for an hour between two accounts of the client's own."""
    accounts: list[Any] = [
        http.post("/v1/ledger/accounts", data={"code": code, "currency": "usd", "normal_side": "credit"})
        for code in ("from", "to")
    ]
    form = {
        "debit_account": accounts[0].json()["id"],
        "credit_account": accounts[1].json()["id"],
        "amount": "5",
        "hold": "true",
        "expires_at": str(int(time.time()) + 3_600),
    }
    answer = http.post("/v1/ledger/transfers", data=form)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])
