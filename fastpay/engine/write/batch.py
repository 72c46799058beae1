"""Batches: commands that go to the database together, before and after they are decided."""

from collections.abc import Callable, Sequence, Set

from fastpay import limits
from fastpay._native.identifiers import IdentifierSequence
from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Answer, Book, Draft, ErrorRecord, Versioned, Workspace, record
from fastpay.engine.background import Background
from fastpay.engine.ports import Changes, Commit, IdempotencyRow, Outcome
from fastpay.engine.write.idempotency import final_digest, final_key, signature_binding, signature_key
from fastpay.engine.write.measures import MEASURES
from fastpay.engine.write.ports import Encoded
from fastpay.engine.write.queued import QueuedSubmission
from fastpay.engine.write.working_set import WorkingSet
from fastpay.errors import FastpayError, IdempotencyMismatch, KeyInUse
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.writer")

Result = Outcome | Exception


class Batch:
    """Commands in the order in which they were taken from the queue. See both subclasses."""

    def __init__(self) -> None:
        self.entries: list[QueuedSubmission] = []
        self.weight = 0
        # The tenants of the first so many entries, for `concerns`.
        self._concerned: set[Scope] = set()
        self._concerned_entries = 0

    def __len__(self) -> int:
        """Return how many commands it holds."""
        return len(self.entries)

    def scopes(self) -> list[Scope]:
        """Return its tenants, in the order in which their books are locked."""
        return sorted({entry.submission.scope for entry in self.entries})

    def begin(self, busy: Set[Scope]) -> list[QueuedSubmission]:
        """Return the commands to decide now that the books are locked, except those that are busy."""
        return [entry for entry in self.entries if entry.submission.scope not in busy]

    def concerns(self, scope: Scope) -> bool:
        """Tell whether it holds a command of this tenant."""
        unseen = self.entries[self._concerned_entries :]
        self._concerned.update(entry.submission.scope for entry in unseen)
        self._concerned_entries = len(self.entries)
        return scope in self._concerned

    def answer(self, results: Sequence[Result]) -> None:
        """Give each request that still waits its result. Results are in the order of the entries."""
        for entry, result in zip(self.entries, results, strict=True):
            if entry.future.done():
                continue
            # What most are is asked first: to tell that something is no instance takes ten times as long.
            if isinstance(result, Outcome):
                entry.future.set_result(result)
            else:
                entry.future.set_exception(result)


class UndecidedBatch(Batch):
    """Commands that are decided under the lock, when the batch is at the database."""

    def add(self, entry: QueuedSubmission) -> None:
        """Add a command."""
        self.entries.append(entry)
        self.weight += entry.weight


class ParkedBatch(UndecidedBatch):
    """Commands of parked tenants, which stay in the queue until the books of their tenants are locked.

    `take` removes them from the queue. The transaction takes the books that are free. Before, it waits for
    that of `awaited`, if there is one, and then asks `others` for more tenants.
    """

    def __init__(
        self,
        scopes: Sequence[Scope],
        take: Callable[["ParkedBatch", Sequence[Scope]], list[QueuedSubmission]],
        *,
        awaited: Scope | None = None,
        others: Callable[[], Sequence[Scope]] = tuple,
    ) -> None:
        super().__init__()
        self.awaited = awaited
        self._scopes = set(scopes)
        self._take = take
        self._others = others

    def scopes(self) -> list[Scope]:
        """Return its tenants, in the order in which their books are locked."""
        return sorted(self._scopes)

    def widen(self) -> list[Scope]:
        """Return the tenants whose books may be taken, once that of `awaited` is locked."""
        self._scopes.update(self._others())
        return sorted(self._scopes - {self.awaited})

    def begin(self, busy: Set[Scope]) -> list[QueuedSubmission]:
        """Take the commands of the tenants whose books are locked, unless an earlier attempt has done so."""
        if not self.entries:
            for entry in self._take(self, sorted(self._scopes - busy)):
                self.add(entry)
        return super().begin(busy)


