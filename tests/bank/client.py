"""Clients of the bank, in a process of their own: they pay, ask, and write down all that they are told.

They go on until standard input ends, and leave once every key has its answer.
"""

import argparse
import asyncio
import collections
import contextlib
import hashlib
import random
import sys
import time
from pathlib import Path
from typing import Any, Literal

import httpx
import msgspec

from tests.bank import history
from tests.bank.history import Kind, Operation, progress_of
from tests.support.api import open_async_client

# A guard against a hang, never a measurement: whoever has no answer by then knows nothing.
PATIENCE_SECONDS = 30
# How long who had no answer waits before asking again.
PAUSE_SECONDS = 0.03
NOT_AN_ANSWER = frozenset((429, 500, 502, 503))
HELD, TAKEN = "requires_capture", "succeeded"
# Which clients have an endpoint, how often they ask about it, and what they do to it, one after another.
SUBSCRIBERS, HOOKED = 3, 0.35
STEPS: tuple[Kind, ...] = ("change", "disable", "enable", "rotate", "unsubscribe")


class Payment(msgspec.Struct):
    """A payment of ours, as far as it was acknowledged. `order` is the key that made it."""

    identifier: str
    order: str
    status: str
    left: int


class Endpoint(msgspec.Struct):
    """A webhook endpoint of ours."""

    identifier: str
    hook: str


class Request(msgspec.Struct, kw_only=True):
    """What is asked for, by each attempt alike."""

    kind: Kind
    path: str
    method: str = "POST"
    hook: str = ""
    is_strict: bool = False
    key: str = ""
    payment: str = ""
    amount: int = 0
    form: dict[str, str] = {}


