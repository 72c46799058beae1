"""A submission that waits for the writer, and the request that waits for its outcome."""

import asyncio
from collections.abc import Iterable, Sequence

import msgspec

from fastpay import limits
from fastpay.engine.failures import UnknownOutcome
from fastpay.engine.ports import Reply, Submission
from fastpay.engine.write.idempotency import key_digest, signature_digest
from fastpay.errors import DatabaseUnavailable, DeadlineExceeded, FastpayError, OutcomeUnknown

_EXPIRED = "The time that the request allowed was over. Nothing was changed."
_LATE = "The database did not get to this in time. Nothing was changed. Try again."
_UNKNOWN = (
    "The database went away while it was answering. Look whether this took effect before you send it again, "
    "and give an idempotency key with every request that must not happen twice."
)
_UNKNOWN_BY_KEY = (
    "The database went away while it was answering. Send the request again with the same idempotency key to "
    "learn what became of it."
)


class QueuedSubmission(msgspec.Struct, frozen=True, eq=False):
    """A submission, and the future that its request waits on, or what stands for one (see `Reply`).

    `digest` is the digest of the idempotency key, empty without one. `signature` is the digest under which a
    signature is bound that does not cover the key. `weight` is how many plain commands the command counts
    for. A command that is not at the database by `begin_by_ns`, on the monotonic clock, is not begun.
    """

    submission: Submission
    digest: bytes
    weight: int
    future: Reply
    begin_by_ns: int
    signature: bytes = b""

    @property
    def digests(self) -> tuple[bytes, ...]:
        """The digests of the rows that it may find or write. An empty one stands for no row."""
        return (self.digest, self.signature) if self.signature else (self.digest,)

    def waited_ns(self, now_ns: int) -> int:
        """Return how long it has waited, 0 if its client set a limit."""
        if self.submission.deadline_ns is not None:
            return 0
        return now_ns - self.begin_by_ns + limits.begin_timeout_ms * 1_000_000

    def fail(self, error: Exception) -> None:
        """Answer with an error. Does nothing if the request was answered or cancelled."""
        if not self.future.done():
            self.future.set_exception(error)

    def expire(self) -> None:
        """Answer that the time was over before the command was begun."""
        is_own = self.begin_by_ns == self.submission.deadline_ns
        self.fail(DeadlineExceeded(_EXPIRED) if is_own else DatabaseUnavailable(_LATE))

    def unknown(self, failure: UnknownOutcome) -> FastpayError:
        """Return the error for a command that may have been committed or not."""
        error: FastpayError
        if self.submission.idempotency_key is None:
            error = OutcomeUnknown(_UNKNOWN)
        else:
            error = DatabaseUnavailable(_UNKNOWN_BY_KEY)
        error.__cause__ = failure
        return error


def make_entry(submission: Submission, now_ns: int, reply: Reply | None = None) -> QueuedSubmission:
    """Return the submission with its reply, or a future of its own, which needs a running loop."""
    weight = getattr(submission.command, "weight", 1)
    # A command of weight 0 would never use up its tenant's share.
    weight = weight if weight > 1 else 1
    begin_by_ns = now_ns + limits.begin_timeout_ms * 1_000_000
    if submission.deadline_ns is not None:
        begin_by_ns = min(begin_by_ns, submission.deadline_ns)
    signature = b"" if submission.signed is None else signature_digest(submission)
    digest, key = submission.digest, submission.idempotency_key
    if not digest and key is not None:
        digest = key_digest(submission.scope, key, is_publishable=submission.is_publishable)
    reply = asyncio.get_running_loop().create_future() if reply is None else reply
    return QueuedSubmission(submission, digest, weight, reply, begin_by_ns, signature)


def drop_expired(entries: Iterable[QueuedSubmission], now_ns: int) -> list[QueuedSubmission]:
    """Return the entries that may still be begun, and answer the others that their time is over."""
    live = []
    for entry in entries:
        if entry.begin_by_ns > now_ns:
            live.append(entry)
        else:
            entry.expire()
    return live


def note_times(entries: Sequence[QueuedSubmission], begun_ns: int, ended_ns: int) -> None:
    """Note when the commit began and ended, for requests that asked for their timing."""
    for entry in entries:
        timing = entry.submission.timing
        if timing is not None:
            timing.end("queue", begun_ns)
            timing.end("commit", ended_ns)
