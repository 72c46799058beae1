"""The command for many transfers: independent ones, and chains that succeed or fail together."""

import itertools
from collections.abc import Generator, Iterable
from typing import TypeVar

import msgspec

from fastpay import limits
from fastpay.domain.ledger import Account, is_own
from fastpay.domain.ledger_objects import LedgerBatch
from fastpay.domain.ledger_rows import LedgerRows
from fastpay.domain.plan import Draft, Versioned, Workspace

LINKED = 1
HOLD = 2

_Result = TypeVar("_Result")
# A computation that can be interrupted at each yield.
Steps = Generator[None, None, _Result]

# More than any account can hold.
_UNBOUNDED = 1 << 61
assert limits.ledger_counter_max < _UNBOUNDED


class BatchItems(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The requested transfers, as columns.

    `accounts` has each account once; `debits` and `credits` are indexes into it. `flags` are sums of LINKED
    (succeeds or fails with the next item) and HOLD. `expires_at` and `metadata` are by the item's index.
    """

    accounts: list[str]
    debits: list[int]
    credits: list[int]
    amounts: list[int]
    flags: list[int]
    expires_at: dict[int, int] = {}
    metadata: dict[int, dict[str, str]] = {}


class CreateLedgerBatch(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Make transfers. A dry run decides all of them and writes nothing."""

    items: BatchItems
    dry_run: bool = False

    @property
    def weight(self) -> int:
        """How many commands this one counts for in the queue and in a batch of the writer."""
        return len(self.items.amounts)

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return self.items.accounts

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Make the transfers that can be made, and store the outcome of each."""
        return run_steps(self.steps(workspace, draft))

    def steps(self, workspace: Workspace, draft: Draft) -> Steps[str]:
        """Do what `execute` does, and yield after every `limits.transfers_at_once_max` transfers or accounts.

        The workspace must not change in between.
        """
        identifier = draft.new_id(LedgerBatch.prefix)
        sequence = workspace.sequence + 1
        tables = _Tables([workspace.accounts.get(account) for account in self.items.accounts])
        yield from tables.fill()
        rows = LedgerRows(
            sequence=sequence,
            moment_ms=draft.moment_ms,
            accounts=self.items.accounts,
            currencies=tables.currencies,
        )
        failures = yield from _decide(self.items, tables, rows, draft.moment_s)
        batch = LedgerBatch(
            id=identifier,
            created=draft.moment_s,
            sequence=sequence,
            count=len(self.items.amounts),
            dry_run=self.dry_run,
            failures=failures,
        )
        if self.dry_run:
            # Not written: it is only in memory, for the answer.
            workspace.objects[identifier] = Versioned(batch, 1, workspace.sequence)
            return identifier
        changed = yield from tables.changed()
        draft.accounts.update(changed)
        draft.put(batch, "ledger.batch.created")
        draft.rows = rows
        return identifier


def run_steps(steps: Steps[_Result]) -> _Result:
    """Run a computation without interruption and return its result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: _Result = end.value
            return result


def _decide(
    items: BatchItems, tables: "_Tables", rows: LedgerRows, moment_s: int
) -> Steps[dict[str, tuple[int, ...]]]:
    """Decide the items in order and add a row for each success; return the failed indexes by error code."""
    codes: dict[int, str] = {}
    last = len(items.amounts) - 1
    # The current chain: its first index (-1 for none), the number of rows before it, and whether it failed.
    start, kept, broken = -1, 0, False
    for index, flags in enumerate(items.flags):
        if index % limits.transfers_at_once_max == 0 and index:
            yield
        linked = flags & LINKED
        if linked and start < 0:
            start, kept, broken = index, len(rows.indexes), False
        if linked and index == last:
            code: str | None = "linked_chain_open"
        elif broken:
            code = "linked_chain_failed"
        else:
            code = _move(items, tables, rows, index, moment_s)
        if code is not None:
            codes[index] = code
            if start >= 0 and not broken:
                broken = True
                _take_back(tables, rows, kept)
                codes.update(dict.fromkeys(range(start, index), "linked_chain_failed"))
        if not linked:
            start, broken = -1, False
    failures: dict[str, list[int]] = {}
    for index in sorted(codes):
        failures.setdefault(codes[index], []).append(index)
    return {code: tuple(indexes) for code, indexes in failures.items()}


def _move(items: BatchItems, tables: "_Tables", rows: LedgerRows, index: int, moment_s: int) -> str | None:
    """Make one transfer and add its row. If it fails, change nothing and return the error code."""
    debit, credit, amount = items.debits[index], items.credits[index], items.amounts[index]
    refusals, room = tables.refusals, tables.room
    if debit == credit or refusals[debit] is not None or refusals[credit] is not None:
        return _refuse(refusals[debit], refusals[credit], is_same=debit == credit)
    if tables.currencies[debit] != tables.currencies[credit]:
        return "currency_mismatch"
    is_hold = items.flags[index] & HOLD
    if is_hold and items.expires_at.get(index, moment_s + 1) <= moment_s:
        return "expires_at_past"
    gives, takes = tables.gives_debits[debit], tables.gives_debits[credit]
    if tables.is_nearly_full and tables.is_full(debit, credit, amount):
        return "ledger_account_full"
    if (gives and room[debit] < amount) or (not takes and room[credit] < amount):
        return "insufficient_funds"
    if is_hold:
        room[debit] -= amount if gives else 0
        room[credit] -= 0 if takes else amount
        tables.debits_pending[debit] += amount
        tables.credits_pending[credit] += amount
    else:
        room[debit] -= amount if gives else -amount
        room[credit] += amount if takes else -amount
        tables.debits_posted[debit] += amount
        tables.credits_posted[credit] += amount
    rows.indexes.append(index)
    rows.phases.append("hold" if is_hold else "posted")
    rows.debits.append(debit)
    rows.credits.append(credit)
    rows.amounts.append(amount)
    rows.debits_posted.append(tables.debits_posted[debit])
    rows.debits_pending.append(tables.debits_pending[debit])
    rows.credits_posted.append(tables.credits_posted[credit])
    rows.credits_pending.append(tables.credits_pending[credit])
    if index in items.expires_at:
        rows.expires_at[index] = items.expires_at[index]
    if index in items.metadata:
        rows.metadata[index] = items.metadata[index]
    return None


def _refuse(debit: str | None, credit: str | None, *, is_same: bool) -> str | None:
    """Return the error code for two accounts between which no transfer is possible."""
    if "resource_missing" in (debit, credit):
        return "resource_missing"
    return "ledger_accounts_equal" if is_same else debit or credit


def _take_back(tables: "_Tables", rows: LedgerRows, kept: int) -> None:
    """Undo all rows of a failed chain: all but the first `kept`."""
    while len(rows.indexes) > kept:
        index, amount = rows.indexes.pop(), rows.amounts.pop()
        debit, credit = rows.debits.pop(), rows.credits.pop()
        gives, takes = tables.gives_debits[debit], tables.gives_debits[credit]
        if rows.phases.pop() == "hold":
            tables.room[debit] += amount if gives else 0
            tables.room[credit] += 0 if takes else amount
            tables.debits_pending[debit] -= amount
            tables.credits_pending[credit] -= amount
        else:
            tables.room[debit] += amount if gives else -amount
            tables.room[credit] -= amount if takes else -amount
            tables.debits_posted[debit] -= amount
            tables.credits_posted[credit] -= amount
        for column in (rows.debits_posted, rows.debits_pending, rows.credits_posted, rows.credits_pending):
            column.pop()
        rows.expires_at.pop(index, None)
        rows.metadata.pop(index, None)


class _Tables:
    """The accounts of a batch, with a column for each counter.

    `room` is how much can still leave an account: a debit takes from a credit account, a credit from a debit
    account. `refusals` has the error code of each account that no transfer may touch. `is_nearly_full` means
    that a counter could exceed its maximum within the batch.
    """

    def __init__(self, accounts: list[Account | None]) -> None:
        self._accounts = accounts
        self.refusals: list[str | None] = []
        self.currencies: list[str] = []
        self.gives_debits: list[bool] = []
        self.debits_posted: list[int] = []
        self.debits_pending: list[int] = []
        self.credits_posted: list[int] = []
        self.credits_pending: list[int] = []
        self.room: list[int] = []
        # Nearly always False, which saves a check of each transfer.
        self.is_nearly_full = False

    def is_full(self, debit: int, credit: int, amount: int) -> bool:
        """Tell whether a transfer fails because a counter would exceed its maximum (see `ledger.debit`).

        Missing funds of the debit account take precedence over a full credit account.
        """
        if self.debits_posted[debit] + self.debits_pending[debit] + amount > limits.ledger_counter_max:
            return True
        if self.gives_debits[debit] and self.room[debit] < amount:
            return False
        return self.credits_posted[credit] + self.credits_pending[credit] + amount > limits.ledger_counter_max

    def fill(self) -> Steps[None]:
        """Fill the columns from the accounts."""
        for accounts in _slices(self._accounts):
            known = [_NOBODY if account is None else account for account in accounts]
            self.refusals += [_refusal(account) for account in accounts]
            self.currencies += [account.currency for account in known]
            self.gives_debits += [account.normal_side == "C" for account in known]
            self.debits_posted += [account.debits_posted for account in known]
            self.debits_pending += [account.debits_pending for account in known]
            self.credits_posted += [account.credits_posted for account in known]
            self.credits_pending += [account.credits_pending for account in known]
            self.room += [
                _UNBOUNDED if account.min_balance is None else account.available - account.min_balance
                for account in known
            ]
            # A counter below this cannot exceed its maximum within one batch.
            safe = limits.ledger_counter_max - limits.ledger_batch_transfers_max * limits.amount_max
            self.is_nearly_full |= any(
                account.debits_posted + account.debits_pending > safe
                or account.credits_posted + account.credits_pending > safe
                for account in known
            )
            yield

    def changed(self) -> Steps[dict[str, Account]]:
        """Return the accounts that a transfer moved, with their new counters."""
        changed: dict[str, Account] = {}
        standing = zip(
            self._accounts,
            self.debits_posted,
            self.debits_pending,
            self.credits_posted,
            self.credits_pending,
            strict=True,
        )
        while some := list(itertools.islice(standing, limits.transfers_at_once_max)):
            for account, debits_posted, debits_pending, credits_posted, credits_pending in some:
                if account is None or (
                    account.debits_posted == debits_posted
                    and account.credits_posted == credits_posted
                    and account.debits_pending == debits_pending
                    and account.credits_pending == credits_pending
                ):
                    continue
                # `replace` costs twice as much, and a batch may move 16,000 accounts.
                changed[account.id] = Account(
                    account.id,
                    account.code,
                    account.currency,
                    account.normal_side,
                    debits_posted,
                    credits_posted,
                    debits_pending,
                    credits_pending,
                    account.min_balance,
                )
            yield
        return changed


def _slices(accounts: list[Account | None]) -> Iterable[list[Account | None]]:
    size = limits.transfers_at_once_max
    return (accounts[start : start + size] for start in range(0, len(accounts), size))


_NOBODY = Account(id="", code="", currency="", normal_side="C")


def _refusal(account: Account | None) -> str | None:
    if account is None:
        return "resource_missing"
    return "ledger_account_reserved" if is_own(account.code) else None