class Client:
    """One client: its requests follow each other, but for duplicates that it sends on purpose."""

    def __init__(
        self, number: int, instances: list[httpx.AsyncClient], seed: int, file: Path, receiver: str | None
    ) -> None:
        self._number = number
        # Each subscriber begins elsewhere, so that together they soon have done everything.
        self._steps = collections.deque(STEPS)
        self._steps.rotate(-(number // SUBSCRIBERS))
        self._receiver = receiver if number % SUBSCRIBERS == 0 else None
        self._endpoint: Endpoint | None = None
        self._instances = instances
        self._chance = random.Random(f"{seed} {number}")
        self._file = file
        self._payments: list[Payment] = []
        self._settled: list[Request] = []
        self._customer = ""
        self._seller = ""
        # What waits for a bank transfer.
        self._ordered: Payment | None = None
        self._count = 0

    async def live(self, stopping: asyncio.Event) -> None:
        """Ask one thing after another until the end, now and then something that was answered long ago."""
        while not stopping.is_set():
            if self._settled and self._chance.random() < 0.1:
                await self._settle(self._chance.choice(self._settled))
                continue
            request = self._choose()
            if not request.key:
                await self._attempt(request, self._chance.randrange(len(self._instances)))
                continue
            times = self._chance.choice((1, 1, 1, 2))
            answers = await asyncio.gather(*(self._settle(request) for _ in range(times)))
            self._learn(request, answers[0])
            self._settled.append(request)
        if self._endpoint is not None:
            # What was missed meanwhile is delivered after the end, and checked.
            await self._settle(self._about_endpoint(self._endpoint, "enable", self._next_key()))

    async def delete(self, endpoints: list[str]) -> None:
        """Delete endpoints that others have left."""
        for identifier in endpoints:
            await self._settle(
                self._about_endpoint(Endpoint(identifier, ""), "unsubscribe", self._next_key())
            )

    def _next_key(self) -> str:
        self._count += 1
        return f"client {self._number} request {self._count}"

    def _choose(self) -> Request:
        """Return what to ask for next, now and then more than there is."""
        chance, key = self._chance, self._next_key()
        if self._receiver is not None and chance.random() < HOOKED:
            return self._choose_about_endpoint(self._receiver, key)
        amount = chance.randint(100, 5_000)
        kinds: list[Kind] = ["pay", "hold", "balance"]
        own = chance.choice(self._payments[-5:]) if self._payments else None
        if own is not None:
            kinds += ["read", "read"] * 2
            kinds += ["sell", "order" if self._ordered is None else "fund"]
            kinds += ["capture", "capture", "cancel"] if own.status == HELD else ["refund"] * 2
        kind = chance.choice(kinds)
        form = {"metadata[order]": key}
        if not self._customer:
            return Request(kind="enroll", path="/v1/customers", key=key, form=form)
        if not self._seller:
            return Request(kind="connect", path="/v1/accounts", key=key, form=form)
        if kind == "balance":
            return Request(kind=kind, path="/v1/balance")
        if kind in {"pay", "hold", "sell", "order"}:
            form |= {"amount": str(amount), "currency": "usd", "confirm": "true"}
            form["capture_method"] = "manual" if kind == "hold" else "automatic"
            if kind in {"sell", "order"}:
                form["transfer_data[destination]"] = self._seller
                form["transfer_data[amount]"] = str(amount // 2)
            form |= self._by_bank_transfer() if kind == "order" else {"payment_method": "pm_card_visa"}
            return Request(kind=kind, path="/v1/payment_intents", key=key, amount=amount, form=form)
        if kind == "fund":
            return self._fund()
        assert own is not None
        path = f"/v1/payment_intents/{own.identifier}"
        if kind == "read":
            return Request(kind=kind, path=f"{path}?expand[]=latest_charge", payment=own.identifier)
        if kind == "cancel":
            return Request(
                kind=kind,
                path=f"{path}/cancel",
                key=history.cancel_key(own.order),
                payment=own.identifier,
                amount=own.left,
                form={"cancellation_reason": "abandoned"},
            )
        amount = chance.randint(1, max(1, own.left)) if chance.random() < 0.9 else own.left + 1
        if kind == "capture":
            form["amount_to_capture"] = str(amount)
            return Request(
                kind=kind, path=f"{path}/capture", key=key, payment=own.identifier, amount=amount, form=form
            )
        form |= {"payment_intent": own.identifier, "amount": str(amount), "expand[]": "charge"}
        return Request(
            kind=kind, path="/v1/refunds", key=key, payment=own.identifier, amount=amount, form=form
        )

    def _by_bank_transfer(self) -> dict[str, str]:
        options = "payment_method_options[customer_balance]"
        return {
            "customer": self._customer,
            "payment_method_data[type]": "customer_balance",
            f"{options}[funding_type]": "bank_transfer",
            f"{options}[bank_transfer][type]": "us_bank_transfer",
        }

    def _fund(self) -> Request:
        assert self._ordered is not None
        return Request(
            kind="fund",
            path=f"/v1/test_helpers/customers/{self._customer}/fund_cash_balance",
            key=history.fund_key(self._ordered.order),
            payment=self._ordered.identifier,
            amount=self._ordered.left,
            form={"amount": str(self._ordered.left), "currency": "usd"},
        )

    def _choose_about_endpoint(self, receiver: str, key: str) -> Request:
        """Return what to ask for next of an endpoint."""
        chance, hook = self._chance, history.hook_of(key)
        if self._endpoint is not None:
            if chance.random() < 0.5:
                return self._about_endpoint(self._endpoint, "look", "")
            kind = self._steps[0]
            self._steps.rotate(-1)
            return self._about_endpoint(self._endpoint, kind, key)
        order = chance.choice(("parallel", "object", "strict"))
        form = {"url": f"{receiver}/{hook}", "enabled_events[]": "*", "fastpay[order]": order}
        if chance.random() < 0.5:
            form["fastpay[start_after_sequence]"] = "0"
        path = "/v1/webhook_endpoints"
        return Request(
            kind="subscribe", path=path, key=key, hook=hook, is_strict=order == "strict", form=form
        )

    def _about_endpoint(self, endpoint: Endpoint, kind: Kind, key: str) -> Request:
        chance, path = self._chance, f"/v1/webhook_endpoints/{endpoint.identifier}"
        form: dict[str, str] = {}
        method = {"look": "GET", "unsubscribe": "DELETE"}.get(kind, "POST")
        if kind == "change":
            form = {"description": key, "fastpay[headers][X-Change]": key}
            if chance.random() < 0.5:
                form["url"] = f"{self._receiver}/{endpoint.hook}/{self._count}"
        elif kind == "disable":
            form = {"disabled": "true"}
        elif kind == "enable":
            path += "/enable"
        elif kind == "rotate":
            path += "/rotate_secret"
            form = {"overlap_seconds": chance.choice(("0", "60"))}
        return Request(kind=kind, path=path, method=method, key=key, hook=endpoint.hook, form=form)

    def _learn(self, request: Request, answer: dict[str, Any]) -> None:
        if "error" in answer:
            return
        if request.kind == "subscribe":
            self._endpoint = Endpoint(answer["id"], request.hook)
        elif request.kind == "unsubscribe":
            self._endpoint = None
        if request.hook:
            return
        match request.kind:
            case "enroll":
                self._customer = answer["id"]
                return
            case "connect":
                self._seller = answer["id"]
                return
            case "fund":
                # Nothing more is asked about it: its refunds make other things happen too.
                self._ordered = None
                return
            case "pay" | "hold" | "sell" | "order":
                made = Payment(answer["id"], request.key, answer["status"], request.amount)
                if request.kind == "order":
                    self._ordered = made
                else:
                    self._payments.append(made)
                return
        (payment,) = (own for own in self._payments if own.identifier == request.payment)
        if request.kind == "cancel":
            self._payments.remove(payment)
            return
        payment.left = request.amount if request.kind == "capture" else payment.left - request.amount
        payment.status = TAKEN

    async def _settle(self, request: Request) -> dict[str, Any]:
        """Ask until there is an answer, now here and now there."""
        while True:
            answer = await self._attempt(request, self._chance.randrange(len(self._instances)))
            if answer is not None:
                return answer
            await asyncio.sleep(PAUSE_SECONDS)

    async def _attempt(self, request: Request, instance: int) -> dict[str, Any] | None:
        """Ask once and write down what came of it. Return the answer, None where there was none."""
        invoked_ns = time.monotonic_ns()
        answer: httpx.Response | None = None
        http = self._instances[instance]
        with contextlib.suppress(httpx.TransportError):
            if request.key:
                headers = {"Idempotency-Key": request.key}
                answer = await http.request(request.method, request.path, data=request.form, headers=headers)
            else:
                answer = await http.get(request.path)
        refusal = ""
        if answer is not None and answer.status_code in NOT_AN_ANSWER:
            refusal, answer = _refusal(answer), None
        operation = Operation(
            client=self._number,
            instance=instance,
            kind=request.kind,
            invoked_ns=invoked_ns,
            ended_ns=time.monotonic_ns(),
            result="unknown" if answer is None else _result(answer),
            key=request.key,
            payment=request.payment,
            amount=request.amount,
            hook=request.hook,
            is_strict=request.is_strict,
            request_id="" if answer is None else _first_request(answer),
            answer=refusal if answer is None else f"{answer.status_code} {_digest(answer.content)}",
        )
        body: dict[str, Any] | None = None if answer is None else answer.json()
        if body is not None and operation.result == "ok":
            operation = _with_state(operation, body)
        history.write(self._file, [operation])
        return body


def _result(answer: httpx.Response) -> Literal["ok", "refused"]:
    return "ok" if answer.status_code == 200 else "refused"


def _refusal(answer: httpx.Response) -> str:
    retry = " retry" if answer.headers.get("stripe-should-retry") == "true" else ""
    return f"{answer.status_code} {answer.json()['error']['code']}{retry}"


def _first_request(answer: httpx.Response) -> str:
    return str(answer.headers.get("original-request", answer.headers.get("request-id", "")))


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=8).hexdigest()


def _with_state(operation: Operation, body: dict[str, Any]) -> Operation:
    """Add what the answer says of the payment, or the balance."""
    if operation.kind == "balance":
        (own,) = [money["amount"] for money in body["pending"] if money["currency"] == "usd"] or [0]
        return msgspec.structs.replace(operation, balance=own)
    if operation.kind == "subscribe":
        start = body["fastpay"]["start_after_sequence"]
        return msgspec.structs.replace(operation, endpoint=body["id"], start=start)
    if operation.kind == "look":
        return msgspec.structs.replace(operation, through=body["fastpay"]["delivered_through"])
    if operation.kind in {*STEPS, "enroll", "connect", "fund"}:
        return operation
    if operation.kind == "refund":
        progress = progress_of(TAKEN, body["charge"]["amount_refunded"])
    else:
        charge = body["latest_charge"]
        refunded = charge["amount_refunded"] if isinstance(charge, dict) else 0
        progress = progress_of(body["status"], refunded)
    payment = operation.payment or body["id"]
    return msgspec.structs.replace(operation, progress=progress, payment=payment)


async def run(arguments: argparse.Namespace) -> None:
    """Run all clients until standard input ends, and each until it has all its answers."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().run_in_executor(None, sys.stdin.read).add_done_callback(
        lambda _: stopping.set()
    )
    async with contextlib.AsyncExitStack() as stack:
        instances = [
            await stack.enter_async_context(open_async_client(url, arguments.key, timeout=PATIENCE_SECONDS))
            for url in arguments.urls
        ]
        clients = [
            Client(arguments.first + number, instances, arguments.seed, arguments.history, arguments.receiver)
            for number in range(arguments.clients)
        ]
        await clients[0].delete(arguments.left)
        await asyncio.gather(*(client.live(stopping) for client in clients))


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--history", type=Path, required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--receiver")
    parser.add_argument("--left", action="append", default=[])
    parser.add_argument("urls", nargs="+")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
