"""A running server held against a model of payments, step by step, and by many clients at once."""

import asyncio
import random
import sys
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from typing import Any

import httpx
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from benchmarks.samples import FEES
from fastpay.store.connections import connected
from tests.model.payments import (
    CARDS,
    CURRENCIES,
    OPEN,
    TEXTS,
    Books,
    Payment,
    Step,
    check_answer,
    check_balances,
    check_payment,
)
from tests.model.requests import random_step, request_of
from tests.support.api import open_async_client, open_client
from tests.support.books import check_database
from tests.support.seeds import SEED, size
from tests.support.servers import PATIENCE_SECONDS, RunningServer
from tests.support.tenants import Tenant, make_tenant

AMOUNTS = st.integers(1, 2_000) | st.integers(1, 99_999_999)
PLACES = st.integers(0, 5)
# Whether a step is one that the payment allows.
FITS = st.sampled_from((True, True, True, False))
CLIENTS = 16
STEPS = 25
PAUSE_SECONDS = 0.05


class Payments(RuleBasedStateMachine):
    """One client that does whatever comes to its mind, and knows what to expect."""

    server: RunningServer

    @initialize(may_overdraw=st.booleans())
    def open(self, may_overdraw: bool) -> None:
        tenant = make_tenant(self.server.database_url, FEES)
        allow_overdraft(self.server.database_url, tenant, may_overdraw)
        self.books = Books(may_overdraw=may_overdraw)
        self.sent: list[tuple[str, str, dict[str, str], httpx.Response]] = []
        self.http = open_client(self.server.url, tenant.secret)

    def teardown(self) -> None:
        if hasattr(self, "http"):
            self.http.close()

    @rule(
        amount=AMOUNTS,
        currency=st.sampled_from(CURRENCIES),
        card=st.none() | st.sampled_from(CARDS),
        manual=st.booleans(),
        confirm=st.booleans(),
    )
    def create(self, **fields: Any) -> None:
        self.do(Step(verb="create", **fields))

    @rule(
        amount=AMOUNTS,
        card=st.sampled_from(("visa", "bypassPending")),
        manual=st.booleans(),
        flexible=st.booleans(),
    )
    def pay_or_hold(self, **fields: Any) -> None:
        """Create what most of the other rules are about."""
        self.do(Step(verb="create", confirm=True, **fields))

    @precondition(lambda self: self.books.payments)
    @rule(place=PLACES, fits=FITS, card=st.none() | st.sampled_from(CARDS))
    def confirm(self, **fields: Any) -> None:
        self.do_to(OPEN, verb="confirm", **fields)

    @precondition(lambda self: self.books.payments)
    @rule(place=PLACES, fits=FITS, succeeds=st.booleans())
    def authenticate(self, **fields: Any) -> None:
        self.do_to({"requires_action"}, verb="authenticate", **fields)

    @precondition(lambda self: self.books.payments)
    @rule(place=PLACES, fits=FITS, amount=AMOUNTS)
    def update(self, **fields: Any) -> None:
        self.do_to(OPEN, verb="update", **fields)

    @precondition(lambda self: self.books.payments)
    @rule(place=PLACES, fits=FITS, amount=st.none() | AMOUNTS, final=st.booleans())
    def capture(self, **fields: Any) -> None:
        self.do_to({"requires_capture"}, verb="capture", **fields)

    @precondition(lambda self: self.books.payments)
    @rule(place=PLACES, fits=FITS, amount=AMOUNTS)
    def increment(self, **fields: Any) -> None:
        self.do_to({"requires_capture"}, verb="increment", **fields)

    @precondition(lambda self: self.books.payments)
    @rule(place=PLACES, fits=FITS)
    def cancel(self, **fields: Any) -> None:
        self.do_to({"requires_capture"}, verb="cancel", **fields)

    @precondition(lambda self: self.books.payments)
    @rule(place=PLACES, fits=FITS, amount=st.none() | AMOUNTS)
    def refund(self, **fields: Any) -> None:
        self.do_to({"succeeded"}, verb="refund", **fields)

    @precondition(lambda self: self.books.payments)
    @rule(place=PLACES, fits=FITS, amount=st.none() | AMOUNTS)
    def dispute(self, **fields: Any) -> None:
        self.do_to({"succeeded"}, verb="dispute", **fields)

    @precondition(lambda self: self.books.payments)
    @rule(place=PLACES, fits=FITS, text=st.sampled_from(TEXTS))
    def respond(self, **fields: Any) -> None:
        self.do_to({"succeeded"}, verb="respond", **fields)

    @precondition(lambda self: self.books.payments)
    @rule(place=PLACES, fits=FITS)
    def close(self, **fields: Any) -> None:
        self.do_to({"succeeded"}, verb="close", **fields)

    @precondition(lambda self: self.sent)
    @rule(number=st.integers(0, 100))
    def replay(self, number: int) -> None:
        key, path, form, first = self.sent[number % len(self.sent)]
        again = self.http.post(path, data=form, headers={"Idempotency-Key": key})
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["original-request"] == first.headers["request-id"]

    @precondition(lambda self: self.sent)
    @rule(number=st.integers(0, 100))
    def use_a_key_for_something_else(self, number: int) -> None:
        key, _, form, _ = self.sent[number % len(self.sent)]
        other = {"amount": "1234567", "currency": "usd"}
        assert form != other
        answer = self.http.post("/v1/payment_intents", data=other, headers={"Idempotency-Key": key})
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "idempotency_error")

    @invariant()
    def balances_are_those_of_the_model(self) -> None:
        if hasattr(self, "http"):
            check_balances(self.books.balances, self.http.get("/v1/balance").json())

    def do_to(self, statuses: AbstractSet[str], *, place: int, fits: bool, **fields: Any) -> None:
        """Take a step on a payment in one of these states, where it is to fit and there is one, or on any."""
        every = list(range(len(self.books.payments)))
        fitting = [number for number in every if self.books.payments[number].status in statuses]
        chosen = fitting if fits and fitting else every
        self.do(Step(place=chosen[place % len(chosen)], **fields))

    def do(self, step: Step) -> None:
        """Take a step in the model and on the server."""
        payments = self.books.payments
        path, form = request_of(step, None if step.verb == "create" else payments[step.place])
        count = len(payments)
        expected = self.books.take(step)
        key = uuid.uuid4().hex
        answer = self.http.post(path, data=form, headers={"Idempotency-Key": key})
        check_answer(expected, answer.status_code, answer.json())
        self.sent.append((key, path, form, answer))
        if step.verb == "create" and len(payments) == count:
            # It was refused, and there is no payment.
            return
        payment = payments[-1] if step.verb == "create" else payments[step.place]
        learn(payment, answer.json())
        shown = self.retrieve(payment)
        while payment.status == "processing" == shown["status"]:
            time.sleep(PAUSE_SECONDS)
            shown = self.retrieve(payment)
        if payment.status == "processing":
            self.books.settle(payment)
        check_payment(payment, shown)

    def retrieve(self, payment: Payment) -> Any:
        """Return a payment as it is served."""
        return self.http.get(f"/v1/payment_intents/{payment.identifier}", params=EXPANDED).json()


