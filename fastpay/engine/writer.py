"""The write path: every change of state goes through here, in batches.

Requests become submissions and wait on a future. While one batch is at the database the next one gathers; an
idle system commits a batch of one at once. For each batch, in one transaction:

    prefetch   the books of its tenants are locked, in order, which shuts every other instance out; then
               idempotency rows, objects and accounts are loaded, following references for a few rounds
    execute    the domain runs the commands one after another on that working set: no await, no race
    commit     the net effect is written set by set, and only after COMMIT do the futures resolve

The lock on the book is what makes the sequence gapless in commit order; that it also covers everything else
of the tenant means that no other row is ever locked, and that two instances cannot deadlock.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from fastpay import limits, telemetry
from fastpay.clock import Clock
from fastpay.domain.identifiers import IdentifierSequence
from fastpay.domain.plan import Answer, Draft, Plan, Versioned, Workspace, record
from fastpay.engine.failures import RefusedBatch, TransientFailure, UnknownOutcome
from fastpay.engine.idempotency import submission_digest
from fastpay.engine.ports import BatchTransaction, IdempotencyRow, Outcome, Submission, WriterStore
from fastpay.engine.working_set import WorkingSet
from fastpay.errors import DatabaseUnavailable, FastpayError, IdempotencyMismatch, OutcomeUnknown, Overloaded

_log = telemetry.Log("fastpay.writer")

Waiting = tuple[Submission, "asyncio.Future[Outcome]"]


class Writer:
    """Takes submissions, commits them in batches, and answers each when its batch is on disk."""

    def __init__(
        self, store: WriterStore, *, clock: Clock, batch_commands_max: int = limits.batch_commands_max
    ) -> None:
        self._store = store
        self._batch_commands_max = batch_commands_max
        self._queue: deque[Waiting] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._clock = clock

    def start(self) -> None:
        """Begin to take batches."""
        self._task = asyncio.create_task(self._run(), name="writer")

    async def close(self) -> None:
        """Commit what is waiting, then end."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def submit(self, submission: Submission) -> Outcome:
        """Wait until the command was committed, or refused by the domain, and return what came of it.

        A caller that is cancelled meanwhile takes nothing back. Raises: Overloaded before anything was begun;
        DatabaseUnavailable when nothing is known to have been done.
        """
        if self._closing or len(self._queue) >= limits.queued_commands_max:
            raise Overloaded("Too many requests are waiting. Try again in a moment.")
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._queue.append((submission, future))
        self._wake.set()
        return await future

    async def _run(self) -> None:
        while True:
            if not self._queue:
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            count = min(len(self._queue), self._batch_commands_max)
            batch = [self._queue.popleft() for _ in range(count)]
            try:
                await self._commit(batch)
            except DatabaseUnavailable as error:
                _log.warning("batch_unavailable", commands=count, reason=error.message)
                _fail(batch, error)
            except Exception as error:  # noqa: BLE001  the writer must outlive whatever one batch does to it
                _log.exception("batch_failed", commands=count)
                _fail(batch, error)

    async def _commit(self, batch: Sequence[Waiting]) -> None:
        submissions = [submission for submission, _ in batch]
        results: list[Outcome | Exception] = []
        with telemetry.batch_span(len(batch), links=[submission.trace for submission in submissions]):
            for attempt in range(1, limits.commit_attempts_max + 1):
                try:
                    results = await self._attempt(submissions)
                    break
                except TransientFailure as failure:
                    _log.warning("batch_retried", attempt=attempt, sqlstate=failure.sqlstate)
                    if attempt == limits.commit_attempts_max:
                        raise DatabaseUnavailable(
                            "The database cannot be reached right now. Try again."
                        ) from failure
                    await self._back_off(attempt)
                except UnknownOutcome as failure:
                    _log.warning("batch_outcome_unknown", commands=len(batch))
                    results = [_unknown(submission, failure) for submission in submissions]
                    break
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    async def _attempt(self, submissions: Sequence[Submission]) -> list[Outcome | Exception]:
        results: list[Outcome | Exception] = []

        async def together(transaction: BatchTransaction) -> None:
            results[:] = await execute(transaction, submissions)

        async def one_by_one(transaction: BatchTransaction) -> None:
            results.clear()
            await transaction.lock_books(sorted({submission.scope for submission in submissions}))
            for submission in submissions:
                try:
                    async with transaction.savepoint():
                        results.extend(await execute(transaction, [submission]))
                except RefusedBatch as refusal:
                    _log.exception(
                        "command_refused",
                        sqlstate=refusal.sqlstate,
                        constraint=refusal.constraint or "",
                    )
                    results.append(FastpayError("An internal error occurred. Nothing was changed."))

        try:
            await self._store.run_batch(together)
        except RefusedBatch as refusal:
            _log.warning("batch_isolated", sqlstate=refusal.sqlstate, commands=len(submissions))
            await self._store.run_batch(one_by_one)
        return results

    async def _back_off(self, attempt: int) -> None:
        bound_ms = min(limits.commit_backoff_ms * 2**attempt, limits.commit_backoff_max_ms)
        # Between half of the bound and all of it, so that two instances do not meet again.
        jitter = int.from_bytes(self._clock.random_bytes(2), "big") / 0x1_0000
        await asyncio.sleep(bound_ms * (1 + jitter) / 2000)


