"""Live payments with another fastpay as their processor, which is killed at the worst moments.

The upstream's books say what has moved: each payment ends as they say, charged once at most, with nothing
left in doubt.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fastpay import limits
from fastpay.config import Settings
from fastpay.domain.identifiers import Scope
from fastpay.engine.processors.configuration_ports import Secrets
from fastpay.operations.embedded import children
from fastpay.operations.sealing_keys import key_file
from fastpay.store import processors
from fastpay.store.connections import connected
from fastpay.store.sealing import Vault, read_keys
from tests.support.api import open_client
from tests.support.books import check_database
from tests.support.engine import CLOCK
from tests.support.held_proxy import HeldProxy
from tests.support.servers import PATIENCE_SECONDS, SpawnServer, fetch, locked
from tests.support.tenants import make_tenant
from tests.support.upstreams import Address

NUMBER = "4242424242424242"
DECLINED = "4000000000009979"
PAY = {
    "amount": "2000",
    "currency": "usd",
    "confirm": "true",
    "payment_method_data[type]": "card",
    "payment_method_data[card][number]": NUMBER,
    "payment_method_data[card][exp_month]": "12",
    "payment_method_data[card][exp_year]": "2034",
    "payment_method_data[card][cvc]": "123",
}
SIGNED_BY = "whsec_of_the_upstream"
# An inquiry every second. However long the machine stands still, nothing on its way is taken for lost.
QUICK = {
    "FASTPAY_PROCESSOR_INQUIRY_S": "1",
    "FASTPAY_PROCESSOR_ARRIVAL_S": "120",
    "FASTPAY_PROCESSOR_WAIT_MS": "20000",
}
# What the cardholder did is found by the client alone.
UNASKED = {"FASTPAY_PROCESSOR_INQUIRY_S": "600"}
# Nothing is on its way any more, and the second inquiry, after 7 s, is early enough for a proof of absence.
AFTER_A_KILL = {"FASTPAY_PROCESSOR_ARRIVAL_S": "7", "FASTPAY_PROCESSOR_TIMEOUT_MS": "1750"}


class Front:
    """A server with a live tenant, whose processor is an upstream behind a proxy."""

    def __init__(self, spawn: SpawnServer, upstream: Address, proxy: HeldProxy, **environment: str) -> None:
        self._spawn = spawn
        self.proxy = proxy
        self.server = spawn(environment=QUICK | environment)
        own = make_tenant(self.server.database_url)
        self.scope = Scope(own.tenant_id.hex, livemode=True)
        self.key = own.live_secret
        self.publishable_key = own.live_publishable
        self.upstream = open_client(upstream.url, upstream.secret)
        asyncio.run(self._configure(upstream))

    async def _configure(self, upstream: Address) -> None:
        path = key_file(Settings(data_dir=str(self.server.data_dir)))
        assert path is not None
        async with connected(self.server.database_url) as connection:
            await processors.add_processor(
                connection,
                self.scope,
                name="acquirer",
                kind=upstream.kind,
                url=self.proxy.url,
                secrets=Secrets(secret=upstream.secret, webhook_secret=SIGNED_BY),
                vault=Vault(read_keys(path), clock=CLOCK),
                clock=CLOCK,
            )

    def client(self) -> httpx.Client:
        """Return a client with the live key."""
        return open_client(self.server.url, self.key)

    def restart(self) -> None:
        """Start the server again on its data."""
        self.server = self._spawn(data_dir=self.server.data_dir, environment=QUICK | AFTER_A_KILL)

    def charged(self) -> list[str]:
        """Return the references of all payments that the upstream has charged."""
        listed = self.upstream.get("/v1/payment_intents", params={"limit": "100"}).json()["data"]
        return [one["metadata"]["fastpay_reference"] for one in listed if one["status"] == "succeeded"]

    def wait_ended(self, *, after: tuple[str, ...] = ("processing",)) -> dict[str, Any]:
        """Return the only payment once it has ended."""
        with self.client() as http:
            last: dict[str, Any] = {}

            def has_ended() -> bool:
                (last["payment"],) = http.get("/v1/payment_intents").json()["data"]
                return last["payment"]["status"] not in after

            assert children.wait_until(has_ended, timeout_ms=PATIENCE_SECONDS * 1000), self.server.output
            payment: dict[str, Any] = last["payment"]
            return payment

    def wait_status(self) -> str:
        """Return the status of the only payment."""
        with self.client() as http:
            (payment,) = http.get("/v1/payment_intents").json()["data"]
            return str(payment["status"])

    def attempts(self, payment: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the attempts of a payment."""
        with self.client() as http:
            listed: list[dict[str, Any]] = http.get(f"/v1/payment_intents/{payment['id']}/attempts").json()[
                "data"
            ]
            return listed

    def check(self) -> None:
        """Find nothing in doubt, nothing wrong in the books, and no card's number in the log or the data."""
        url = self.server.database_url
        assert fetch(url, "select 1 from account where code = 'in_doubt' and credits_pending <> 0") == []
        asyncio.run(check_database(url))
        with self.client() as http:
            assert http.get("/v1/ledger/verify").json()["problems"] == []
        assert NUMBER not in self.server.output


