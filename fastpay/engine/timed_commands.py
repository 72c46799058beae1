"""Commands that time asks for, and no client."""

import asyncio
from collections.abc import Sequence

from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Command
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ports import Submission, Writer


class TimedCommands:
    """Submits commands of the periodic tasks to the writer."""

    def __init__(self, writer: Writer, identifiers: IdentifierFactory) -> None:
        self._writer = writer
        self._identifiers = identifiers

    async def submit(self, commands: Sequence[tuple[Scope, Command]]) -> None:
        """Commit all of these commands. Raises: Overloaded, DatabaseUnavailable, ClockSkewed,
        OutcomeUnknown."""
        outcomes = await asyncio.gather(
            *(self._writer.submit(self._submission(scope, command)) for scope, command in commands),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                # All commands were tried. The first failure stands for the others.
                raise outcome

    def _submission(self, scope: Scope, command: Command) -> Submission:
        stamp = self._identifiers.stamp()
        return Submission(
            scope=scope,
            command=command,
            request_id=self._identifiers.request_id(),
            moment_ms=stamp.moment_ms,
            head=stamp.head,
            tail=stamp.tail,
        )
