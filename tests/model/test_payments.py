"""A running server held against a model of payments, step by step, and by many clients at once."""

import asyncio
import random
import sys
import uuid
from collections import Counter
from collections.abc import Sequence
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
from tests.model.checks import check_balances
from tests.model.client import Client
from tests.model.connected import Balances
from tests.model.payments import OPEN, Books
from tests.model.requests import ALONE, ANY, CARDS_AND_CASH, DISPUTES, random_step
from tests.model.steps import CURRENCIES, METHODS, PAYERS, SELLERS, TEXTS, Method, Step, Verb
from tests.support.api import open_async_client, open_client
from tests.support.books import check_database
from tests.support.seeds import SEED, size
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant, make_tenant

AMOUNTS = st.integers(1, 2_000) | st.integers(1, 99_999_999)
SMALL = st.integers(0, 2_000)
PLACES = st.integers(0, 5)
# Whether a step is one that the payment allows.
FITS = st.sampled_from((True, True, True, False))
WHO = st.integers(0, PAYERS - 1)
WHOM = st.integers(0, SELLERS - 1)
CLIENTS = size(8, soak=24)
STEPS = size(40, soak=100)


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
        self.loop = asyncio.Runner()
        self.client = Client(open_async_client(self.server.url, tenant.secret), self.books)
        self.loop.run(self.client.furnish())

    def teardown(self) -> None:
        if hasattr(self, "http"):
            try:
                self.loop.run(self.client.check())
            finally:
                self.loop.run(self.client.close())
                self.loop.close()
                self.http.close()

    @rule(
        amount=AMOUNTS,
        currency=st.sampled_from(CURRENCIES),
        method=st.none() | st.sampled_from(METHODS),
        payer=st.none() | WHO,
        manual=st.booleans(),
        confirm=st.booleans(),
    )
    def create(self, **fields: Any) -> None:
        self.do(Step(verb="create", **fields))

    @rule(
        amount=AMOUNTS,
        method=st.sampled_from(("visa", "bypassPending")),
        manual=st.booleans(),
        flexible=st.booleans(),
    )
    def pay_or_hold(self, **fields: Any) -> None:
        """Create what most of the other rules are about."""
        self.do(Step(verb="create", confirm=True, **fields))

    @rule(
        amount=AMOUNTS,
        method=st.sampled_from(("visa", "bypassPending", "cash")),
        seller=WHOM,
        fee=st.none() | SMALL,
        flexible=st.booleans(),
    )
    def sell(self, flexible: bool, **fields: Any) -> None:
        manual = flexible and fields["method"] != "cash"
        self.do(
            Step(
                verb="create",
                payer=0,
                confirm=True,
                may_wait=True,
                manual=manual,
                flexible=flexible,
                **fields,
            )
        )

    @rule(amount=AMOUNTS, seller=WHOM, part=SMALL)
    def sell_in_part(self, **fields: Any) -> None:
        self.do(Step(verb="create", method="visa", confirm=True, **fields))

    @rule(amount=AMOUNTS, payer=WHO, may_wait=st.booleans())
    def pay_by_cash(self, **fields: Any) -> None:
        self.do(Step(verb="create", method="cash", confirm=True, **fields))

    @precondition(lambda self: self.books.payments)
    @rule(place=PLACES, fits=FITS, method=st.none() | st.sampled_from(METHODS), may_wait=st.booleans())
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
        self.do_to({"requires_capture", "requires_action"}, verb="cancel", **fields)

    @precondition(lambda self: self.books.payments)
    @rule(
        place=PLACES,
        fits=FITS,
        amount=st.none() | AMOUNTS,
        reverses=st.booleans(),
        returns_fee=st.booleans(),
    )
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

    @rule(payer=WHO, amount=AMOUNTS)
    def fund(self, **fields: Any) -> None:
        self.do(Step(verb="fund", **fields))

    @rule(payer=WHO, manual=st.booleans())
    def set_mode(self, **fields: Any) -> None:
        self.do(Step(verb="set_mode", **fields))

    @rule(payer=WHO, amount=AMOUNTS, may_wait=st.booleans())
    def return_cash(self, **fields: Any) -> None:
        self.do(Step(verb="return_cash", **fields))

    @precondition(lambda self: self.books.customers.returns)
    @rule(place=PLACES)
    def cancel_return(self, place: int) -> None:
        self.do(Step(verb="cancel_return", place=place % len(self.books.customers.returns)))

    @precondition(lambda self: self.books.payments)
    @rule(place=PLACES, fits=FITS, amount=st.none() | AMOUNTS)
    def apply(self, **fields: Any) -> None:
        self.do_to({"requires_action"}, verb="apply", **fields)

    @precondition(lambda self: self.books.payments)
    @rule(place=PLACES, fits=FITS, amount=st.none() | SMALL.filter(bool), seller=WHOM)
    def transfer(self, **fields: Any) -> None:
        self.do_to({"succeeded"}, verb="transfer", **fields)

    @precondition(lambda self: any(one.passed for one in self.books.payments))
    @rule(
        verb=st.sampled_from(("reverse", "return_fee")),
        place=PLACES,
        amount=st.none() | SMALL.filter(bool),
        returns_fee=st.booleans(),
    )
    def take_back(self, place: int, **fields: Any) -> None:
        passed_on = [number for number, one in enumerate(self.books.payments) if one.passed]
        self.do(Step(place=passed_on[place % len(passed_on)], **fields))

    @precondition(lambda self: any(self.books.balances.values()))
    @rule(amount=AMOUNTS, succeeds=FITS)
    def pay_out(self, **fields: Any) -> None:
        self.do(Step(verb="pay_out", **fields))

    @precondition(lambda self: self.books.payouts)
    @rule(place=PLACES, verb=st.sampled_from(("cancel_payout", "reverse_payout")))
    def end_payout(self, place: int, verb: Verb) -> None:
        self.do(Step(verb=verb, place=place % len(self.books.payouts)))

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
        key = uuid.uuid4().hex
        self.sent.append((key, *self.loop.run(self.client.do(step, key=key))))
        if self.books.subject is not None:
            self.loop.run(self.client.check(self.books.subject))


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
    client: Client,
    chance: random.Random,
    verbs: Sequence[Verb],
    methods: Sequence[Method] = METHODS,
    steps: int = STEPS,
) -> Books:
    """Take steps of these kinds on payments of one's own, some of them three times at once."""
    await client.furnish()
    for _ in range(steps):
        step = random_step(chance, client.books, verbs, methods)
        key = uuid.UUID(int=chance.getrandbits(128)).hex
        await client.do(step, key=key, times=chance.choice((1, 1, 1, 1, 3)))
    await client.check()
    return client.books


