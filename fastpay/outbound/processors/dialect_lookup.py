"""Finds payments and refunds by our reference, at servers that speak the dialect.

A search by metadata finds a payment sooner or later, so only what it finds counts. That there is none is
proved by the list alone, read to its end, and only if that was begun `arrival_s` after the order was sent:
until then the request itself may still be on its way. Whatever else a server answers leaves the outcome
unknown.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial

import msgspec

from fastpay import limits
from fastpay.engine.processors.ports import Order, Outcome
from fastpay.outbound.http import Answer, NoAnswerError
from fastpay.outbound.processors import dialect_requests as requests
from fastpay.outbound.processors.calls import Calls, Deadline, decode, none_yet, unknown
from fastpay.outbound.processors.dialect_answers import LISTED, PAYMENT, REFUND, SETUP, Payment, Refund, Setup
from fastpay.outbound.processors.shared_reading import Object, SharedReading

_OK = 200
_TWICE = "the processor has this reference several times"


class Lookup:
    """Asks one server. With `is_basic`, it has no search, and no lists of a time."""

    def __init__(self, calls: Calls, headers: Mapping[str, str], *, is_basic: bool, arrival_s: int) -> None:
        self._calls = calls
        self._headers = headers
        self._is_basic = is_basic
        self._arrival_s = arrival_s
        # Of a basic server. A page has the time of an inquiry: nobody follows a reading for longer.
        self._payments = self._reading(PAYMENT, requests.PAYMENTS, {}, None)
        self._setups = self._reading(SETUP, requests.SETUPS, {}, None)

    async def payment(self, order: Order, deadline: Deadline) -> Payment | Outcome | None:
        """Return the payment that an order made or is about, None if there is none. Raises: NoAnswerError."""
        if order.processor_id is not None:
            return await self._payment(order.processor_id, deadline)
        reference = order.reference if order.operation == "authorize" else order.authorization
        if reference is None:
            return unknown("the order names no payment")
        if self._is_basic:
            return await self._only(self._payments, reference, order, deadline)
        found = await self._search(reference, deadline)
        if found is not None:
            return found
        reading = self._reading(PAYMENT, requests.PAYMENTS, self._time_of(order), deadline)
        return await self._only(reading, reference, order, deadline)

    async def refund(self, order: Order, payment_id: str, deadline: Deadline) -> Refund | Outcome | None:
        """Return the refund that an order made, None if there is none. Raises: NoAnswerError."""
        reading = self._reading(REFUND, requests.REFUNDS, {"payment_intent": payment_id}, deadline)
        return await self._only(reading, order.reference, order, deadline)

    async def setup(self, order: Order, deadline: Deadline) -> Setup | Outcome | None:
        """Return the setup that an order made, None if there is none. Raises: NoAnswerError."""
        if order.processor_id is not None:
            answer = await self.get(requests.setup_path(order.processor_id), deadline)
            found = decode(SETUP, answer.body) if answer.status == _OK else None
            return (
                unknown(f"the processor does not show the setup: {answer.status}") if found is None else found
            )
        if self._is_basic:
            return await self._only(self._setups, order.reference, order, deadline)
        reading = self._reading(SETUP, requests.SETUPS, self._time_of(order), deadline)
        return await self._only(reading, order.reference, order, deadline)

    def none_yet(self, order: Order) -> Outcome | None:
        """Return None once a request of the order can no longer be on its way."""
        return none_yet(order, self._calls.clock, self._arrival_s)

    async def get(self, target: str, deadline: Deadline) -> Answer:
        """Return the answer to a GET, which is sent again while there is time for it. Raises: NoAnswerError.

        A list of many pages would hardly be read to its end if one lost answer meant to begin again.
        """
        for tries_left in reversed(range(limits.processor_read_tries)):
            try:
                return await self._calls.send("GET", target, headers=self._headers, deadline=deadline)
            except NoAnswerError:
                if not tries_left or deadline.is_over():
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def _payment(self, payment_id: str, deadline: Deadline) -> Payment | Outcome:
        answer = await self.get(requests.payment_path(payment_id), deadline)
        found = decode(PAYMENT, answer.body) if answer.status == _OK else None
        return (
            unknown(f"the processor does not show the payment: {answer.status}") if found is None else found
        )

    async def _search(self, reference: str, deadline: Deadline) -> Payment | Outcome | None:
        query = requests.search_query(reference)
        answer = await self.get(
            requests.target(f"{requests.PAYMENTS}/search", query=query, limit=2), deadline
        )
        page = decode(LISTED, answer.body) if answer.status == _OK else None
        read = [decode(PAYMENT, bytes(raw)) for raw in page.data] if page is not None else []
        found = [one for one in read if one is not None and one.reference == reference]
        if not found:
            return None
        # The index may also be late about what has become of it.
        return unknown(_TWICE) if len(found) > 1 else await self._payment(found[0].id, deadline)

    async def _only(
        self, reading: SharedReading[Object], reference: str, order: Order, deadline: Deadline
    ) -> Object | Outcome | None:
        """Return the one object of a list with a reference. Raises: NoAnswerError."""
        if_none, since_ms = self.none_yet(order), order.sent_ms
        if if_none is None and since_ms is not None:
            since_ms += self._arrival_s * 1_000
        try:
            async with asyncio.timeout(deadline.left_ms() / 1000):
                found = await reading.look(reference, since_ms=since_ms)
        except TimeoutError as error:
            raise NoAnswerError("the list could not be read in time") from error
        if isinstance(found, Outcome):
            return found
        if len(found) > 1:
            return unknown(_TWICE)
        return found[0] if found else if_none

    def _reading(
        self,
        decoder: "msgspec.json.Decoder[Object]",
        path: str,
        query: Mapping[str, str | int],
        deadline: Deadline | None,
    ) -> SharedReading[Object]:
        return SharedReading(partial(self._pages, decoder, path, query, deadline), self._calls.clock)

    async def _pages(
        self,
        decoder: "msgspec.json.Decoder[Object]",
        path: str,
        query: Mapping[str, str | int],
        deadline: Deadline | None,
    ) -> "AsyncIterator[list[Object] | Outcome]":
        """Yield the pages of a list to its end, or why that cannot be reached. Raises: NoAnswerError.

        Without a deadline for all of them, each has one of its own.
        """
        after: dict[str, str] = {}
        for _ in range(limits.processor_pages_max):
            every = {**query, "limit": limits.processor_page_objects, **after}
            within = deadline or self._calls.deadline(limits.inquiry_timeout_ms)
            answer = await self.get(requests.target(path, **every), within)
            page = decode(LISTED, answer.body) if answer.status == _OK else None
            if page is None:
                yield unknown(f"the processor shows no list: {answer.status}")
                return
            read = [decode(decoder, bytes(raw)) for raw in page.data]
            objects = [one for one in read if one is not None]
            yield objects
            if len(objects) < len(read):
                yield unknown("an object in the list of the processor cannot be read")
                return
            if not page.has_more or not objects:
                return
            after = {"starting_after": objects[-1].id}
        yield unknown("the processor has too many to look through")

    def _time_of(self, order: Order) -> Mapping[str, int]:
        """Return the query for what was created when an order was first sent, by any clock."""
        if self._is_basic or order.sent_ms is None or order.operation not in {"authorize", "setup"}:
            return {}
        sent_s, skew_s = order.sent_ms // 1000, limits.processor_clock_skew_s
        return {"created[gte]": sent_s - skew_s, "created[lte]": sent_s + self._arrival_s + skew_s}
