"""Calls to processors on behalf of requests: after the attempt is committed, outside of any transaction.

    request    route, command 1 ---------- waits ------------------------> answers
                             \\                                        /
    call                      carry_out (no transaction) -> command 2

A plain call needs no task (`direct.py`).

The call belongs to the instance and not to the request: a client that leaves, or has waited for `wait_ms`,
changes nothing about it. Whether command 2 has the final answer to the request's key is decided when it is
sent: only while the request still waits. After that the request waits for it, however long it takes, so
that nobody is told "processing" whose key then says something else.

If the process ends here, an open attempt is left, and the janitor of any instance takes care of it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

import msgspec

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain import outcomes
from fastpay.domain.error_links import NO_LINKS, ErrorLinks
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.processor_objects import NO_CURRENCY, Attempt, AttemptTerms, Route
from fastpay.domain.setup_objects import SetupIntent
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ports import Outcome, Submission
from fastpay.engine.processors import ports
from fastpay.engine.processors.alarms import Alarms
from fastpay.engine.processors.direct import DirectCall
from fastpay.engine.processors.in_flight import InFlight
from fastpay.engine.processors.recording import Recorder
from fastpay.engine.processors.results import command_of, order_of, result_of
from fastpay.engine.processors.routed import FollowUp, Routed
from fastpay.engine.processors.routed import order as first_order
from fastpay.engine.processors.saving import keep
from fastpay.engine.processors.waiting import Waiting
from fastpay.engine.write.ports import QueueingWriter
from fastpay.observability import telemetry, traces

_log = telemetry.Log("fastpay.processors")


class _SendNowait(Protocol):
    def __call__(self, order: ports.Order, done: Callable[[ports.Outcome], None], *, timeout_ms: int) -> bool:
        """As `PromptProcessor.send_nowait`."""


class CallTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How long a call may take, a request waits for it, and an order may be on its way; the first inquiry."""

    timeout_ms: int = limits.processor_timeout_ms
    wait_ms: int = limits.processor_wait_ms
    arrival_s: int = limits.processor_arrival_s
    inquiry_s: int = limits.processor_inquiry_s


