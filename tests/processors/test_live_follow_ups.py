"""Captures, cancellations and refunds of live payments, whose server is killed or whose answers are lost.

The upstream's books say what was done: each ends as they say, and nothing is left in doubt.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fastpay.operations.embedded import children
from tests.processors.test_live_payments import (
    Front,
    held_book,
    in_background,
    pay,
    send,
    wait_for_waiting,
)
from tests.support.held_proxy import HeldProxy
from tests.support.servers import PATIENCE_SECONDS, SpawnServer, fetch
from tests.support.upstreams import Address

OPERATIONS = ("capture", "void", "refund")
# What is asked, and what the payment is at the upstream and here once that is done.
DONE = {"capture": "succeeded", "void": "canceled", "refund": "succeeded"}
NOT_DONE = {"capture": "requires_capture", "void": "requires_capture", "refund": "succeeded"}
OPEN = "select operation, held from attempt where status = 'open' order by operation"


class Shop:
    """Three payments with the processor of a front, and what is done to each."""

    def __init__(self, front: Front) -> None:
        self.front = front
        with front.client() as http:
            self.payments = {name: self._paid(http, name) for name in OPERATIONS}
        self.references = {
            name: front.attempts({"id": payment})[0]["id"] for name, payment in self.payments.items()
        }

    def ask(self, operation: str, key: str = "k") -> httpx.Response:
        """Ask for one operation of 12.00 of 20.00; a void is of all."""
        payment, headers = self.payments[operation], {"Idempotency-Key": f"{operation} {key}"}
        with self.front.client() as http:
            if operation == "refund":
                form = {"payment_intent": payment, "amount": "1200"}
                return http.post("/v1/refunds", data=form, headers=headers)
            path = f"/v1/payment_intents/{payment}/{'cancel' if operation == 'void' else 'capture'}"
            form = {"amount_to_capture": "1200"} if operation == "capture" else {}
            return http.post(path, data=form, headers=headers)

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Ask for all of them meanwhile, whatever becomes of the answers."""
        with contextlib.ExitStack() as stack:
            for name in OPERATIONS:
                stack.enter_context(in_background(lambda name=name: self._lose(name)))
            opened = "select 1 from attempt where status = 'open'"
            self._wait(lambda: len(fetch(self.front.server.database_url, opened)) == len(OPERATIONS))
            yield

    def done(self) -> dict[str, bool]:
        """Return what was done by the books of the upstream."""
        theirs = self._theirs()
        listed = self.front.upstream.get("/v1/refunds", params={"payment_intent": theirs["refund"]["id"]})
        amounts = [one["amount"] for one in listed.json()["data"]]
        assert amounts in ([], [1200])
        return {
            "capture": theirs["capture"]["status"] == DONE["capture"],
            "void": theirs["void"]["status"] == DONE["void"],
            "refund": bool(amounts),
        }

    def wait_done(self) -> None:
        """Return once the upstream has done everything."""
        self._wait(lambda: all(self.done().values()))

    def wait_ended(self) -> None:
        """Return once nothing is in doubt."""
        self._wait(lambda: not fetch(self.front.server.database_url, OPEN))

    def check(self) -> None:
        """Find each payment here as the upstream has it."""
        done, received = self.done(), {"capture": 1200, "void": 0, "refund": 2000}
        with self.front.client() as http:
            for name, payment in self.payments.items():
                shown = http.get(f"/v1/payment_intents/{payment}").json()
                assert shown["status"] == (DONE if done[name] else NOT_DONE)[name]
                assert shown["amount_received"] == (received[name] if done[name] or name == "refund" else 0)
                last = self.front.attempts(shown)[0]
                assert (last["operation"], last["amount"]) == (name, 2000 if name == "void" else 1200)
                assert last["status"] == ("approved" if done[name] else "not_found")
            (refund,) = http.get("/v1/refunds").json()["data"]
            assert (refund["status"], refund["amount"]) == ("succeeded" if done["refund"] else "failed", 1200)
        self.front.check()

    def _theirs(self) -> dict[str, Any]:
        listed = self.front.upstream.get("/v1/payment_intents", params={"limit": "100"}).json()["data"]
        by_reference = {one["metadata"].get("fastpay_reference"): one for one in listed}
        return {name: by_reference[reference] for name, reference in self.references.items()}

    def _paid(self, http: httpx.Client, name: str) -> str:
        method = "automatic" if name == "refund" else "manual"
        paid = pay(http, f"order {name}", capture_method=method)
        assert paid.json()["status"] == NOT_DONE[name], paid.text
        return str(paid.json()["id"])

    def _lose(self, name: str) -> None:
        with contextlib.suppress(httpx.HTTPError):
            self.ask(name)

    def _wait(self, is_true: Any) -> None:
        assert children.wait_until(is_true, timeout_ms=PATIENCE_SECONDS * 1000), self.front.server.output


