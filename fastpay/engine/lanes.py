"""Several writers side by side: each tenant has its lane, so that one's locked book holds up its lane alone.

A lane commits one batch at a time; lanes do not wait for each other, and what they have to flush the database
flushes together.
"""

import asyncio
from collections.abc import Sequence

from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Outcome, Submission
from fastpay.engine.writer import Writer


class Lanes:
    """Satisfies `ports.Writer` with the writer of the tenant's lane."""

    def __init__(self, writers: Sequence[Writer]) -> None:
        assert writers
        self._writers = writers

    def start(self) -> None:
        """Begin to take batches, on every lane."""
        for writer in self._writers:
            writer.start()

    async def close(self) -> None:
        """Commit what is waiting, then end."""
        await asyncio.gather(*(writer.close() for writer in self._writers))

    def admit(self, scope: Scope) -> None:
        """Return when a command of this tenant would be taken in now. Raises: Overloaded."""
        self._lane(scope).admit(scope)

    async def submit(self, submission: Submission) -> Outcome:
        """Commit a command, and return what became of it. Raises: see `Writer.submit`."""
        return await self._lane(submission.scope).submit(submission)

    def _lane(self, scope: Scope) -> Writer:
        if len(self._writers) == 1:
            return self._writers[0]
        # The last digits of a tenant's identifier are random. Test and live mode go their own ways.
        return self._writers[(int(scope.tenant_id[-8:], 16) + scope.livemode) % len(self._writers)]