class ProcessorCalls:
    """Routes live payments, calls their processors, and records what came of it."""

    def __init__(
        self,
        processors: ports.Processors,
        writer: QueueingWriter,
        *,
        clock: Clock,
        identifiers: IdentifierFactory,
        times: "CallTimes | None" = None,
        calls_max: int = limits.processor_calls_max,
    ) -> None:
        self._processors = processors
        self._recorder = Recorder(writer, clock=clock, identifiers=identifiers)
        self._clock = clock
        self._identifiers = identifiers
        times = times or CallTimes()
        self._timeout_ms, self._wait_ms, self._inquiry_s = times.timeout_ms, times.wait_ms, times.inquiry_s
        part_ms = times.arrival_s * 1_000 // limits.processor_sending_part
        self._sending_ms = max(part_ms, limits.processor_sending_ms_min)
        # The deadline of the request itself comes first, so that the circuit breaker counts it as a failure.
        ended_ms = times.timeout_ms + limits.processor_lateness_ms
        self._in_flight = InFlight(calls_max, timeout_ms=ended_ms)
        self._is_closed = False
        self._outcomes = dict.fromkeys(_COUNTED, 0)
        # By how long requests wait: all live ones equally long, and those with test cards shorter.
        self._waits: dict[int, Alarms[Waiting]] = {}

    def counts(self) -> dict[str, int]:
        """Return how many calls had each outcome, and how many are in flight."""
        counted = {f"processor_{status}": count for status, count in self._outcomes.items()}
        return {**counted, "processor_calls": len(self._in_flight)}

    def start(self) -> None:
        """Begin. There is nothing to do until a payment comes."""

    async def close(self) -> None:
        """Leave the calls that are in flight: their attempts are open, and are inquired."""
        self._is_closed = True
        for waits in self._waits.values():
            waits.close()
        await self._in_flight.cancel()

    async def route(
        self,
        scope: Scope,
        *,
        amount: int,
        currency: str,
        method: str,
        card: ports.CardData,
        links: ErrorLinks = NO_LINKS,
        is_absent: bool = False,
    ) -> Routed | None:
        """Return where a payment goes, None if no processor takes it.

        Raises: DatabaseUnavailable, Overloaded.
        """
        kept = self.kept_route(
            scope, currency=currency, method=method, card=card, links=links, is_absent=is_absent
        )
        if kept is not None:
            return kept
        chosen = await self._processors.route(scope, amount=amount, currency=currency, method=method)
        return Routed(chosen, self._route(chosen[0]), card, links, is_absent) if chosen else None

    def kept_route(
        self,
        scope: Scope,
        *,
        currency: str,
        method: str,
        card: ports.CardData,
        links: ErrorLinks,
        is_absent: bool,
    ) -> Routed | None:
        """Return what `route` would, if that is known without a wait. Raises: Overloaded."""
        self._in_flight.admit(scope)
        chosen = self._processors.kept_route(scope, currency=currency, method=method)
        return Routed(chosen, self._route(chosen[0]), card, links, is_absent) if chosen else None

    async def route_setup(
        self, scope: Scope, *, method: str, card: ports.CardData, links: ErrorLinks = NO_LINKS
    ) -> Routed | None:
        """Return where a card is set up: at the first choice that does so, None if no processor does.

        Raises: DatabaseUnavailable, Overloaded.
        """
        self._in_flight.admit(scope)
        chosen = await self._processors.route(scope, amount=0, currency=NO_CURRENCY, method=method)
        able = [one for one in chosen if one.processor.declaration.setups]
        return Routed(able[:1], self._route(able[0]), card, links) if able else None

    async def route_saved(
        self, scope: Scope, payment_method: str, links: ErrorLinks = NO_LINKS, *, is_absent: bool = False
    ) -> Routed | None:
        """Return where a payment with a saved card goes: to the processor that keeps it, None if none does.

        Raises: DatabaseUnavailable, Overloaded.
        """
        self._in_flight.admit(scope)
        found = await self._processors.keeper(scope, payment_method)
        if found is None:
            return None
        chosen, token = found
        route = msgspec.structs.replace(self._route(chosen), is_saved=True, is_absent=is_absent)
        return Routed((chosen,), route, None, links, is_absent, token)

    def follow_up(self, scope: Scope, links: ErrorLinks = NO_LINKS) -> FollowUp:
        """Return the terms of a capture, a void or a refund. Raises: Overloaded."""
        self._in_flight.admit(scope)
        return FollowUp(
            AttemptTerms(
                reference=self._identifiers.identifier(Attempt.prefix),
                wait_ms=self._wait_ms,
                inquiry_s=self._inquiry_s,
            ),
            links,
        )

    async def follow(
        self, routed: Routed | FollowUp | None, submission: Submission, outcome: Outcome
    ) -> Outcome:
        """Call the processor after command 1, and return what the request answers with.

        Without `routed`, command 1 has chosen the processor of a test card. `outcome` is that of command 1.
        It is returned if no attempt began, and if the wait is over first.
        Raises: DatabaseUnavailable and the like if the processor's outcome could not be written.
        """
        if (
            outcome.answer.error is not None
            or outcome.original_request_id is not None
            or outcome.answer.provisional_until_ms is None
            or self._is_closed
        ):
            return outcome
        if routed is None:
            routed = _begun_by(outcome)
        wait_ms = (routed.route if isinstance(routed, Routed) else routed.terms).wait_ms
        until_ns = self._clock.monotonic_ns() + wait_ms * 1_000_000
        waiting = Waiting(submission, outcome, until_ns, asyncio.get_running_loop().create_future())
        if not isinstance(routed, Routed):
            steps = partial(self._follow_up, routed, waiting)
            self._in_flight.start(submission.scope, self.carry_out(waiting, steps), waiting.end)
        elif not self._send_nowait(routed, waiting):
            steps = partial(self.authorize, routed, waiting)
            self._in_flight.start(submission.scope, self.carry_out(waiting, steps), waiting.end)
        waits = self._waits.get(wait_ms)
        if waits is None:
            waits = self._waits[wait_ms] = Alarms(wait_ms / 1000, Waiting.expire)
        waits.add(waiting)
        try:
            # Nobody else waits for it: if the client leaves, it is canceled, and the call goes on.
            return await waiting.answer
        finally:
            waits.remove(waiting)

    def _route(self, chosen: ports.Chosen) -> Route:
        return Route(
            processor=chosen.name,
            reference=self._identifiers.identifier(Attempt.prefix),
            wait_ms=self._wait_ms,
            inquiry_s=self._inquiry_s,
        )

    def _send_nowait(self, routed: Routed, waiting: Waiting) -> bool:
        """Begin a call that needs no task so far, or return False: nothing was sent."""
        chosen, submission = routed.chosen[0], waiting.submission
        send: _SendNowait | None = getattr(chosen.processor, "send_nowait", None)
        # A call of a traced request has a span, and a task the context for it.
        if send is None or submission.trace is not None or self._is_late(submission.moment_ms):
            return False
        call = DirectCall(routed, waiting, steps=self, in_flight=self._in_flight, recorder=self._recorder)
        waiting.reference = routed.route.reference
        self._in_flight.add(submission.scope, call)
        try:
            if send(
                first_order(routed.route, _intent(waiting), routed),
                call.answered,
                timeout_ms=self._timeout_ms,
            ):
                return True
        except Exception as error:  # noqa: BLE001  anything may have happened
            call.answered(_failed(waiting.reference, error))
            return True
        self._in_flight.remove(call)
        return False

    async def carry_out(self, waiting: Waiting, steps: Callable[[], Awaitable[object]]) -> None:
        """Do these steps. Who starts it ends the wait afterwards."""
        if waiting.submission.trace is not None:
            # This task has a context of its own.
            traces.calling.set(waiting.submission.trace)
        try:
            await steps()
        except Exception:  # noqa: BLE001  the attempt is open, and the janitor goes on
            _log.exception("processor_call_failed", attempt=waiting.reference)

    async def authorize(self, routed: Routed, waiting: Waiting, said: ports.Outcome | None = None) -> None:
        """Call one processor after the other, as long as nothing was done, and record each outcome.

        With `said` the first one was called, and has said that.
        """
        shown, intent = waiting.outcome.answer.object_id, _intent(waiting)
        route, begun_ms = routed.route, waiting.submission.moment_ms
        for number, chosen in enumerate(routed.chosen, 1):
            waiting.reference = route.reference
            if said is None:
                order = first_order(route, intent, routed)
                said = await self._call(chosen, order, begun_ms)
            outcome, said = said, None
            may_go_on = outcome.status in outcomes.NOTHING_DONE and number < len(routed.chosen)
            following = self._route(routed.chosen[number]) if may_go_on else None
            command = command_of(
                route.reference, outcome, next_route=following, shown=shown, links=routed.links
            )
            if command is None:
                break
            if outcome.token is not None:
                assert intent.payment_method is not None
                # Before the outcome: a payment that has succeeded can be followed by another one.
                scope = waiting.submission.scope
                await keep(self._processors, scope, intent.payment_method, chosen.name, outcome)
            recorded_ms = await self._recorder.record(waiting, command, is_last=following is None)
            if following is None or recorded_ms is None:
                break
            route, begun_ms = following, recorded_ms

    async def _follow_up(self, followed: FollowUp, waiting: Waiting) -> None:
        """Call the processor that has authorized the payment, and no other one, and record the outcome."""
        scope, waiting.reference = waiting.submission.scope, followed.terms.reference
        attempt = waiting.outcome.objects[waiting.reference].object
        assert isinstance(attempt, Attempt)
        processor = await self._processors.find(scope, attempt.processor)
        if processor is None:
            return
        chosen = ports.Chosen(attempt.processor, processor)
        result = result_of(await self._call(chosen, order_of(attempt), waiting.submission.moment_ms))
        if result is not None:
            shown = waiting.outcome.answer.object_id
            command = outcomes.RecordOutcome(id=attempt.id, result=result, shown=shown, links=followed.links)
            await self._recorder.record(waiting, command, is_last=True)

    async def _call(self, chosen: ports.Chosen, order: ports.Order, begun_ms: int) -> ports.Outcome:
        """Carry out an order. What takes too long, or fails by a fault of ours, has an unknown outcome.

        Its attempt was begun at `begun_ms`, from when on the janitor counts how long it may be on its way. So
        it is not sent any more if a database that was down has held it up for a part of that.
        """
        try:
            if self._is_late(begun_ms):
                outcome = ports.Outcome(status="not_sent", reason="it was too late to send it")
            else:
                call = chosen.processor.carry_out(order, timeout_ms=self._timeout_ms)
                outcome = await self._in_flight.in_time(call)
        except TimeoutError:
            outcome = ports.Outcome(status="unknown", reason="the processor did not answer in time")
        except Exception as error:  # noqa: BLE001  anything may have happened
            outcome = _failed(order.reference, error)
        self.note(chosen.name, order.reference, outcome)
        return outcome

    def _is_late(self, begun_ms: int) -> bool:
        """Tell whether an order is not sent any more whose attempt was begun then."""
        return self._clock.now_ms() - begun_ms > self._sending_ms

    def note(self, processor: str, reference: str, outcome: ports.Outcome) -> None:
        """Count an outcome, and log one that is not plain."""
        self._outcomes[outcome.status] += 1
        if outcome.status not in {"approved", "declined"}:
            _log.warning(
                "processor_call_ended",
                attempt=reference,
                processor=processor,
                status=outcome.status,
                reason=outcome.reason,
            )


# A union would be made anew for each call.
_INTENTS = (PaymentIntent, SetupIntent)
_COUNTED = ("approved", "declined", "requires_action", "pending", "refused", "not_sent", "unknown")


def _intent(waiting: Waiting) -> PaymentIntent | SetupIntent:
    """Return the payment or the setup as command 1 has left it."""
    intent = waiting.outcome.objects[waiting.outcome.answer.object_id or ""].object
    assert isinstance(intent, _INTENTS)
    return intent


def _failed(reference: str, error: Exception) -> ports.Outcome:
    """Return what is known after a fault of ours, and log it: its text may hold what was sent."""
    _log.error("processor_call_failed", attempt=reference, error=type(error).__name__)
    return ports.Outcome(status="unknown", reason="the call failed")


def _begun_by(outcome: Outcome) -> FollowUp:
    """Return how to go on with an attempt whose processor the command has chosen itself."""
    written = (one.object for one in outcome.objects.values())
    reference = next(one.id for one in written if isinstance(one, Attempt))
    terms = AttemptTerms(
        reference=reference, wait_ms=limits.rehearsal_wait_ms, inquiry_s=limits.rehearsal_inquiry_s
    )
    return FollowUp(terms, NO_LINKS)