@pytest.fixture
def fastpay_front(fastpay_address: Address, spawn_server: SpawnServer) -> Iterator[Front]:
    with HeldProxy(fastpay_address.url) as proxy:
        front = Front(spawn_server, fastpay_address, proxy)
        with contextlib.closing(front.upstream):
            yield front


@pytest.mark.parametrize(
    "moment", ["before the upstream has it", "after it acted", "before the outcome is kept"]
)
def test_after_a_kill_each_ends_as_the_upstream_says(fastpay_front: Front, moment: str) -> None:
    front = fastpay_front
    shop = Shop(front)
    has_acted = not moment.endswith("has it")
    front.proxy.hold("answers" if has_acted else "requests")
    with shop.asking():
        # Whatever was asked, the attempts were on disk before.
        rows = fetch(front.server.database_url, OPEN)
        assert [(row["operation"], row["held"]) for row in rows] == [
            ("capture", 1200), ("refund", 1200), ("void", 2000)
        ]  # fmt: skip
        if has_acted:
            shop.wait_done()
        if moment == "before the outcome is kept":
            with held_book(front.server.database_url):
                front.proxy.release()
                wait_for_waiting(front.server.database_url)
                front.server.kill()
        else:
            front.server.kill()
            front.proxy.drop()
    assert set(shop.done().values()) == {has_acted}
    front.restart()
    shop.wait_ended()
    shop.check()
    for name in OPERATIONS:
        # The same request again does nothing more, and what was not done can be done now.
        answer = shop.ask(name, key="k" if has_acted else "again")
        assert answer.status_code in ({200, 409} if has_acted else {200}), answer.text
        assert has_acted or answer.json()["status"] == DONE[name]
    assert set(shop.done().values()) == {True}
    front.check()


def test_answers_that_are_lost_are_inquired(address: Address, spawn_server: SpawnServer) -> None:
    with HeldProxy(address.url) as proxy:
        front = Front(spawn_server, address, proxy)
        with contextlib.closing(front.upstream):
            shop = Shop(front)
            proxy.hold("answers")
            with shop.asking():
                shop.wait_done()
                proxy.drop()
            shop.wait_ended()
            shop.check()
            assert set(shop.done().values()) == {True}


def test_a_webhook_tells_of_each_before_its_answer(fastpay_front: Front) -> None:
    front = fastpay_front
    shop = Shop(front)
    front.proxy.hold("answers")
    with shop.asking(), front.client() as http:
        shop.wait_done()
        theirs = shop._theirs()
        listed = front.upstream.get("/v1/refunds", params={"payment_intent": theirs["refund"]["id"]}).json()
        told = [
            ("payment_intent.succeeded", theirs["capture"]),
            ("payment_intent.canceled", theirs["void"]),
            ("refund.updated", listed["data"][0]),
        ]
        for kind, about in [*told, *told]:
            assert send(http, about, kind=kind).json() == {"received": True}
        shop.wait_ended()
        shop.check()
        front.proxy.release()
    shop.check()
