"""Command 2 of a live payment: the outcome of its call, and the answer that the request gets with it."""

import asyncio

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.actions import AwaitAction
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.outcomes import RecordOutcome
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ports import Outcome, Reply, Submission
from fastpay.engine.processors.waiting import Waiting
from fastpay.engine.write.idempotency import submission_digest
from fastpay.engine.write.ports import QueueingWriter
from fastpay.errors import ClockSkewed, DatabaseUnavailable, OutcomeUnknown, Overloaded, WriterStopped

# The command was not carried out, or may have been: to send it again changes nothing.
_MAY_PASS = (ClockSkewed, DatabaseUnavailable, OutcomeUnknown, Overloaded, WriterStopped)


class Recorder:
    """Writes outcomes of calls, and tells the requests that wait for them."""

    def __init__(self, writer: QueueingWriter, *, clock: Clock, identifiers: IdentifierFactory) -> None:
        self._writer = writer
        self._clock = clock
        self._identifiers = identifiers

    async def record(
        self,
        waiting: Waiting,
        command: RecordOutcome | AwaitAction,
        *,
        is_last: bool,
        failure: Exception | None = None,
    ) -> int | None:
        """Write an outcome, and return when its command was made, in milliseconds since 1970.

        None if the payment does not go on: this outcome is the last one, or a webhook or an inquiry has ended
        the attempt, so that there is no next one. A failure that may pass is tried again, since nobody else
        knows the outcome. `failure` is what came of `put`, which was the first try.
        """
        amends = b"" if failure is not None else self._amended(waiting, is_last=is_last)
        for attempt in range(1, limits.record_attempts_max + 1):
            try:
                if failure is not None:
                    raise failure
                submission = self._submission(waiting.submission, command, amends)
                outcome = await self._writer.submit(submission)
            except _MAY_PASS as error:
                # The key's answer may have changed or not: the client has to ask again.
                if isinstance(error, OutcomeUnknown):
                    # That speaks of a request without a key.
                    waiting.end()
                else:
                    waiting.tell(error)
                if attempt == limits.record_attempts_max:
                    raise
                failure, amends = None, b""
                pause_ms = min(limits.record_retry_ms << attempt, limits.record_retry_ms_max)
                await asyncio.sleep(pause_ms / 1000)
                continue
            waiting.recorded(outcome)
            return submission.moment_ms if not is_last and _is_processing(outcome) else None
        raise AssertionError("the last attempt returns or raises")

    def put(self, waiting: Waiting, command: RecordOutcome, reply: Reply) -> None:
        """Queue an outcome, the last one of its payment, without a wait.

        The reply gets what became of it. What this raises may be the `failure` that `record` goes on after.
        """
        amends = self._amended(waiting, is_last=True)
        self._writer.put(self._submission(waiting.submission, command, amends), reply)

    def _amended(self, waiting: Waiting, *, is_last: bool) -> bytes:
        """Return the digest of the key whose final answer the command has, empty if it has none.

        From now on a request that still waits does so until it is written.
        """
        is_early = self._clock.monotonic_ns() < waiting.until_ns
        if not (is_last and is_early and not waiting.is_over):
            return b""
        waiting.is_final = True
        amends = waiting.submission.digest or submission_digest(waiting.submission)
        waiting.is_uncertain = waiting.is_uncertain or bool(amends)
        return amends

    def _submission(
        self, first: Submission, command: RecordOutcome | AwaitAction, amends: bytes
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


def _is_processing(outcome: Outcome) -> bool:
    shown = outcome.objects.get(outcome.answer.object_id or "")
    return (
        shown is not None and isinstance(shown.object, PaymentIntent) and shown.object.status == "processing"
    )