def pay(http: httpx.Client, key: str = "order", **more: str) -> httpx.Response:
    """Pay with a card."""
    return http.post("/v1/payment_intents", data=PAY | more, headers={"Idempotency-Key": key})


def test_a_card_pays_and_the_answer_is_the_same_again(front: Front) -> None:
    with front.client() as http:
        first, again = pay(http), pay(http)
        assert first.status_code == 200, first.text
        paid = first.json()
        assert (paid["status"], paid["amount_received"], paid["livemode"]) == ("succeeded", 2000, True)
        assert again.content == first.content
        assert again.headers["idempotent-replayed"] == "true"
        (attempt,) = front.attempts(paid)
        assert (attempt["status"], attempt["processor"], attempt["in_doubt"]) == ("approved", "acquirer", 0)
        shown = http.get(f"/v1/payment_intents/{paid['id']}", params={"expand[]": "fastpay.attempts"}).json()
        listed = http.get("/v1/payment_intents", params={"expand[]": "data.fastpay.attempts"}).json()["data"]
        assert shown == listed[0] == paid | {"fastpay": shown["fastpay"]}
        assert shown["fastpay"]["attempts"]["data"] == [attempt]
        assert front.charged() == [attempt["id"]]
        method = http.get(f"/v1/payment_methods/{paid['payment_method']}").json()["card"]
        assert (method["brand"], method["last4"], method["country"]) == ("visa", "4242", None)
    front.check()


def test_a_decline_says_what_the_processor_said(front: Front) -> None:
    with front.client() as http:
        refused = pay(http, **{"payment_method_data[card][number]": DECLINED})
        assert refused.status_code == 402, refused.text
        error = refused.json()["error"]
        assert (error["code"], error["decline_code"]) == ("card_declined", "stolen_card")
        assert error["payment_intent"]["status"] == "requires_payment_method"
        assert pay(http, **{"payment_method_data[card][number]": DECLINED}).content == refused.content
        # It can be paid with another card.
        confirmed = http.post(
            f"/v1/payment_intents/{error['payment_intent']['id']}/confirm",
            data={name: value for name, value in PAY.items() if name.startswith("payment_method_data")},
        )
        assert confirmed.json()["status"] == "succeeded", confirmed.text
        (reference,) = front.charged()
        assert front.attempts(confirmed.json())[0]["id"] == reference
    front.check()


def test_a_visitors_idempotency_keys_are_not_the_merchants(front: Front) -> None:
    """In live mode too, where the digest of a key is made once and used for both commands."""
    card = {name: value for name, value in PAY.items() if name.startswith("payment_method_data")}
    with front.client() as http, open_client(front.server.url, front.publishable_key) as visitor:
        made = http.post("/v1/payment_intents", data={"amount": "2000", "currency": "usd"}).json()
        confirm = f"/v1/payment_intents/{made['id']}/confirm"
        for _ in range(2):
            key = {"Idempotency-Key": "order-1"}
            paid = visitor.post(confirm, data=card | {"client_secret": made["client_secret"]}, headers=key)
            assert (paid.status_code, paid.json()["status"]) == (200, "succeeded"), paid.text
        assert paid.headers["idempotent-replayed"] == "true"
        named = http.post("/v1/customers", data={"name": "Ada"}, headers=key)
        assert (named.status_code, named.json()["object"]) == (200, "customer"), named.text


def test_while_one_request_waits_another_is_told_to_come_back(front: Front) -> None:
    front.proxy.hold("answers")
    with front.client() as http, front.client() as other:
        answers: list[httpx.Response] = []
        with in_background(lambda: answers.append(pay(http))):
            front.proxy.wait_reached()
            busy = pay(other)
            assert (busy.status_code, busy.json()["error"]["code"]) == (409, "idempotency_key_in_use")
            assert busy.headers["stripe-should-retry"] == "true"
            front.proxy.release()
        assert answers[0].json()["status"] == "succeeded"
        assert pay(other).content == answers[0].content
    assert len(front.charged()) == 1
    front.check()


def test_payments_that_wait_for_a_processor_take_nothing_of_their_tenant_s_share(front: Front) -> None:
    count = 3 * limits.contended_requests_max
    front.proxy.hold("requests")
    opened = "select 1 from attempt where status = 'open'"
    another = make_tenant(front.server.database_url).secret
    with open_client(front.server.url, another) as other, contextlib.ExitStack() as stack:
        answers: list[httpx.Response] = []
        for number in range(count):
            http = stack.enter_context(front.client())
            stack.enter_context(
                in_background(lambda http=http, number=number: answers.append(pay(http, f"{number}")))
            )
            # Two tenants ask, so each has its share.
            assert other.get("/v1/refunds").status_code == 200
        url = front.server.database_url
        assert children.wait_until(
            lambda: len(fetch(url, opened)) == count, timeout_ms=PATIENCE_SECONDS * 1000
        )
        front.proxy.release()
    assert [one.json()["status"] for one in answers] == ["succeeded"] * count
    assert len(front.charged()) == count
    front.check()