EXPANDED = {"expand[]": "latest_charge"}


def learn(payment: Payment, body: dict[str, Any]) -> None:
    """Remember what a payment, a charge or a dispute that was just made is called."""
    intent = body["error"].get("payment_intent") if "error" in body else body
    if intent is not None and intent["object"] == "payment_intent":
        payment.identifier = intent["id"]
        payment.charge_id = intent["latest_charge"] or ""
    if payment.disputes and not payment.disputes[-1].identifier:
        payment.disputes[-1].identifier = body["id"]


def allow_overdraft(database_url: str, tenant: Tenant, may_overdraw: bool) -> None:
    """Say whether a tenant's refunds may take its balance below zero."""

    async def work() -> None:
        async with connected(database_url) as connection:
            await connection.execute(
                "update book set refunds_may_overdraw = $2 where tenant_id = $1",
                tenant.tenant_id,
                may_overdraw,
            )

    asyncio.run(work())


def test_payments_are_what_the_model_says_step_by_step(server: RunningServer) -> None:
    machine = type("PaymentsOfAServer", (Payments,), {"server": server})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=size(8, soak=100), stateful_step_count=25, deadline=None)
    )
    asyncio.run(check_database(server.database_url))


async def walk(
    http: httpx.AsyncClient,
    chance: random.Random,
    books: Books,
    steps: int = STEPS,
    *,
    with_disputes: bool = True,
) -> Books:
    """Take steps of any kind on payments of one's own, some of them three times at once."""
    for _ in range(steps):
        count = len(books.payments)
        step = random_step(chance, books.payments, with_disputes=with_disputes)
        path, form = request_of(step, None if step.verb == "create" else books.payments[step.place])
        expected = books.take(step)
        key = uuid.UUID(int=chance.getrandbits(128)).hex
        times = chance.choice((1, 1, 3))
        answers = await asyncio.gather(
            *(retrying(http.post, path, data=form, headers={"Idempotency-Key": key}) for _ in range(times))
        )
        assert len({(answer.status_code, answer.content) for answer in answers}) == 1
        # None of them is the first where that one was answered late, and was sent again.
        firsts = sum("idempotent-replayed" not in answer.headers for answer in answers)
        assert firsts == 1 or (firsts == 0 and any("x-again" in answer.extensions for answer in answers))
        check_answer(expected, answers[0].status_code, answers[0].json())
        if step.verb == "create" and len(books.payments) == count:
            # It was refused, and there is no payment.
            continue
        payment = books.payments[-1 if step.verb == "create" else step.place]
        learn(payment, answers[0].json())
        if payment.status == "processing":
            await settle(http, books, payment)
    for payment in books.payments:
        path = f"/v1/payment_intents/{payment.identifier}"
        found = await retrying(http.get, path, params=EXPANDED)
        check_payment(payment, found.json())
    return books