class DecidedBatch(Batch):
    """Commands with the result of each, and what is to be written for them.

    `results` are in the order of the entries, and given to nobody before the batch is committed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.results: list[Result] = []
        self.changes = Changes()
        # All of the changes as the store sends them, and the bound on rows that `WriterStore.encode` got.
        self.encoded: tuple[int | None, Encoded] | None = None
        self._is_encodable = True
        # Whether some keys were taken for new without asking the database.
        self.trusts_keys = False
        # Commands that failed by a fault of ours, and what they raised.
        self._faults: list[tuple[str, Exception]] = []
        # Each tenant's book before its first command that is not a replay. Invariant: results and effects
        # follow from these books and from what was read of their tenants, and from nothing else.
        self._found: dict[Scope, Book] = {}

    @property
    def found(self) -> list[Book]:
        """The books that it was decided on, in the order in which they are locked."""
        return [self._found[scope] for scope in sorted(self._found)]

    @property
    def is_heavy(self) -> bool:
        """Whether one of its commands is heavy."""
        return any(entry.weight > limits.plain_weight_max for entry in self.entries)

    @property
    def can_encode_ahead(self) -> bool:
        """Whether its changes take long to encode, and nobody has tried."""
        is_long = self.weight > limits.plain_batch_weight_max
        return is_long and self.encoded is None and self._is_encodable and bool(self.changes)

    def refuse_encoding(self) -> None:
        """Note that its changes cannot be encoded, which is answered when it is at the database."""
        self._is_encodable = False

    @property
    def is_sound(self) -> bool:
        """Whether the database would refuse it if a key that was taken for new was not.

        A command that failed by our own fault leaves no row that could be refused.
        """
        return not (self.trusts_keys and self._faults)

    def commits(self) -> list[Commit]:
        """Return what its commit changes for each tenant."""
        return self.changes.commits(self._found)

    def report_faults(self) -> None:
        """Log the commands that failed by our own fault, once the books have been compared.

        On a working set that is outdated a command without a fault may fail.
        """
        for command, fault in self._faults:
            try:
                raise fault
            except Exception:  # noqa: BLE001  raised for its traceback only
                _log.exception("command_failed", command=command)

    def decide(self, working_set: WorkingSet, entry: QueuedSubmission) -> None:
        """Run one command on the working set: a replay, a refusal, or a draft that is merged into it."""
        workspace = working_set.workspaces.get(entry.submission.scope)
        begun = self._begin(working_set, workspace, entry)
        if isinstance(begun, Draft):
            assert workspace is not None
            try:
                decided: str | Exception = entry.submission.command.execute(workspace, begun)
            except Exception as error:  # noqa: BLE001  a fault in one command must not fail the whole batch
                decided = error
            begun = self._end(working_set, workspace, entry, begun, decided)
        # As `_add`, without a call for each payment.
        self.entries.append(entry)
        self.weight += entry.weight
        self.results.append(begun)
        self.encoded = None

    async def decide_in_steps(
        self, working_set: WorkingSet, entry: QueuedSubmission, background: Background
    ) -> None:
        """Do the same in the background, for a command that has steps.

        Nothing else may be decided on the working set meanwhile.
        """
        steps = getattr(entry.submission.command, "steps", None)
        if steps is None:
            self.decide(working_set, entry)
            return
        workspace = working_set.workspaces.get(entry.submission.scope)
        begun = self._begin(working_set, workspace, entry)
        if isinstance(begun, Draft):
            assert workspace is not None
            try:
                decided: str | Exception = await background.run(workspace.scope, steps(workspace, begun))
            except Exception as error:  # noqa: BLE001  a fault in one command must not fail the whole batch
                decided = error
            begun = self._end(working_set, workspace, entry, begun, decided)
        self._add(entry, begun)

    def _add(self, entry: QueuedSubmission, result: Result) -> None:
        self.entries.append(entry)
        self.weight += entry.weight
        self.results.append(result)
        self.encoded = None

    def _begin(
        self, working_set: WorkingSet, workspace: Workspace | None, entry: QueuedSubmission
    ) -> Result | Draft:
        """Return what a command writes to, or its result if there is nothing to decide."""
        submission = entry.submission
        if workspace is None:
            return FastpayError("The tenant of this key has no book.")
        bound = working_set.idempotency.get(entry.signature) if entry.signature else None
        if bound is not None and not (entry.digest and bound.fingerprint == entry.digest):
            return Outcome(answer=Answer(None, workspace.sequence), objects={}, is_signature_spent=True)
        if entry.digest:
            first = working_set.idempotency.get(entry.digest)
            if first is not None:
                if entry.signature and bound is None:
                    # Otherwise a captured retry could be sent again under another key.
                    self._stand_on(workspace)
                    self._bind(working_set, entry, first.answer)
                MEASURES.replays += 1
                final = first
                if first.answer.provisional_until_ms is not None:
                    final = working_set.idempotency.get(final_digest(entry.digest), first)
                return _replay(first, final, entry, workspace)
        if workspace.scope not in self._found:
            self._stand_on(workspace)
        # By position: of keywords CPython would make a dictionary first, which takes 1,400 instructions.
        moment_s, identifiers = (
            submission.moment_ms // 1000,
            IdentifierSequence(submission.head, submission.tail),
        )
        return Draft(workspace, moment_s, identifiers)

    def _end(
        self,
        working_set: WorkingSet,
        workspace: Workspace,
        entry: QueuedSubmission,
        draft: Draft,
        decided: str | Exception,
    ) -> Result:
        """Merge what a command decided, or the error that it raised, and return its result."""
        submission = entry.submission
        try:
            if not isinstance(decided, str):
                raise decided
            answer = draft.finish(decided, submission.expand).answer
        except FastpayError as error:
            # The draft is not merged: a refused command has no effect but its answer.
            answer = Answer(None, workspace.sequence, submission.expand, record(error))
        except Exception as error:  # noqa: BLE001  a fault in one command must not fail the whole batch
            self._faults.append((type(submission.command).__name__, error))
            return error
        else:
            workspace.merge(draft)
            self.changes.add(submission, draft)
            if submission.amends and draft.events:
                amended = submission.amends
                self._keep(working_set, entry, final_digest(amended), final_key(amended), amended, answer)
        if entry.digest:
            key, fingerprint = submission.idempotency_key, submission.fingerprint
            self._keep(working_set, entry, entry.digest, key, fingerprint, answer)
        if entry.signature:
            self._bind(working_set, entry, answer)
        if answer.error is None:
            # The object, as it is now.
            assert answer.object_id is not None
            versioned = workspace.objects.get(answer.object_id)
            shown = {} if versioned is None else {answer.object_id: versioned}
        else:
            shown = _shown(workspace, answer.error)
        if draft.begun is not None and answer.provisional_until_ms is not None:
            begun = workspace.objects[draft.begun]
            assert begun is not None
            shown[draft.begun] = begun
        return Outcome(answer=answer, objects=shown)

    def _stand_on(self, workspace: Workspace) -> None:
        """Note the book that all results for its tenant follow from."""
        if workspace.scope not in self._found:
            self._found[workspace.scope] = workspace.current_book()

    def _keep(
        self,
        working_set: WorkingSet,
        entry: QueuedSubmission,
        digest: bytes,
        key: str | None,
        fingerprint: bytes,
        answer: Answer,
    ) -> None:
        """Keep an answer under a key, for the rest of this batch and for all later ones."""
        assert key is not None
        submission = entry.submission
        row = IdempotencyRow(
            digest, submission.scope, key, fingerprint, answer, submission.request_id, submission.moment_ms
        )
        working_set.idempotency[digest] = row
        self.changes.idempotency.append(row)

    def _bind(self, working_set: WorkingSet, entry: QueuedSubmission, answer: Answer) -> None:
        """Bind a signature to the idempotency key that it came with, or to none."""
        key = signature_key(entry.submission)
        binding = signature_binding(entry.submission, entry.digest)
        self._keep(working_set, entry, entry.signature, key, binding, answer)


def _replay(
    first: IdempotencyRow, final: IdempotencyRow, entry: QueuedSubmission, workspace: Workspace
) -> Result:
    """Return the answer to a key. `final` has the final answer; it is `first` while there is no other."""
    if first.fingerprint == entry.submission.fingerprint:
        until_ms = final.answer.provisional_until_ms
        if until_ms is not None and entry.submission.moment_ms < until_ms + limits.final_answer_margin_ms:
            return KeyInUse(
                "The first request with this idempotency key still waits for the processor. Send it again in "
                "a little while."
            )
        return Outcome(answer=final.answer, objects={}, original_request_id=first.request_id)
    error = IdempotencyMismatch(
        "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        "This one was used before with another method, path or other parameters; use a new one."
    )
    return Outcome(answer=Answer(None, workspace.sequence, (), record(error)), objects={})


def _shown(workspace: Workspace, error: ErrorRecord) -> dict[str, Versioned]:
    """Return the objects at hand that an error shows, as they are now."""
    named = (error.charge, error.payment_intent, error.payment_method)
    shown = (workspace.objects.get(identifier) for identifier in named if identifier is not None)
    return {versioned.object.id: versioned for versioned in shown if versioned is not None}
