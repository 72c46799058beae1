"""A batch: commands decided one after another, and the net effect of all of them."""

from collections.abc import Sequence

import msgspec

from fastpay.domain.identifiers import IdentifierSequence, Scope
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.ledger_rows import LedgerRows
from fastpay.domain.plan import Answer, Book, Draft, Event, Plan, Versioned, Workspace, record
from fastpay.engine.background import Background
from fastpay.engine.ports import Changes, Commit, IdempotencyRow, Outcome, Submission
from fastpay.engine.write.idempotency import signature_binding, signature_key
from fastpay.engine.write.queued import QueuedSubmission
from fastpay.engine.write.working_set import WorkingSet
from fastpay.errors import FastpayError, IdempotencyMismatch
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.writer")

Result = Outcome | Exception


class Batch:
    """QueuedSubmission commands, the result of each once it is decided, and what is to be written for them.

    `is_decided` is False for a batch that is decided under the lock, when its turn has come. `rows` are the
    transfers of each command that makes many.
    """

    def __init__(self, *, is_decided: bool = True) -> None:
        self.is_decided = is_decided
        # Whether some keys were taken for new without a look at the database.
        self.trusts_keys = False
        self.entries: list[QueuedSubmission] = []
        self.weight = 0
        self.results: list[Result] = []
        # Commands that failed in a way that is nobody's but ours, with what they raised.
        self._faults: list[tuple[str, Exception]] = []
        # Each tenant's book as it was before the first command that is not a replay.
        self._found: dict[Scope, Book] = {}
        self._sequences: dict[Scope, int] = {}
        self._accounts: dict[Scope, dict[str, Account]] = {}
        self._versions: list[tuple[Scope, Versioned]] = []
        self._transfers: list[tuple[Scope, Transfer, int, int]] = []
        self._events: list[tuple[Scope, Event, str, int]] = []
        self.rows: list[tuple[Scope, LedgerRows]] = []
        self._idempotency: list[IdempotencyRow] = []
        # The tenants of the first so many entries, for `concerns`.
        self._concerned: set[Scope] = set()
        self._concerned_entries = 0

    def __len__(self) -> int:
        """Return how many commands it holds."""
        return len(self.entries)

    @property
    def scopes(self) -> list[Scope]:
        """The tenants that it concerns, in the order in which their books are locked."""
        return sorted({waiting.submission.scope for waiting in self.entries})

    def concerns(self, scope: Scope) -> bool:
        """Tell whether there is a command of this tenant in it."""
        unseen = self.entries[self._concerned_entries :]
        self._concerned.update(entry.submission.scope for entry in unseen)
        self._concerned_entries = len(self.entries)
        return scope in self._concerned

    @property
    def asks(self) -> list[Scope]:
        """The tenants, in order, whose state its answers follow from; none when all are replays."""
        return sorted(self._found)

    def stands_on(self, books: Sequence[Book]) -> bool:
        """Tell whether these books are those that it was decided on: then so is everything else.

        Whatever changes anything of a tenant moves its sequence on.
        """
        found = {book.scope: book for book in books}
        return all(found.get(scope) == book for scope, book in self._found.items())

    @property
    def found(self) -> list[Book]:
        """The books that it was decided on, in the order in which they are locked."""
        return [self._found[scope] for scope in self.asks]

    @property
    def is_sound(self) -> bool:
        """Whether every command came to something that the database will hold against its key.

        One that failed by our own fault leaves no row that could refuse its key if it was not new.
        """
        return not (self.trusts_keys and self._faults)

    @property
    def changes_something(self) -> bool:
        """Whether there is anything to write for it."""
        return bool(self._sequences or self._idempotency)

    def add(self, waiting: QueuedSubmission) -> None:
        """Take in a command that is decided later."""
        assert not self.is_decided
        self.entries.append(waiting)
        self.weight += waiting.weight

    def keep(self, entries: list[QueuedSubmission]) -> None:
        """Let go of all commands but these, before any is decided."""
        assert not self.results
        self.entries = entries

    def report_faults(self) -> None:
        """Log what failed by our own fault, once it is certain that it was decided on what was so.

        On a working set that another instance has outdated, a command may fail that has no fault.
        """
        for command, fault in self._faults:
            try:
                raise fault
            except Exception:  # noqa: BLE001  raised for its traceback only
                _log.exception("command_failed", command=command)

    def decide(self, working_set: WorkingSet, waiting: QueuedSubmission) -> None:
        """Run one command on the working set: a replay, a refusal, or a plan that is taken over."""
        begun = self._begin(working_set, waiting)
        if isinstance(begun, Draft):
            workspace = working_set.workspaces[waiting.submission.scope]
            try:
                decided: str | Exception = waiting.submission.command.execute(workspace, begun)
            except Exception as error:  # noqa: BLE001  a fault in one command must not take the batch with it
                decided = error
            begun = self._end(working_set, waiting, begun, decided)
        self._add_decided(waiting, begun)

    async def decide_in_steps(
        self, working_set: WorkingSet, waiting: QueuedSubmission, background: Background
    ) -> None:
        """Do the same in the background, for a command that has steps.

        Nothing else may be decided on the working set meanwhile.
        """
        steps = getattr(waiting.submission.command, "steps", None)
        if steps is None:
            self.decide(working_set, waiting)
            return
        begun = self._begin(working_set, waiting)
        if isinstance(begun, Draft):
            workspace = working_set.workspaces[waiting.submission.scope]
            try:
                decided: str | Exception = await background.run(workspace.scope, steps(workspace, begun))
            except Exception as error:  # noqa: BLE001  a fault in one command must not take the batch with it
                decided = error
            begun = self._end(working_set, waiting, begun, decided)
        self._add_decided(waiting, begun)

    def answer(self, results: Sequence[Result]) -> None:
        """Tell everybody who still waits what came of it."""
        for entry, result in zip(self.entries, results, strict=True):
            if entry.future.done():
                continue
            if isinstance(result, Exception):
                entry.future.set_exception(result)
            else:
                entry.future.set_result(result)

    def changes(self) -> Changes | None:
        """Return the net effect, None when there is none."""
        if not self.changes_something:
            return None
        return Changes(
            books=[
                msgspec.structs.replace(self._found[scope], sequence=sequence)
                for scope, sequence in self._sequences.items()
            ],
            versions=self._versions,
            accounts=[(scope, one) for scope, moved in self._accounts.items() for one in moved.values()],
            transfers=self._transfers,
            events=self._events,
            rows=self.rows,
            idempotency=self._idempotency,
        )

    def commits(self) -> list[Commit]:
        """Return what a commit of it makes of each tenant that it changes."""
        made = {
            scope: Commit(scope, self._found[scope].sequence, sequence, [])
            for scope, sequence in self._sequences.items()
        }
        for scope, versioned in self._versions:
            made[scope].versions.append(versioned)
        return list(made.values())

    def _add_decided(self, waiting: QueuedSubmission, result: Result) -> None:
        self.entries.append(waiting)
        self.weight += waiting.weight
        self.results.append(result)

    def _begin(self, working_set: WorkingSet, waiting: QueuedSubmission) -> Result | Draft:
        """Return what a command writes to, or its result where there is nothing to decide."""
        submission = waiting.submission
        workspace = working_set.workspaces.get(submission.scope)
        if workspace is None:
            return FastpayError("The tenant of this key has no book.")
        bound = working_set.idempotency.get(waiting.signature) if waiting.signature else None
        if bound is not None and not (waiting.digest and bound.fingerprint == waiting.digest):
            return Outcome(answer=Answer(None, workspace.sequence), objects={}, is_signature_spent=True)
        if waiting.digest:
            first = working_set.idempotency.get(waiting.digest)
            if first is not None:
                if waiting.signature and bound is None:
                    # A captured retry must not be good for another key either.
                    self._stand_on(workspace)
                    self._bind(working_set, waiting, first.answer)
                return _replay(first, waiting, workspace)
        self._stand_on(workspace)
        return Draft(
            workspace,
            moment_s=submission.moment_ms // 1000,
            identifiers=IdentifierSequence(submission.head, submission.tail),
        )

    def _end(
        self, working_set: WorkingSet, waiting: QueuedSubmission, draft: Draft, decided: str | Exception
    ) -> Result:
        """Take over what a command decided, or keep the error that it raised."""
        submission = waiting.submission
        workspace = working_set.workspaces[submission.scope]
        command = submission.command
        try:
            if isinstance(decided, Exception):
                raise decided
            plan = draft.finish(decided, submission.expand)
        except FastpayError as error:
            plan = Plan(answer=Answer(None, workspace.sequence, submission.expand, record(error)))
            draft.accounts.clear()
        except Exception as error:  # noqa: BLE001  a fault in one command must not take the batch with it
            self._faults.append((type(command).__name__, error))
            return error
        self._take(waiting, workspace, plan, draft.accounts)
        if waiting.digest:
            key, fingerprint = submission.idempotency_key, submission.fingerprint
            self._keep(
                working_set, submission, waiting.digest, key, fingerprint=fingerprint, answer=plan.answer
            )
        if waiting.signature:
            self._bind(working_set, waiting, plan.answer)
        return Outcome(answer=plan.answer, objects=_shown(workspace, plan.answer))

    def _stand_on(self, workspace: Workspace) -> None:
        """Take note of the book that all that is written for a tenant follows from."""
        if workspace.scope not in self._found:
            self._found[workspace.scope] = workspace.current_book()

    def _keep(
        self,
        working_set: WorkingSet,
        submission: Submission,
        digest: bytes,
        key: str | None,
        *,
        fingerprint: bytes,
        answer: Answer,
    ) -> None:
        """Keep what came of a submission under a key, for the rest of this batch as for all later ones."""
        assert key is not None
        row = IdempotencyRow(
            digest=digest,
            scope=submission.scope,
            idempotency_key=key,
            fingerprint=fingerprint,
            answer=answer,
            request_id=submission.request_id,
            moment_ms=submission.moment_ms,
        )
        working_set.idempotency[digest] = row
        self._idempotency.append(row)

    def _bind(self, working_set: WorkingSet, waiting: QueuedSubmission, answer: Answer) -> None:
        """Bind a signature to the idempotency key that it came with, or to none."""
        submission = waiting.submission
        binding = signature_binding(submission, waiting.digest)
        key = signature_key(submission)
        self._keep(working_set, submission, waiting.signature, key, fingerprint=binding, answer=answer)

    def _take(
        self, waiting: QueuedSubmission, workspace: Workspace, plan: Plan, accounts: dict[str, Account]
    ) -> None:
        """Take over what a command decided."""
        submission, scope = waiting.submission, workspace.scope
        workspace.merge(plan, accounts)
        if plan.events:
            self._sequences[scope] = workspace.sequence
        if accounts:
            self._accounts.setdefault(scope, {}).update(accounts)
        sequence, moment_ms = plan.answer.sequence, submission.moment_ms
        self._versions.extend([(scope, versioned) for versioned in plan.versions])
        self._transfers.extend([(scope, transfer, sequence, moment_ms) for transfer in plan.transfers])
        if plan.rows is not None:
            self.rows.append((scope, plan.rows))
        self._events.extend([(scope, event, submission.request_id, moment_ms) for event in plan.events])


def _replay(first: IdempotencyRow, waiting: QueuedSubmission, workspace: Workspace) -> Outcome:
    if first.fingerprint == waiting.submission.fingerprint:
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
