"""Calls to processors on behalf of requests: after the attempt is committed, outside of any transaction.

    request    route, command 1 ---------- waits ------------------------> answers
                             \\                                        /
    call                      carry_out (no transaction) -> command 2

The call belongs to the instance and not to the request: a client that leaves, or has waited for `wait_ms`,
changes nothing about it. Whether command 2 has the final answer to the request's key is decided when it is
sent: only while the request still waits. After that the request waits for it, however long it takes, so
that nobody is told "processing" whose key then says something else.

If the process ends here, an open attempt is left, and the janitor of any instance takes care of it.
"""

import asyncio

import msgspec

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain import outcomes
from fastpay.domain.actions import AwaitAction
from fastpay.domain.error_links import NO_LINKS, ErrorLinks
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.processor_objects import NO_CURRENCY, Attempt, AttemptTerms, Route
from fastpay.domain.setup_objects import SetupIntent
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ports import Outcome, Submission, Writer
from fastpay.engine.processors import ports
from fastpay.engine.processors.alarms import Alarms
from fastpay.engine.processors.in_flight import InFlight
from fastpay.engine.processors.results import command_of, order_of, result_of
from fastpay.engine.processors.routed import FollowUp, Routed
from fastpay.engine.processors.routed import order as first_order
from fastpay.engine.processors.saving import keep
from fastpay.engine.write.idempotency import submission_digest
from fastpay.errors import ClockSkewed, DatabaseUnavailable, Overloaded, WriterStopped
from fastpay.observability import telemetry, traces

_log = telemetry.Log("fastpay.processors")

# The command was not carried out, or may have been: to send it again changes nothing.
_MAY_PASS = (ClockSkewed, DatabaseUnavailable, Overloaded, WriterStopped)

_STOPPED = (
    "The server stopped before it knew whether the payment's outcome was written. Send the request again "
    "with the same idempotency key to learn what became of it."
)


