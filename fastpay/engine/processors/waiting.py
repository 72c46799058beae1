"""A request that waits for the outcome of a call to a processor."""

import asyncio

from fastpay.engine.ports import Outcome, Submission
from fastpay.errors import DatabaseUnavailable

_UNCERTAIN = (
    "It is not known whether the payment's outcome was written. Send the request again with the same "
    "idempotency key to learn what became of it."
)


class Waiting:
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

    def recorded(self, outcome: Outcome) -> None:
        """Give the request what became of command 2, if that was sent while it waited."""
        if outcome.answer.object_id is None:
            # Somebody else has recorded it, or it contradicts what is known: the key's answer stays.
            self.is_uncertain = False
        elif self.is_final:
            self.tell(outcome)

    def end(self) -> None:
        """Answer a request that got no answer: nothing is known, or this process stops."""
        if not self.answer.done():
            self.tell(DatabaseUnavailable(_UNCERTAIN) if self.is_uncertain else self.outcome)

    def expire(self) -> None:
        """End the wait with the answer of command 1, unless the one of command 2 has begun to come."""
        if not self.is_final and not self.answer.done():
            self.is_over = True
            self.answer.set_result(self.outcome)
