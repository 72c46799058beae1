"""Clients that pay while the ground shakes, and remember every word that they were told."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpx

# A guard against a hang, never a measurement.
PATIENCE_SECONDS = 60


class Step:
    """One request under its own idempotency key, and the answer to it once there was one."""

    def __init__(self, order: "Order", key: str, path: str, form: dict[str, str]) -> None:
        self.order = order
        self.key = key
        self.path = path
        self.form = form
        self.body: bytes | None = None


class Order:
    """What one client wants: a payment, and one more step after it. `state` is what it was told last."""

    def __init__(self, name: str, chance: random.Random) -> None:
        self.name = name
        self.amount = chance.randrange(500, 50_000)
        self.follow_up = chance.choice(("capture", "refund", "cancel", "none"))
        self.payment_id = ""
        self.state: tuple[str, int] | None = None

    def after(self, step: Step) -> tuple[str, int]:
        """Return status and amount received as they must stand once the step has had its effect."""
        match step.key.rpartition(":")[2]:
            case "capture":
                return "succeeded", self.amount // 2
            case "cancel":
                return "canceled", 0
            case "create" if self.follow_up in {"capture", "cancel"}:
                return "requires_capture", 0
        return "succeeded", self.amount


class Clients:
    """All clients of a test, over all kills. What is not in `failures` came back as it should."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.orders: list[Order] = []
        self.acknowledged: list[Step] = []
        self.unanswered: list[Step] = []
        self.refusals: list[httpx.Response] = []
        self.failures: list[str] = []
        self._running = True
        self._heard = asyncio.Event()

    async def pay_through(self, url: str, key: str, disaster: Callable[[], Awaitable[None]]) -> None:
        """Keep paying on 16 connections until the disaster has happened and everybody has noticed."""
        self._running = True
        # Each run has a loop of its own, and an event belongs to one.
        self._heard = asyncio.Event()
        async with connect(url, key) as http, asyncio.TaskGroup() as group:
            workers = [group.create_task(self._work(http)) for _ in range(16)]
            await disaster()
            self._running = False
            await asyncio.wait(workers)

    async def wait_acknowledged(self, count: int) -> None:
        """Return when so many more steps were acknowledged."""
        enough = len(self.acknowledged) + count
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.acknowledged) < enough:
                self._heard.clear()
                await self._heard.wait()

    async def retry_unanswered(self, http: httpx.AsyncClient) -> None:
        """Send what had no answer again, with its key: each has its effect now, or had it before."""
        waiting, self.unanswered = self.unanswered, []
        for step in waiting:
            await self._send(http, step)
        assert self.unanswered == []

    async def _work(self, http: httpx.AsyncClient) -> None:
        while self._running:
            order = Order(f"o{len(self.orders)}", self.chance)
            self.orders.append(order)
            if not await self._send(http, first_step(order)):
                # Whoever had no answer waits a little: the server may be on its way back.
                await asyncio.sleep(0.02)
            elif (step := second_step(order)) is not None:
                await self._send(http, step)

    async def _send(self, http: httpx.AsyncClient, step: Step) -> bool:
        try:
            answer = await http.post(step.path, data=step.form, headers={"Idempotency-Key": step.key})
        except httpx.TransportError:
            self.unanswered.append(step)
            return False
        if answer.status_code == 503:
            self.refusals.append(answer)
            self.unanswered.append(step)
            return False
        if answer.status_code != 200:
            self.failures.append(f"{step.key}: {answer.status_code} {answer.text}")
            return False
        step.body = answer.content
        body = answer.json()
        if step.key.endswith(":create"):
            step.order.payment_id = body["id"]
        step.order.state = step.order.after(step)
        self.acknowledged.append(step)
        self._heard.set()
        return True


def first_step(order: Order) -> Step:
    """Return the request that makes the payment of an order."""
    manual = order.follow_up in {"capture", "cancel"}
    form = {
        "amount": str(order.amount),
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "confirm": "true",
        "capture_method": "manual" if manual else "automatic",
        "metadata[order]": order.name,
    }
    return Step(order, f"{order.name}:create", "/v1/payment_intents", form)


def second_step(order: Order) -> Step | None:
    """Return the request that follows, None where the payment is all that is wanted."""
    key = f"{order.name}:{order.follow_up}"
    match order.follow_up:
        case "capture":
            form = {"amount_to_capture": str(order.amount // 2)}
            return Step(order, key, f"/v1/payment_intents/{order.payment_id}/capture", form)
        case "cancel":
            return Step(order, key, f"/v1/payment_intents/{order.payment_id}/cancel", {})
        case "refund":
            form = {"payment_intent": order.payment_id, "amount": "100", "metadata[order]": order.name}
            return Step(order, key, "/v1/refunds", form)
    return None


def connect(url: str, key: str) -> httpx.AsyncClient:
    """Return a client with an API key and a connection for every worker."""
    return httpx.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=PATIENCE_SECONDS,
        limits=httpx.Limits(max_connections=100, max_keepalive_connections=100),
        trust_env=False,
    )


async def list_all(http: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    """Return every object of a list, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        more = {"starting_after": found[-1]["id"]} if found else {}
        answer = await http.get(path, params={"limit": 100, **more})
        assert answer.status_code == 200, answer.text
        found += answer.json()["data"]
        if not answer.json()["has_more"]:
            return found


async def audit(url: str, key: str, clients: Clients) -> None:
    """Hold the server against what the clients were told, before and after they try again."""
    async with connect(url, key) as http:
        pending = {step.order.name: step for step in clients.unanswered}
        check_acknowledged(clients.orders, pending, await list_all(http, "/v1/payment_intents"))
        await clients.retry_unanswered(http)
        assert clients.failures == []
        payments = await list_all(http, "/v1/payment_intents")
        check_acknowledged(clients.orders, {}, payments)
        check_once(payments, (step for step in clients.acknowledged if step.key.endswith(":create")))
        refunds = await list_all(http, "/v1/refunds")
        check_once(refunds, (step for step in clients.acknowledged if step.key.endswith(":refund")))
        await asyncio.gather(*(check_replay(http, step) for step in clients.acknowledged))
        books = (await http.get("/v1/ledger/verify")).json()
        assert books["problems"] == []
        assert books["ok"] is True
        assert [balance["difference"] for balance in books["balances"]] == [0]
        assert books["balances"][0]["debits_posted"] > 0


def check_acknowledged(
    orders: Iterable[Order], pending: dict[str, Step], payments: Iterable[dict[str, Any]]
) -> None:
    """Each payment stands as it was acknowledged, or a step further where one is pending."""
    stands = {body["id"]: (body["status"], body["amount_received"]) for body in payments}
    for order in orders:
        if order.state is not None:
            step = pending.get(order.name)
            allowed = {order.state} | ({order.after(step)} if step is not None else set())
            assert stands.get(order.payment_id) in allowed, order.name


def check_once(objects: Iterable[dict[str, Any]], steps: Iterable[Step]) -> None:
    """Each key has made one object, and there is no other object."""
    assert sorted(body["metadata"]["order"] for body in objects) == sorted(step.order.name for step in steps)


async def check_replay(http: httpx.AsyncClient, step: Step) -> None:
    """The first answer comes again, byte for byte, and says that it is one."""
    answer = await http.post(step.path, data=step.form, headers={"Idempotency-Key": step.key})
    assert answer.content == step.body, step.key
    assert answer.headers["idempotent-replayed"] == "true"
