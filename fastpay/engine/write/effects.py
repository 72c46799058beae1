"""The net effect of the commands of a batch, in the order in which it came about."""

from collections.abc import Mapping

import msgspec

from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.ledger_rows import LedgerRows
from fastpay.domain.plan import Book, Draft, Event, Versioned
from fastpay.engine.ports import Changes, Commit, IdempotencyRow, Submission


class Effects:
    """Collects what the commands of a batch decided. `rows` are the transfers of each large batch."""

    def __init__(self) -> None:
        self.rows: list[tuple[Scope, LedgerRows]] = []
        # How far the sequence of each tenant comes that is changed.
        self._sequences: dict[Scope, int] = {}
        self._accounts: dict[Scope, dict[str, Account]] = {}
        self._versions: list[tuple[Scope, Versioned]] = []
        self._transfers: list[tuple[Scope, Transfer, int, int]] = []
        self._events: list[tuple[Scope, Event, str, int]] = []
        self._idempotency: list[IdempotencyRow] = []
        # New objects of commands that were forwarded to this instance.
        self._elsewhere: dict[Scope, set[str]] = {}

    def __bool__(self) -> bool:
        """Tell whether there is anything to write."""
        return bool(self._sequences or self._idempotency)

    def add(self, submission: Submission, draft: Draft) -> None:
        """Add what a command decided."""
        scope, sequence, moment_ms = submission.scope, draft.answer.sequence, submission.moment_ms
        if draft.events:
            # The events' numbers rise by one, and the answer has the last of them.
            self._sequences[scope] = sequence
        if draft.accounts:
            self._accounts.setdefault(scope, {}).update(draft.accounts)
        self._versions.extend([(scope, versioned) for versioned in draft.versions])
        self._transfers.extend([(scope, transfer, sequence, moment_ms) for transfer in draft.transfers])
        if submission.is_forwarded:
            self._elsewhere.setdefault(scope, set()).update(
                [versioned.object.id for versioned in draft.versions if versioned.version == 1]
            )
        if draft.rows is not None:
            self.rows.append((scope, draft.rows))
        self._events.extend([(scope, event, submission.request_id, moment_ms) for event in draft.events])

    def keep(self, row: IdempotencyRow) -> None:
        """Add a first answer, or the binding of a signature."""
        self._idempotency.append(row)

    def changes(self, found: Mapping[Scope, Book]) -> Changes:
        """Return what to write. `found` are the books before the batch."""
        return Changes(
            books=[
                msgspec.structs.replace(found[scope], sequence=sequence)
                for scope, sequence in self._sequences.items()
            ],
            versions=self._versions,
            accounts=[(scope, one) for scope, moved in self._accounts.items() for one in moved.values()],
            transfers=self._transfers,
            events=self._events,
            rows=self.rows,
            idempotency=self._idempotency,
        )

    def commits(self, found: Mapping[Scope, Book]) -> list[Commit]:
        """Return what a commit changes for each tenant. `found` are the books before the batch."""
        made = {
            scope: Commit(scope, found[scope].sequence, sequence, [], self._elsewhere.get(scope, frozenset()))
            for scope, sequence in self._sequences.items()
        }
        for scope, versioned in self._versions:
            made[scope].versions.append(versioned)
        return list(made.values())
