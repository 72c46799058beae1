"""Several writers side by side: each tenant has its lane, so that one's locked book holds up its lane alone.

A lane commits one batch at a time; lanes do not wait for each other, and what they have to flush the database
flushes together.

A batch of thousands of transfers keeps the database busy for as long as a hundred plain commands. So heavy
commands have a lane of their own, the bulk lane, and plain ones of other tenants are not in line behind them.
A tenant is in one lane at a time, since two writers would decide on each other's old state:

    plain   --a heavy command comes-->                       moving: all that comes waits in the bulk lane
    moving  --its own lane has answered all it had of it-->  bulk: served there, plain commands too
    bulk    --the bulk lane has answered all it had of it--> plain, with the next plain command
"""

import asyncio
from collections.abc import Sequence

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Outcome, Submission
from fastpay.engine.write.writer import Writer


class Lanes:
    """Satisfies `ports.Writer` with the writer of the tenant's lane. Without `bulk`, all are plain."""

    def __init__(self, writers: Sequence[Writer], *, bulk: Writer | None = None) -> None:
        assert writers
        self._writers = writers
        self._bulk = bulk
        # The tenants that the bulk lane has served last, or will; and those of them that are moving.
        self._bulky: set[Scope] = set()
        self._moving: set[Scope] = set()
        if bulk is None:
            return
        for writer in writers:
            writer.settled = self._settle
            # What is plain is never so heavy that a batch of it takes long.
            writer.batch_weight_max = limits.plain_batch_weight_max

    def start(self) -> None:
        """Begin to take batches, on every lane."""
        for writer in self._all():
            writer.start()

    async def close(self) -> None:
        """Commit what is waiting, then end."""
        await asyncio.gather(*(writer.close() for writer in self._all()))

    def admit(self, scope: Scope) -> None:
        """Return when a command of this tenant would be taken in now. Raises: Overloaded."""
        bulk = self._bulk
        is_bulk = bulk is not None and scope in self._bulky and bulk.holds(scope)
        (bulk if bulk is not None and is_bulk else self._lane(scope)).admit(scope)

    async def submit(self, submission: Submission) -> Outcome:
        """Commit a command, and return what became of it. Raises: see `Writer.submit`."""
        return await self._choose(submission).submit(submission)

    def _choose(self, submission: Submission) -> Writer:
        """Return the writer that a command goes to, and have its tenant change lanes where it must."""
        scope, bulk = submission.scope, self._bulk
        lane = self._lane(scope)
        is_heavy = getattr(submission.command, "weight", 1) > limits.plain_weight_max
        if bulk is None or not (is_heavy or scope in self._bulky):
            return lane
        if scope not in self._bulky:
            self._bulky.add(scope)
            bulk.forget(scope)
            if lane.holds(scope):
                self._moving.add(scope)
                bulk.pause(scope, paused=True)
            return bulk
        if is_heavy or bulk.holds(scope):
            return bulk
        self._bulky.discard(scope)
        if scope in self._moving:
            # What was paused was pushed out of line: the bulk lane has served nothing of it.
            self._moving.discard(scope)
            bulk.pause(scope, paused=False)
        else:
            lane.forget(scope)
        return lane

    def _settle(self) -> None:
        """Let those tenants be served in the bulk lane of whom their own lane holds nothing any more."""
        if not self._moving or self._bulk is None:
            return
        for scope in [scope for scope in self._moving if not self._lane(scope).holds(scope)]:
            self._moving.discard(scope)
            self._bulk.pause(scope, paused=False)

    def _all(self) -> list[Writer]:
        return [*self._writers] if self._bulk is None else [*self._writers, self._bulk]

    def _lane(self, scope: Scope) -> Writer:
        if len(self._writers) == 1:
            return self._writers[0]
        # The last digits of a tenant's identifier are random. Test and live mode go their own ways.
        return self._writers[(int(scope.tenant_id[-8:], 16) + scope.livemode) % len(self._writers)]
