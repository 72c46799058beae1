"""Requests to one processor: so many at a time, each with its deadline.

What is raised says what is known: after `NotSentError` no byte has gone out, after any other `NoAnswerError`
the processor may have done anything.
"""

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from fastpay import limits
from fastpay.clock import Clock
from fastpay.engine.processors.ports import Order, Outcome
from fastpay.observability import traces
from fastpay.outbound.http import Answer, HttpClient, Lent, NoAnswerError, NotSentError
from fastpay.outbound.slots import Slots

_Shape = TypeVar("_Shape")

_NUMBER = re.compile(r"[0-9](?:[ -]?[0-9]){10,}")


class Deadline:
    """The time that all requests of one operation have together."""

    __slots__ = ("_clock", "_until_ns")

    def __init__(self, clock: Clock, timeout_ms: int) -> None:
        self._clock = clock
        self._until_ns = clock.monotonic_ns() + timeout_ms * 1_000_000

    def is_over(self) -> bool:
        """Tell whether nothing is left."""
        return self._clock.monotonic_ns() >= self._until_ns

    def left_ms(self) -> int:
        """Return how much is left. Raises: NotSentError if there is nothing left."""
        left_ms = (self._until_ns - self._clock.monotonic_ns()) // 1_000_000
        if left_ms <= 0:
            raise NotSentError("there was no time left to send it")
        return left_ms


class Calls:
    """Sends requests to the service at a URL."""

    def __init__(self, client: HttpClient, url: str, *, clock: Clock) -> None:
        self.clock = clock
        self._client = client
        self._url = url.rstrip("/")
        self._slots = Slots(limits.processor_requests_max)

    def deadline(self, timeout_ms: int) -> Deadline:
        """Return the deadline of an operation that begins now."""
        return Deadline(self.clock, timeout_ms)

    async def send(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        deadline: Deadline,
    ) -> Answer:
        """Send one request and return its answer. `target` is behind the URL. Raises: NoAnswerError."""
        if not self._slots.take():
            await self._wait_for_slot(deadline)
        tracer, trace, status = traces.tracer(), None, None
        try:
            left_ms, url = deadline.left_ms(), self._url + target
            if tracer is not None and (trace := tracer.call()) is not None:
                # The caller's tracestate is not the processor's.
                headers = {**headers, "traceparent": trace.to_headers()[0]}
            answer = await self._client.send(method, url, headers=headers, body=body, timeout_ms=left_ms)
            status = answer.status
            return answer
        finally:
            self._slots.give()
            if tracer is not None and trace is not None:
                tracer.called(trace, method, self._url, status=status)

    def lend(self, target: str) -> Lent | None:
        """Return a connection for one request, if `send` would not wait for one. `ended` is called after it.

        For calls that are not traced.
        """
        if not self._slots.take():
            return None
        lent = self._client.lend(self._url + target)
        if lent is None:
            self._slots.give()
        return lent

    def ended(self) -> None:
        """Note that a request is over whose connection was lent."""
        self._slots.give()

    async def _wait_for_slot(self, deadline: Deadline) -> None:
        try:
            await self._slots.wait(deadline.left_ms() / 1000)
        except TimeoutError:
            raise NotSentError("too many requests are in flight to the processor") from None


def lost(error: NoAnswerError) -> Outcome:
    """Return what is known after a request without an answer."""
    return Outcome(
        status="not_sent" if isinstance(error, NotSentError) else "unknown", reason=shorten(str(error))
    )


def unknown(reason: str) -> Outcome:
    """Return that nothing is known, and why."""
    return Outcome(status="unknown", reason=shorten(reason))


def none_yet(order: Order, clock: Clock, arrival_s: int) -> Outcome | None:
    """Return what is known of an order that the processor does not know.

    None once a request of it can no longer be on its way.
    """
    if order.sent_ms is not None and clock.now_ms() - order.sent_ms >= arrival_s * 1000:
        return None
    return unknown("the processor knows nothing of it yet")


def decode(decoder: "msgspec.json.Decoder[_Shape]", body: bytes) -> _Shape | None:
    """Return what is in a body, None if it has another shape."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def shorten(text: str) -> str:
    """Return the beginning of a text of the processor, in one line, without what may be a card's number."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return _NUMBER.sub("[number]", line)[: limits.processor_text_chars_max]