def test_payments_of_many_clients_at_once_are_what_each_ones_model_says(server: RunningServer) -> None:
    sys.stdout.write(f"FASTPAY_TEST_SEED={SEED}\n")
    tenant = make_tenant(server.database_url, FEES)

    async def work() -> None:
        async with open_async_client(server.url, tenant.secret) as http:
            clients = [Client(http, Books()) for _ in range(CLIENTS)]
            walks = (
                walk(client, random.Random(f"{SEED} {number}"), (*ANY, *DISPUTES))
                for number, client in enumerate(clients)
            )
            balances: Balances = Counter()
            for books in await asyncio.gather(*walks):
                # An update keeps what is below zero, which a sum of counters would not.
                balances.update(books.balances)
            check_balances(balances, await clients[0].balance())
        await check_database(server.database_url)

    asyncio.run(work())


def test_refunds_of_one_who_may_not_overdraw_are_what_the_model_says(server: RunningServer) -> None:
    sys.stdout.write(f"FASTPAY_TEST_SEED={SEED}\n")
    tenant = make_tenant(server.database_url, FEES)
    allow_overdraft(server.database_url, tenant, False)

    async def work() -> None:
        async with open_async_client(server.url, tenant.secret) as http:
            client = Client(http, Books(may_overdraw=False))
            # A dispute takes its money whatever there is.
            books = await walk(client, random.Random(SEED), (*ANY, *ALONE), CARDS_AND_CASH, steps=200)
            check_balances(books.balances, await client.balance())
        # Nobody asks whether the money is there for the processor's fee of what is passed on whole.
        assert min(books.balances.values()) >= -sum(payment.fees for payment in books.payments)
        await check_database(server.database_url)

    asyncio.run(work())
