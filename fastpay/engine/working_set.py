"""What a batch has loaded, and what it is going to write."""

from collections.abc import Sequence

import msgspec

from fastpay import limits
from fastpay.domain.identifiers import Scope, is_well_formed
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.ledger_rows import LedgerRows
from fastpay.domain.objects import prefix_of
from fastpay.domain.plan import Event, Plan, Versioned, Workspace
from fastpay.engine.idempotency import submission_digest
from fastpay.engine.ports import BatchTransaction, Changes, IdempotencyRow, Submission


class WorkingSet:
    """The workspaces of a batch's tenants, and the changes made to them in the order they were made."""

    def __init__(self, transaction: BatchTransaction) -> None:
        self._transaction = transaction
        self.workspaces: dict[Scope, Workspace] = {}
        self.idempotency: dict[bytes, IdempotencyRow] = {}
        self._accounts: dict[tuple[Scope, str], Account] = {}
        self._versions: list[tuple[Scope, Versioned]] = []
        self._transfers: list[tuple[Scope, Transfer, int, int]] = []
        self._events: list[tuple[Scope, Event, str, int]] = []
        self._rows: list[tuple[Scope, LedgerRows, int, int]] = []
        self._remembered: list[IdempotencyRow] = []

    async def prefetch(self, submissions: Sequence[Submission]) -> None:
        """Lock and load all that these submissions need, following references some rounds."""
        books = await self._transaction.lock_books(list({submission.scope for submission in submissions}))
        self.workspaces = {book.scope: Workspace(book) for book in books}
        digests = [
            (submission.scope, submission_digest(submission))
            for submission in submissions
            if submission.idempotency_key is not None
        ]
        if digests:
            rows = await self._transaction.load_idempotency(list(dict.fromkeys(digests)))
            self.idempotency = {row.digest: row for row in rows}
        asked: set[tuple[Scope, str]] = set()
        for _ in range(limits.prefetch_rounds_max):
            wanted = self._needed(submissions) - asked
            if not wanted:
                return
            asked |= wanted
            await self._load(sorted(wanted))
        assert not self._needed(submissions) - asked, "a command needs more rounds than are allowed"

    def take(self, submission: Submission, plan: Plan, accounts: dict[str, Account]) -> None:
        """Take over what a command decided."""
        scope = submission.scope
        self.workspaces[scope].merge(plan, accounts)
        for identifier, account in accounts.items():
            self._accounts[scope, identifier] = account
        sequence = plan.answer.sequence
        self._versions.extend((scope, versioned) for versioned in plan.versions)
        self._transfers.extend(
            (scope, transfer, sequence, submission.moment_ms) for transfer in plan.transfers
        )
        if plan.rows is not None:
            self._rows.append((scope, plan.rows, sequence, submission.moment_ms))
        self._events.extend(
            (scope, event, submission.request_id, submission.moment_ms) for event in plan.events
        )

    def remember(self, row: IdempotencyRow) -> None:
        """Keep a first answer, for the rest of this batch as for all later ones."""
        self.idempotency[row.digest] = row
        self._remembered.append(row)

    async def write(self) -> None:
        """Write the net effect."""
        books = [
            msgspec.structs.replace(workspace.book, sequence=workspace.sequence)
            for workspace in self.workspaces.values()
            if workspace.sequence != workspace.book.sequence
        ]
        if not books and not self._remembered:
            return
        await self._transaction.write(
            Changes(
                books=books,
                versions=self._versions,
                accounts=[(scope, account) for (scope, _), account in self._accounts.items()],
                transfers=self._transfers,
                events=self._events,
                rows=self._rows,
                idempotency=self._remembered,
            )
        )

    def _needed(self, submissions: Sequence[Submission]) -> set[tuple[Scope, str]]:
        return {
            (submission.scope, identifier)
            for submission in submissions
            if submission.scope in self.workspaces
            for identifier in submission.command.needs(self.workspaces[submission.scope])
            if is_well_formed(identifier, prefix_of(identifier))
        }

    async def _load(self, wanted: Sequence[tuple[Scope, str]]) -> None:
        accounts = [(scope, identifier) for scope, identifier in wanted if prefix_of(identifier) == "lacc"]
        objects = [(scope, identifier) for scope, identifier in wanted if prefix_of(identifier) != "lacc"]
        for scope, identifier in wanted:
            self.workspaces[scope].asked.add(identifier)
        if objects:
            for scope, versioned in await self._transaction.load_objects(objects):
                self.workspaces[scope].objects[versioned.object.id] = versioned
        if accounts:
            for scope, account in await self._transaction.load_accounts(accounts):
                self.workspaces[scope].accounts[account.id] = account