async def retrying(send: Callable[..., Awaitable[httpx.Response]], path: str, **given: Any) -> httpx.Response:
    """Send a request, again for as long as the answer says so: a busy machine may be late."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        answer = await send(path, **given)
        while answer.status_code == 503:
            assert answer.headers["stripe-should-retry"] == "true"
            await asyncio.sleep(PAUSE_SECONDS)
            answer = await send(path, **given)
            answer.extensions["x-again"] = True
        return answer


async def settle(http: httpx.AsyncClient, books: Books, payment: Payment) -> None:
    """Wait for the bank's answer to a debit."""
    path = f"/v1/payment_intents/{payment.identifier}"
    while True:
        found = await retrying(http.get, path)
        if found.json()["status"] != "processing":
            break
        await asyncio.sleep(PAUSE_SECONDS)
    books.settle(payment)


def test_payments_of_many_clients_at_once_are_what_each_ones_model_says(server: RunningServer) -> None:
    sys.stdout.write(f"FASTPAY_TEST_SEED={SEED}\n")
    tenant = make_tenant(server.database_url, FEES)

    async def work() -> None:
        async with open_async_client(server.url, tenant.secret) as http:
            walks = (walk(http, random.Random(f"{SEED} {number}"), Books()) for number in range(CLIENTS))
            balances: Counter[tuple[str, str]] = Counter()
            for books in await asyncio.gather(*walks):
                # An update keeps what is below zero, which a sum of counters would not.
                balances.update(books.balances)
            check_balances(balances, (await retrying(http.get, "/v1/balance")).json())
        await check_database(server.database_url)

    asyncio.run(work())


def test_refunds_of_one_who_may_not_overdraw_are_what_the_model_says(server: RunningServer) -> None:
    sys.stdout.write(f"FASTPAY_TEST_SEED={SEED}\n")
    tenant = make_tenant(server.database_url, FEES)
    allow_overdraft(server.database_url, tenant, False)

    async def work() -> None:
        async with open_async_client(server.url, tenant.secret) as http:
            books = Books(may_overdraw=False)
            # A dispute takes its money whatever there is.
            await walk(http, random.Random(SEED), books, steps=8 * STEPS, with_disputes=False)
            check_balances(books.balances, (await retrying(http.get, "/v1/balance")).json())
        assert min(books.balances.values()) >= 0

    asyncio.run(work())
