"""A client that takes steps on a server and in the model, and holds each answer against the model."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from tests.model.checks import EXPANDED, check_answer, check_payment, learn, questions
from tests.model.payment import Payment, Payout
from tests.model.payments import NOT_CANCELABLE, Books
from tests.model.requests import names_what_it_must_learn, request_of
from tests.model.steps import PAYERS, SELLERS, Expected, Step
from tests.support.servers import PATIENCE_SECONDS

PAUSE_SECONDS = 0.05
_ON_ITS_WAY = frozenset(("pending", "in_transit"))


class Client:
    """One client with customers and connected accounts of its own."""

    def __init__(self, http: httpx.AsyncClient, books: Books) -> None:
        self.books = books
        self._http = http

    async def furnish(self) -> None:
        """Make customers and connected accounts."""
        made = [("/v1/customers", self.books.customers.identifiers)] * PAYERS
        made += [("/v1/accounts", self.books.sellers.identifiers)] * SELLERS
        for path, identifiers in made:
            identifiers.append((await retrying(self._http.post, path)).json()["id"])

    async def do(self, step: Step, *, key: str, times: int = 1) -> tuple[str, dict[str, str], httpx.Response]:
        """Take a step in the model, and so many times at once on the server. Return request and answer."""
        books = self.books
        if names_what_it_must_learn(step):
            payment = books.payments[step.place]
            learn(books, payment, await self._payment(payment))
        if step.verb == "reverse_payout":
            await self._wait_paid(books.payouts[step.place])
        path, form = request_of(step, books)
        expected = books.take(step)
        headers = {"Idempotency-Key": key}
        answers = await asyncio.gather(
            *(retrying(self._http.post, path, data=form, headers=headers) for _ in range(times))
        )
        assert len({(answer.status_code, answer.content) for answer in answers}) == 1
        # None of them is the first where that one was answered late, and was sent again.
        firsts = sum("idempotent-replayed" not in answer.headers for answer in answers)
        assert firsts == 1 or (firsts == 0 and any("x-again" in answer.extensions for answer in answers))
        if step.verb == "cancel_payout" and expected.status == 200 != answers[0].status_code:
            payout = books.payouts[step.place]
            assert (await self._get(f"/v1/payouts/{payout.identifier}"))["status"] != "pending"
            books.keep_payout(payout)
            expected = Expected(400, NOT_CANCELABLE)
        check_answer(expected, answers[0].status_code, answers[0].json())
        learn(books, books.subject, answers[0].json())
        await self._settle()
        return path, form, answers[0]

    async def check(self, payment: Payment | None = None) -> None:
        """Hold a payment as it is served against the model, or all payments and all that came of them."""
        for one in self.books.payments if payment is None else [payment]:
            check_payment(one, await self._payment(one))
        if payment is None:
            for path, query, check in questions(self.books):
                check(await self._get(path, **query))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def balance(self) -> Any:
        """Return the balance as it is served."""
        return await self._get("/v1/balance")

    async def _settle(self) -> None:
        """Wait for what the bank says of a debit, and of a payout that comes back."""
        payment = self.books.subject
        while payment is not None and payment.status == "processing":
            if (await self._payment(payment))["status"] != "processing":
                self.books.settle(payment)
                learn(self.books, payment, await self._payment(payment))
            else:
                await asyncio.sleep(PAUSE_SECONDS)
        for payout in [one for one in self.books.payouts if one.comes_back]:
            await self._wait_paid(payout)
            self.books.end_payout(payout)

    async def _wait_paid(self, payout: Payout) -> None:
        path = f"/v1/payouts/{payout.identifier}"
        while (await self._get(path))["status"] in _ON_ITS_WAY:  # noqa: ASYNC110  the bank does not call
            await asyncio.sleep(PAUSE_SECONDS)

    async def _payment(self, payment: Payment) -> Any:
        return await self._get(f"/v1/payment_intents/{payment.identifier}", **EXPANDED)

    async def _get(self, path: str, **query: str) -> Any:
        return (await retrying(self._http.get, path, params=query)).json()


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
