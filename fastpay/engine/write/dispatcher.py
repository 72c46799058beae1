"""Two writers side by side: one for plain commands, one for large batches of transfers.

A batch of thousands of transfers keeps the database busy for as long as a hundred plain commands. Heavy
commands therefore have a writer of their own, the bulk writer, so that plain commands of other tenants do
not wait for them. A tenant is with one writer at a time, because two writers would decide on each other's
outdated state. Which one it is with:

    state     event                                                           next state
    --------  --------------------------------------------------------------  ----------
    plain     a heavy command arrives, the plain writer holds nothing of it   bulk
    plain     a heavy command arrives, the plain writer still holds some      moving
    moving    the plain writer has answered all it held                       bulk
    moving    a plain command arrives, the bulk writer's queue lost the rest  plain
    bulk      a plain command arrives, the bulk writer holds nothing of it    plain

While a tenant is moving, its commands wait in the bulk writer's queue, which is paused for it. In both other
cases a command goes to the writer that the tenant is with.
"""

import asyncio
from typing import Literal

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Outcome, Reply, Submission
from fastpay.engine.write.writer import Writer
from fastpay.errors import WriterStopped


class Dispatcher:
    """Satisfies `ports.Writer` with the writer that a tenant is with."""

    def __init__(self, plain: Writer, bulk: Writer) -> None:
        self._plain = plain
        self._bulk = bulk
        # Tenants that are not here are in the state "plain".
        self._states: dict[Scope, Literal["moving", "bulk"]] = {}
        self._moving_count = 0
        plain.loop.settled = self._end_moves

    def start(self) -> None:
        """Begin to take batches."""
        self._plain.start()
        self._bulk.start()

    async def close(self) -> None:
        """Commit what is waiting, then end."""
        await asyncio.gather(self._plain.close(), self._bulk.close())

    def fault(self) -> WriterStopped | None:
        """Return why one of the writers takes no commands, None while both do."""
        return self._plain.fault() or self._bulk.fault()

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name, for both writers together."""
        bulk = self._bulk.counts()
        return {name: count + bulk[name] for name, count in self._plain.counts().items()}

    def take_waited_ms(self) -> int:
        """Return how long plain commands have waited in the queue since the last call, at most."""
        return self._plain.take_waited_ms()

    def admit(self, scope: Scope) -> None:
        """Raise Overloaded if a plain command of this tenant would be refused now."""
        is_bulk = scope in self._states and self._bulk.holds(scope)
        (self._bulk if is_bulk else self._plain).admit(scope)

    async def submit(self, submission: Submission) -> Outcome:
        """Commit a command, and return what became of it. Raises: see `Writer.submit`."""
        # As `Writer.submit` does, without a coroutine around another one.
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._choose(submission).put(submission, future)
        return await future

    def put(self, submission: Submission, reply: Reply) -> None:
        """Queue a command for the writer that its tenant is with. Raises: see `Writer.put`."""
        self._choose(submission).put(submission, reply)

    def _choose(self, submission: Submission) -> Writer:
        """Return the writer for a command, and move its tenant there if necessary."""
        scope = submission.scope
        is_heavy = getattr(submission.command, "weight", 1) > limits.plain_weight_max
        state = self._states.get(scope)
        if state is None:
            if not is_heavy:
                return self._plain
            self._move(scope)
        elif not is_heavy and not self._bulk.holds(scope):
            self._return(scope, state)
            return self._plain
        return self._bulk

    def _move(self, scope: Scope) -> None:
        """Hand a tenant over to the bulk writer, at once or when the plain writer has answered it."""
        self._bulk.forget(scope)
        if self._plain.holds(scope):
            self._states[scope] = "moving"
            self._moving_count += 1
            self._bulk.pause(scope, paused=True)
        else:
            self._states[scope] = "bulk"

    def _return(self, scope: Scope, state: Literal["moving", "bulk"]) -> None:
        """Hand a tenant back to the plain writer, of which the bulk writer holds nothing."""
        del self._states[scope]
        if state == "moving":
            # The full queue dropped its heavy commands. The plain writer has served it all along.
            self._moving_count -= 1
            self._bulk.pause(scope, paused=False)
        else:
            self._plain.forget(scope)

    def _end_moves(self) -> None:
        """Resume tenants in the bulk writer that the plain writer holds nothing of any more."""
        if not self._moving_count:
            return
        for scope, state in self._states.items():
            if state == "moving" and not self._plain.holds(scope):
                self._states[scope] = "bulk"
                self._moving_count -= 1
                self._bulk.pause(scope, paused=False)