class _Waiting:
    """A request that waits for the outcome of a call.

    `answer` is what the request answers with. With `is_final` command 2 is about to be sent, or was: then the
    request waits for it, and no longer for `until_ns` at most. `reference` is the attempt whose call is on
    its way.
    """

    __slots__ = (
        *("answer", "is_final", "is_over", "is_uncertain"),
        *("outcome", "reference", "submission", "until_ns"),
    )

    def __init__(
        self,
        submission: Submission,
        outcome: Outcome,
        until_ns: int,
        answer: "asyncio.Future[Outcome]",
    ) -> None:
        self.submission = submission
        self.outcome = outcome
        self.until_ns = until_ns
        self.reference = ""
        self.is_over = False
        # Whether a command may have changed the answer to the request's key, and has not said so yet.
        self.is_uncertain = False
        self.is_final = False
        self.answer = answer

    def tell(self, answer: Outcome | Exception) -> None:
        """Give the request its answer, once."""
        if self.answer.done():
            return
        if isinstance(answer, Exception):
            self.answer.set_exception(answer)
            # The client may have left, and nobody looks at it then.
            self.answer.exception()
        else:
            self.answer.set_result(answer)

    def expire(self) -> None:
        """End the wait with the answer of command 1, unless the one of command 2 has begun to come."""
        if not self.is_final and not self.answer.done():
            self.is_over = True
            self.answer.set_result(self.outcome)


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
        writer: Writer,
        *,
        clock: Clock,
        identifiers: IdentifierFactory,
        times: "CallTimes | None" = None,
        calls_max: int = limits.processor_calls_max,
    ) -> None:
        self._processors = processors
        self._writer = writer
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
        self._waits: dict[int, Alarms[_Waiting]] = {}

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
        self._in_flight.admit(scope)
        chosen = self._processors.kept_route(scope, currency=currency, method=method)
        if chosen is None:
            chosen = await self._processors.route(scope, amount=amount, currency=currency, method=method)
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
        waiting = _Waiting(submission, outcome, until_ns, asyncio.get_running_loop().create_future())
        self._in_flight.start(submission.scope, self._carry_out(routed, waiting))
        waits = self._waits.get(wait_ms)
        if waits is None:
            waits = self._waits[wait_ms] = Alarms(wait_ms / 1000, _Waiting.expire)
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

    async def _carry_out(self, routed: Routed | FollowUp, waiting: _Waiting) -> None:
        """Do what command 1 has written, and give the request its answer."""
        if waiting.submission.trace is not None:
            # This task has a context of its own.
            traces.calling.set(waiting.submission.trace)
        try:
            if isinstance(routed, Routed):
                await self._authorize(routed, waiting)
            else:
                await self._follow_up(routed, waiting)
        except Exception:  # noqa: BLE001  the attempt is open, and the janitor goes on
            _log.exception("processor_call_failed", attempt=waiting.reference)
        finally:
            if not waiting.answer.done():
                # Nothing is known, or this process stops: the payment is processing.
                waiting.tell(DatabaseUnavailable(_STOPPED) if waiting.is_uncertain else waiting.outcome)

    async def _authorize(self, routed: Routed, waiting: _Waiting) -> None:
        """Call one processor after the other, as long as nothing was done, and record each outcome."""
        shown = waiting.outcome.answer.object_id
        intent = waiting.outcome.objects[shown or ""].object
        assert isinstance(intent, _INTENTS)
        route, begun_ms = routed.route, waiting.submission.moment_ms
        for number, chosen in enumerate(routed.chosen, 1):
            waiting.reference = route.reference
            order = first_order(route, intent, routed)
            outcome = await self._call(chosen, order, begun_ms)
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
            recorded_ms = await self._record(waiting, command, is_last=following is None)
            if following is None or recorded_ms is None:
                break
            route, begun_ms = following, recorded_ms

    async def _follow_up(self, followed: FollowUp, waiting: _Waiting) -> None:
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
            await self._record(waiting, command, is_last=True)

    async def _call(self, chosen: ports.Chosen, order: ports.Order, begun_ms: int) -> ports.Outcome:
        """Carry out an order. What takes too long, or fails by a fault of ours, has an unknown outcome.

        Its attempt was begun at `begun_ms`, from when on the janitor counts how long it may be on its way. So
        it is not sent any more if a database that was down has held it up for a part of that.
        """
        try:
            if self._clock.now_ms() - begun_ms > self._sending_ms:
                outcome = ports.Outcome(status="not_sent", reason="it was too late to send it")
            else:
                call = chosen.processor.carry_out(order, timeout_ms=self._timeout_ms)
                outcome = await self._in_flight.in_time(call)
        except TimeoutError:
            outcome = ports.Outcome(status="unknown", reason="the processor did not answer in time")
        except Exception as error:  # noqa: BLE001  anything may have happened
            # The text of the error may hold what was sent.
            _log.error("processor_call_failed", attempt=order.reference, error=type(error).__name__)
            outcome = ports.Outcome(status="unknown", reason="the call failed")
        self._outcomes[outcome.status] += 1
        if outcome.status not in {"approved", "declined"}:
            _log.warning(
                "processor_call_ended",
                attempt=order.reference,
                processor=chosen.name,
                status=outcome.status,
                reason=outcome.reason,
            )
        return outcome

    async def _record(
        self, waiting: _Waiting, command: outcomes.RecordOutcome | AwaitAction, *, is_last: bool
    ) -> int | None:
        """Write an outcome, and return when its command was made, in milliseconds since 1970.

        None if the payment does not go on: this outcome is the last one, or a webhook or an inquiry has ended
        the attempt, so that there is no next one. A failure that may pass is tried again, since nobody else
        knows the outcome.
        """
        is_early = self._clock.monotonic_ns() < waiting.until_ns
        if is_waited_for := is_last and is_early and not waiting.is_over:
            waiting.is_final = True
        for attempt in range(1, limits.record_attempts_max + 1):
            amends = b""
            if is_waited_for and attempt == 1:
                amends = waiting.submission.digest or submission_digest(waiting.submission)
            waiting.is_uncertain = waiting.is_uncertain or bool(amends)
            try:
                submission = self._submission(waiting.submission, command, amends)
                outcome = await self._writer.submit(submission)
            except _MAY_PASS as error:
                # The key's answer may have changed or not: the client has to ask again.
                waiting.tell(error)
                if attempt == limits.record_attempts_max:
                    raise
                pause_ms = min(limits.record_retry_ms << attempt, limits.record_retry_ms_max)
                await asyncio.sleep(pause_ms / 1000)
                continue
            if outcome.answer.object_id is None:
                # Somebody else has recorded it, or it contradicts what is known: the key's answer stays.
                waiting.is_uncertain = False
                return None
            if is_waited_for:
                waiting.tell(outcome)
            return submission.moment_ms if not is_last and _is_processing(outcome) else None
        raise AssertionError("the last attempt returns or raises")

    def _submission(
        self, first: Submission, command: outcomes.RecordOutcome | AwaitAction, amends: bytes
    ) -> Submission:
        stamp = self._identifiers.stamp()
        return Submission(
            scope=first.scope,
            command=command,
            request_id=first.request_id,
            moment_ms=stamp.moment_ms,
            head=stamp.head,
            tail=stamp.tail,
            expand=first.expand,
            amends=amends,
        )


# A union would be made anew for each call.
_INTENTS = (PaymentIntent, SetupIntent)
_COUNTED = ("approved", "declined", "requires_action", "pending", "refused", "not_sent", "unknown")


def _is_processing(outcome: Outcome) -> bool:
    shown = outcome.objects.get(outcome.answer.object_id or "")
    return (
        shown is not None and isinstance(shown.object, PaymentIntent) and shown.object.status == "processing"
    )


def _begun_by(outcome: Outcome) -> FollowUp:
    """Return how to go on with an attempt whose processor the command has chosen itself."""
    written = (one.object for one in outcome.objects.values())
    reference = next(one.id for one in written if isinstance(one, Attempt))
    terms = AttemptTerms(
        reference=reference, wait_ms=limits.rehearsal_wait_ms, inquiry_s=limits.rehearsal_inquiry_s
    )
    return FollowUp(terms, NO_LINKS)
