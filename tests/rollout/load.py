"""Clients of an API that is being moved: they pay until they are stopped, and keep what they were told."""

import contextlib
import hashlib
import itertools
import random
import threading
import time
from collections import Counter
from typing import Any

import httpx

from fastpay.engine.rollout.choice import PLACES, place_of
from tests.bank.history import Kind, Operation
from tests.rollout.states import side_of
from tests.support.api import open_client
from tests.support.servers import PATIENCE_SECONDS

CLIENTS = 4
PAUSE_SECONDS = 0.02
PAYMENT = {"currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}


class Load:
    """The clients of one tenant. What has no answer is repeated under the same key, elsewhere.

    `urls` are the instances, which may change. `done` counts by side what was acknowledged.
    """

    def __init__(self, urls: list[str], secret: str, subject: str, *, seed: int) -> None:
        """`subject` is what the draw of this tenant's new customers begins with (`api/routing.py`)."""
        self.urls = urls
        self.operations: list[Operation] = []
        self.done: Counter[str] = Counter()
        self.faults: list[str] = []
        self._secret = secret
        self._subject = subject
        self._seed = seed
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(CLIENTS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE_SECONDS)

    def wait(self, count: int, *sides: str) -> None:
        """Return once so much more is acknowledged, by each of the sides if some are named."""
        before = self.done.copy()
        end_s = time.monotonic() + PATIENCE_SECONDS
        while not self._has(count, sides, self.done - before):
            assert not self.faults, self.faults
            assert all(thread.is_alive() for thread in self._threads)
            assert time.monotonic() < end_s, (sides, self.done - before)
            time.sleep(PAUSE_SECONDS)

    def _has(self, count: int, sides: tuple[str, ...], more: Counter[str]) -> bool:
        return all(more[side] >= count for side in sides) if sides else more.total() >= count

    def _run(self, number: int) -> None:
        client = _Client(self, number, random.Random(f"{self._seed} {number}"))
        for turn in itertools.count(1):
            if self._stop.is_set() or self.faults:
                break
            with contextlib.suppress(_Fault):
                client.serve_customer(f"client {number} turn {turn}", self._email(number, turn))

    def _email(self, number: int, turn: int) -> str:
        """Return an address: every third one is of the first percent, so that this has customers too."""
        for attempt in itertools.count():
            email = f"{number}-{turn}-{attempt}@shop.example"
            if turn % 3 or place_of(f"{self._subject} {email}") < PLACES // 100:
                return email
        raise AssertionError("there is always another one")

    def send(self, url: str, path: str, fields: dict[str, str] | None, key: str) -> httpx.Response | None:
        """Ask once; return None if nobody has answered."""
        try:
            with open_client(url, self._secret) as http:
                if fields is None:
                    answer = http.get(path)
                else:
                    answer = http.post(path, data=fields, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            return None
        return answer


class _Fault(Exception):
    """What a client asked for was refused, or never answered."""


class _Client:
    """One of them: its requests follow each other."""

    def __init__(self, load: Load, number: int, chance: random.Random) -> None:
        self._load = load
        self._number = number
        self._chance = chance
        # What was acknowledged: asked again later, it has the same answer, whatever became of its route.
        self._settled: list[tuple[Kind, str, dict[str, str], dict[str, Any]]] = []

    def serve_customer(self, name: str, email: str) -> None:
        """Have a customer who pays, gets some of it back, and looks; and a guest who pays."""
        made = self._ask("enroll", "/v1/customers", {"email": email}, f"{name} customer")
        customer = made["id"]
        for part in ("first", "second"):
            paid = self._pay(f"{name} {part}", customer)
        self._refund(f"{name} refund", paid, customer)
        self._look(paid, customer)
        self._pay(f"{name} guest", "")
        if self._settled:
            kind, path, fields, known = self._chance.choice(self._settled)
            self._ask(kind, path, fields, fields["metadata[order]"], **known)

    def _pay(self, key: str, customer: str) -> dict[str, Any]:
        amount = self._chance.randint(100, 5_000)
        fields = PAYMENT | {"amount": str(amount)} | ({"customer": customer} if customer else {})
        return self._ask("pay", "/v1/payment_intents", fields, key, customer=customer, amount=amount)

    def _refund(self, key: str, paid: dict[str, Any], customer: str) -> None:
        amount = self._chance.randint(1, paid["amount"])
        fields = {"payment_intent": paid["id"], "amount": str(amount)}
        known = {"customer": customer, "amount": amount, "payment": paid["id"]}
        self._ask("refund", "/v1/refunds", fields, key, **known)

    def _look(self, paid: dict[str, Any], customer: str) -> None:
        path = f"/v1/payment_intents/{paid['id']}"
        seen = self._ask("read", path, None, "", customer=customer, payment=paid["id"])
        shown = ("id", "amount", "amount_received", "status", "customer", "metadata")
        if any(seen.get(name) != paid[name] for name in shown):
            self._load.faults.append(f"{paid} was read as {seen}")

    def _ask(
        self, kind: Kind, path: str, fields: dict[str, str] | None, key: str, **known: Any
    ) -> dict[str, Any]:
        """Ask until there is an answer, now here and now there, and write down each attempt."""
        load = self._load
        if fields is not None:
            fields = fields | {"metadata[order]": key}
        end_s = time.monotonic() + PATIENCE_SECONDS
        while True:
            instance, invoked_ns = self._chance.randrange(len(load.urls)), time.monotonic_ns()
            answer = load.send(load.urls[instance], path, fields, key)
            is_known = answer is not None and answer.status_code < 500
            told = _told(answer) if answer is not None and is_known else {}
            load.operations.append(
                Operation(
                    client=self._number,
                    instance=instance,
                    kind=kind,
                    invoked_ns=invoked_ns,
                    ended_ns=time.monotonic_ns(),
                    key=key,
                    **{"result": "unknown"} | told | known,
                )
            )
            if is_known or time.monotonic() > end_s:
                break
            time.sleep(PAUSE_SECONDS)
        if answer is None or answer.status_code != 200:
            load.faults.append(f"{key or path}: {'no answer' if answer is None else answer.text}")
            raise _Fault
        # What was killed starts beside them.
        time.sleep(PAUSE_SECONDS)
        body: dict[str, Any] = answer.json()
        load.done[side_of(answer)] += 1
        if fields is not None:
            self._settled.append((kind, path, fields, known))
        return body


def _told(answer: httpx.Response) -> dict[str, str]:
    fields = answer.headers
    return {
        "result": "ok" if answer.status_code == 200 else "refused",
        "side": side_of(answer),
        "request_id": fields.get("original-request", fields.get("request-id", "")),
        "answer": f"{answer.status_code} {hashlib.blake2b(answer.content, digest_size=8).hexdigest()}",
    }