@pytest.mark.parametrize(
    "moment", ["before the upstream has it", "after it acted", "before the outcome is kept"]
)
def test_after_a_kill_a_payment_ends_as_the_upstream_says(front: Front, moment: str) -> None:
    front.proxy.hold("requests" if moment.endswith("has it") else "answers")
    with front.client() as http, in_background(lambda: lose(http)):
        front.proxy.wait_reached()
        # Whatever was asked, the attempt was on disk before.
        rows = fetch(front.server.database_url, "select held from attempt where status = 'open'")
        assert [row["held"] for row in rows] == [2000]
        if moment == "before the outcome is kept":
            with held_book(front.server.database_url):
                front.proxy.release()
                wait_for_waiting(front.server.database_url)
                front.server.kill()
        else:
            front.server.kill()
            front.proxy.drop()
    charged = front.charged()
    assert len(charged) == (moment != "before the upstream has it")
    front.restart()
    payment = front.wait_ended()
    (attempt,) = front.attempts(payment)
    assert front.charged() == charged
    if charged:
        assert (payment["status"], payment["amount_received"]) == ("succeeded", 2000)
        assert charged == [attempt["id"]]
    else:
        assert (payment["status"], payment["amount_received"]) == ("requires_payment_method", 0)
        assert attempt["status"] == "not_found"
    front.check()


def test_a_webhook_of_the_processor_ends_a_payment_once(front: Front) -> None:
    front.proxy.hold("answers")
    with front.client() as http:
        with in_background(lambda: lose(http)):
            front.proxy.wait_reached()
            (reference,) = front.charged()
            ours = paid(reference)
            for changed in ({"fastpay_reference": "att_" + "0" * 32}, {}):
                assert send(http, ours | {"metadata": changed}).status_code == 200
            assert send(http, ours, kind="customer.created").status_code == 200
            for kind in ("payment_intent.succeeded", "customer.created"):
                assert send(http, ours, kind=kind, secret="whsec_of_another").status_code == 400
            assert front.wait_status() == "processing"
            for _ in range(2):
                assert send(http, ours).json() == {"received": True}
            payment = front.wait_ended()
            assert (payment["status"], payment["amount_received"]) == ("succeeded", 2000)
            # What is late and says something else is noted, and moves nothing.
            failed = ours | {"status": "requires_payment_method", "amount_received": 0}
            assert send(http, failed, kind="payment_intent.payment_failed").status_code == 200
            front.proxy.release()
        (attempt,) = front.attempts(payment)
        assert attempt["in_doubt"] == 0
        assert front.wait_ended() == payment
        assert http.get("/v1/processors/acquirer/webhook").status_code == 405
        assert http.post("/v1/processors/nobody/webhook", content=b"{}").status_code == 400
    assert front.charged() == [reference]
    front.check()


def paid(reference: str) -> dict[str, Any]:
    """Return the payment of a reference as the upstream shows it once it has succeeded."""
    return {"id": "pi_theirs", "object": "payment_intent", "status": "succeeded", "amount": 2000,
            "amount_received": 2000, "amount_capturable": 0, "currency": "usd",
            "metadata": {"fastpay_reference": reference}}  # fmt: skip


def send(
    http: httpx.Client,
    about: dict[str, Any],
    *,
    kind: str = "payment_intent.succeeded",
    secret: str = SIGNED_BY,
) -> httpx.Response:
    """Send a webhook as the upstream does."""
    body = json.dumps({"id": "evt_1", "object": "event", "type": kind, "data": {"object": about}}).encode()
    at = str(int(time.time()))
    signature = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"Stripe-Signature": f"t={at},v1={signature}", "Content-Type": "application/json"}
    return http.post("/v1/processors/acquirer/webhook", content=body, headers=headers)


def lose(http: httpx.Client) -> None:
    with contextlib.suppress(httpx.HTTPError):
        pay(http)


@contextlib.contextmanager
def in_background(work: Any) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


def wait_for_waiting(database_url: str) -> None:
    """Return once somebody waits for a lock: the command with the outcome is at the database."""
    waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    assert children.wait_until(lambda: bool(fetch(database_url, waiting)), timeout_ms=PATIENCE_SECONDS * 1000)


@contextlib.contextmanager
def held_book(database_url: str) -> Iterator[None]:
    """Hold the books of all tenants, so that nothing is committed."""
    with locked(database_url, "select 1 from book for update"):
        yield
