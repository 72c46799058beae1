"""What the writer knows of its tenants: loaded once, and carried from batch to batch.

It is ahead of the database by the batches that are decided and not committed yet. It is outdated if another
instance writes to the same tenant. The comparison of the books under the lock detects that, and voids it.
"""

from collections.abc import Iterable, Sequence

from fastpay import limits
from fastpay.domain.identifiers import Scope, is_well_formed, prefix_of
from fastpay.domain.ledger_rows import LedgerRows
from fastpay.domain.plan import Book, Workspace
from fastpay.engine.ports import IdempotencyRow
from fastpay.engine.write.idempotency import final_digest
from fastpay.engine.write.ports import Loader
from fastpay.engine.write.queued import QueuedSubmission

_Wanted = set[tuple[Scope, str]]


class WorkingSet:
    """The workspaces of tenants, and the first answers to idempotency keys."""

    def __init__(self) -> None:
        self.workspaces: dict[Scope, Workspace] = {}
        self.idempotency: dict[bytes, IdempotencyRow] = {}
        # How much more weight may come before entries have to be counted, which takes a step for each tenant.
        self._uncounted = 0

    def is_full(self, weight: int = 0) -> bool:
        """Tell whether it may hold too much (see `shrink`) before commands of this weight.

        It holds `working_set_entries_max`, and what the commands since the last count have added.
        """
        self._uncounted -= weight
        if self._uncounted > 0:
            return False
        room = limits.working_set_entries_max - self._held()
        self._uncounted = room // limits.working_set_entries_a_weight - weight
        return room < 0

    def shrink(self) -> None:
        """Forget what can be loaded again. Right only while everything decided is committed.

        Accounts stay if they take at most half of the room, because they are used again and again, and most
        objects are not. Otherwise only the accounts of tenants with few of them stay.
        """
        self.idempotency.clear()
        for workspace in self.workspaces.values():
            workspace.objects.clear()
            workspace.asked.intersection_update(workspace.accounts)
        self._uncounted = 0
        if self._held() <= limits.working_set_entries_max // 2:
            return
        for workspace in self.workspaces.values():
            if len(workspace.accounts) > limits.accounts_carried_max:
                workspace.accounts.clear()
                workspace.asked.clear()
        if self._held() > limits.working_set_entries_max:
            self.workspaces.clear()

    def arrived(self, rows: Iterable[tuple[Scope, LedgerRows]]) -> None:
        """Forget transfers that are committed: from now on they can be loaded."""
        for scope, one in rows:
            workspace = self.workspaces.get(scope)
            if workspace is not None:
                workspace.rows.pop(one.sequence, None)

    def open(self, books: Sequence[Book]) -> None:
        """Add these books, each with an empty workspace."""
        for book in books:
            self.workspaces[book.scope] = Workspace(book)

    def forget_old_answers(self, entries: Sequence[QueuedSubmission]) -> None:
        """Forget first answers to the keys of these entries that the database may no longer have."""
        held = self.idempotency
        for entry in entries:
            if entry.digest in held or entry.signature in held:
                self._forget_if_old(entry)

    def lacks(self, entries: Sequence[QueuedSubmission], *, with_keys: bool) -> bool:
        """Tell whether anything must be loaded for these entries."""
        workspaces, seen = self.workspaces, None
        for entry in entries:
            scope = entry.submission.scope
            # Most are of the same tenant as the one before: to look up a tenant takes three times as long.
            if scope is not seen and scope not in workspaces:
                return True
            seen = scope
        return bool(with_keys and self._unknown_keys(entries)) or bool(self._missing(entries))

    async def load(
        self, loader: Loader, entries: Sequence[QueuedSubmission], *, with_keys: bool = True
    ) -> None:
        """Load what these entries need and that is not held yet. Follow references for some rounds.

        What is held is never replaced, because it may be newer than what is committed.
        """
        unknown = {entry.submission.scope for entry in entries} - self.workspaces.keys()
        if unknown:
            # Books first: a later change increases the sequence, which the comparison under the lock detects.
            self.open(await loader.load_books(sorted(unknown)))
        digests = self._unknown_keys(entries)
        if with_keys and digests:
            rows = await loader.load_idempotency([(scope, digest) for digest, scope in digests.items()])
            finals = [
                (row.scope, final_digest(row.digest))
                for row in rows
                if row.answer.provisional_until_ms is not None
            ]
            if finals:
                # After the first answers: one of which the final answer is not there yet stays provisional.
                rows = [*rows, *await loader.load_idempotency(finals)]
            for row in rows:
                self.idempotency.setdefault(row.digest, row)
        # A missing object is not remembered as missing: it may exist next time.
        tried: _Wanted = set()
        for _ in range(limits.prefetch_rounds_max):
            wanted = self._missing(entries) - tried
            if not wanted:
                return
            tried |= wanted
            await self._load(loader, sorted(wanted))
        assert not self._missing(entries) - tried, "a command needs more rounds than are allowed"

    def _held(self) -> int:
        held = len(self.idempotency) + len(self.workspaces)
        for workspace in self.workspaces.values():
            held += len(workspace.asked) + len(workspace.accounts) + len(workspace.objects)
        return held

    def _forget_if_old(self, entry: QueuedSubmission) -> None:
        for digest in entry.digests:
            first = self.idempotency.get(digest)
            if first is None:
                continue
            age_ms = entry.submission.moment_ms - first.moment_ms
            # Another instance may have written the final answer by now.
            is_provisional = first.answer.provisional_until_ms is not None
            if is_provisional or age_ms > limits.first_answer_carried_ms:
                del self.idempotency[digest]

    def _unknown_keys(self, entries: Sequence[QueuedSubmission]) -> dict[bytes, Scope]:
        return {
            digest: entry.submission.scope
            for entry in entries
            for digest in entry.digests
            if digest and digest not in self.idempotency
        }

    def _missing(self, entries: Sequence[QueuedSubmission]) -> _Wanted:
        missing: _Wanted = set()
        scope: Scope | None = None
        workspace: Workspace | None = None
        before: Iterable[str] | None = None
        for entry in entries:
            submission = entry.submission
            if submission.scope is not scope:
                scope, before = submission.scope, None
                workspace = self.workspaces.get(scope)
            if workspace is None:
                continue
            needed = submission.command.needs(workspace)
            if needed is before:
                # The accounts of a currency are one tuple for all payments that need no more.
                continue
            before = needed
            asked, objects, accounts = workspace.asked, workspace.objects, workspace.accounts
            for identifier in needed:
                if identifier in asked or identifier in objects or identifier in accounts:
                    continue
                if is_well_formed(identifier, prefix_of(identifier)):
                    missing.add((submission.scope, identifier))
        return missing

    async def _load(self, loader: Loader, wanted: Sequence[tuple[Scope, str]]) -> None:
        accounts = [(scope, identifier) for scope, identifier in wanted if prefix_of(identifier) == "lacc"]
        objects = [(scope, identifier) for scope, identifier in wanted if prefix_of(identifier) != "lacc"]
        if objects:
            for scope, versioned in await loader.load_objects(objects):
                self.workspaces[scope].objects.setdefault(versioned.object.id, versioned)
        if accounts:
            for scope, account in await loader.load_accounts(accounts):
                self.workspaces[scope].accounts.setdefault(account.id, account)
        for scope, identifier in accounts:
            # A command may open a missing account in memory, but only if the database was asked for it.
            if identifier not in self.workspaces[scope].accounts:
                self.workspaces[scope].asked.add(identifier)
