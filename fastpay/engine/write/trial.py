"""Decides commands without committing them: on a working set of their own, which is forgotten afterwards.

There is nothing here that could write: `loading` lends a connection for reads, and no batch leaves for the
database. What was decided is kept until it is taken, so that it can be compared with what another API did.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.failures import TransientFailure
from fastpay.engine.ports import Changes, Outcome, Submission
from fastpay.engine.write.batch import DecidedBatch
from fastpay.engine.write.ports import Loader
from fastpay.engine.write.queued import make_entry
from fastpay.engine.write.working_set import WorkingSet
from fastpay.errors import DatabaseUnavailable, Overloaded

_NOT_TRIED = "Only plain commands in test mode are tried."
# A hold that becomes money is moved by its post; holds and voids move nothing.
_MOVING = frozenset(("posted", "post"))


class Effects(msgspec.Struct, frozen=True):
    """What a command would have done: its events' types in order, and what it moves by kind and currency."""

    events: tuple[str, ...] = ()
    moved: Mapping[tuple[str, str], int] = {}


class TrialStore(Protocol):
    """What is read for a trial."""

    def loading(self) -> AbstractAsyncContextManager[Loader]:
        """Lend a connection for reads. Raises: TransientFailure, RefusedBatch."""


class TrialWriter:
    """Satisfies `ports.Writer` for requests that are answered to nobody."""

    def __init__(self, store: TrialStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        # The newest are kept: a request that was given up takes nothing.
        self._decided: dict[str, Effects] = {}

    def admit(self, scope: Scope) -> None:
        """Raise Overloaded for a live command: processors cannot be asked what they would do."""
        if scope.livemode:
            raise Overloaded(_NOT_TRIED)

    async def submit(self, submission: Submission) -> Outcome:
        """Return what would become of a command. Raises: Overloaded, DatabaseUnavailable."""
        self.admit(submission.scope)
        entry = make_entry(submission, self._clock.monotonic_ns())
        if entry.weight > limits.plain_weight_max:
            raise Overloaded(_NOT_TRIED)
        working_set, batch = WorkingSet(), DecidedBatch()
        try:
            async with (
                asyncio.timeout(limits.prefetch_timeout_ms / 1000),
                self._store.loading() as loader,
            ):
                await working_set.load(loader, [entry])
        except (TransientFailure, TimeoutError) as error:
            raise DatabaseUnavailable("What the command needs could not be read.") from error
        batch.decide(working_set, entry)
        result = batch.results[0]
        if isinstance(result, Exception):
            raise result
        while len(self._decided) >= limits.shadow_requests_max:
            del self._decided[next(iter(self._decided))]
        self._decided[submission.request_id] = _effects(batch.changes)
        return result

    def take(self, request_id: str) -> Effects | None:
        """Return what the command of a request would have done, once; None if it was not decided."""
        return self._decided.pop(request_id, None)


def _effects(changes: Changes) -> Effects:
    events: list[str] = []
    moved: dict[tuple[str, str], int] = {}
    for _, draft in changes.drafts:
        events += [event.type for event in draft.events]
        for transfer in draft.transfers:
            if transfer.phase in _MOVING:
                key = (transfer.kind, transfer.currency)
                moved[key] = moved.get(key, 0) + transfer.amount
    return Effects(tuple(events), moved)