async def execute(
    transaction: BatchTransaction, submissions: Sequence[Submission]
) -> list[Outcome | Exception]:
    """Prefetch, decide and write a batch in a transaction. Results are in the order of the submissions."""
    working_set = WorkingSet(transaction)
    await working_set.prefetch(submissions)
    results = [decide(working_set, submission) for submission in submissions]
    await working_set.write()
    return results


def decide(working_set: WorkingSet, submission: Submission) -> Outcome | Exception:
    """Run one command on the working set: a replay, a refusal, or a plan that is taken over."""
    workspace = working_set.workspaces.get(submission.scope)
    if workspace is None:
        return FastpayError("The tenant of this key has no book.")
    digest = b""
    if submission.idempotency_key is not None:
        digest = submission_digest(submission)
        first = working_set.idempotency.get(digest)
        if first is not None:
            return _replay(first, submission, workspace)
    draft = Draft(
        workspace,
        moment_s=submission.moment_ms // 1000,
        identifiers=IdentifierSequence(submission.head, submission.tail),
    )
    command = submission.command
    try:
        object_id = command.execute(workspace, draft)
        plan = draft.finish(object_id, command.expand)
    except FastpayError as error:
        plan = Plan(answer=Answer(None, workspace.sequence, command.expand, record(error)))
        draft.accounts.clear()
    except Exception as error:  # noqa: BLE001  a fault in one command must not take the batch with it
        _log.exception("command_failed", command=type(command).__name__)
        return error
    working_set.take(submission, plan, draft.accounts)
    if submission.idempotency_key is not None:
        working_set.remember(
            IdempotencyRow(
                digest=digest,
                scope=submission.scope,
                idempotency_key=submission.idempotency_key,
                fingerprint=submission.fingerprint,
                answer=plan.answer,
                request_id=submission.request_id,
                moment_ms=submission.moment_ms,
            )
        )
    return Outcome(answer=plan.answer, objects=_shown(workspace, plan.answer))


def _replay(first: IdempotencyRow, submission: Submission, workspace: Workspace) -> Outcome:
    if first.fingerprint == submission.fingerprint:
        return Outcome(answer=first.answer, objects={}, original_request_id=first.request_id)
    error = IdempotencyMismatch(
        "This idempotency key was used before with another method, path or other parameters. A key stands "
        "for one request only; use a new one for this."
    )
    return Outcome(answer=Answer(None, workspace.sequence, (), record(error)), objects={})


def _shown(workspace: Workspace, answer: Answer) -> dict[str, Versioned]:
    named = [answer.object_id]
    if answer.error is not None:
        named = [answer.error.charge, answer.error.payment_intent, answer.error.payment_method]
    shown = (workspace.objects.get(identifier) for identifier in named if identifier is not None)
    return {versioned.object.id: versioned for versioned in shown if versioned is not None}


def _unknown(submission: Submission, failure: UnknownOutcome) -> FastpayError:
    """Return what to say to a request of which nobody knows whether it was committed."""
    error: FastpayError
    if submission.idempotency_key is None:
        error = OutcomeUnknown(
            "The database went away while it was answering. Look whether this took effect before you send it "
            "again, and give an idempotency key with every request that must not happen twice."
        )
    else:
        error = DatabaseUnavailable(
            "The database went away while it was answering. Send the request again with the same idempotency "
            "key to learn what became of it."
        )
    error.__cause__ = failure
    return error


def _fail(batch: Sequence[Waiting], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
