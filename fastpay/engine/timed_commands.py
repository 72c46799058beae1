"""Commands that time asks for, and no client."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from fastpay import limits
from fastpay.domain.identifiers import LOWEST, Scope, digits
from fastpay.domain.plan import Command
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ports import Outcome, Submission, Writer


class TimedCommands:
    """Submits commands of the periodic tasks to the writer."""

    def __init__(self, writer: Writer, identifiers: IdentifierFactory) -> None:
        self._writer = writer
        self._identifiers = identifiers

    async def submit_due(
        self,
        list_due: Callable[[str, int], Awaitable[Sequence[tuple[Scope, str]]]],
        command: Callable[[str], Command],
    ) -> int:
        """Commit a command for each object that is due, a page at a time. Return how many were listed.

        `list_due` gets the digits of the last identifier of the page before, and how many make a page.
        """
        count, after = 0, LOWEST
        while True:
            due = await list_due(after, limits.expiry_rows_max)
            await self.submit([(scope, command(identifier)) for scope, identifier in due])
            count += len(due)
            if len(due) < limits.expiry_rows_max:
                return count
            after = digits(due[-1][1])

    async def submit(self, commands: Sequence[tuple[Scope, Command]]) -> None:
        """Commit all of these commands. Raises: Overloaded, DatabaseUnavailable, ClockSkewed,
        OutcomeUnknown."""
        outcomes = await asyncio.gather(
            *(self.carry_out(scope, command) for scope, command in commands),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                # All commands were tried. The first failure stands for the others.
                raise outcome

    async def carry_out(self, scope: Scope, command: Command) -> Outcome:
        """Commit one command, and return what became of it. Raises: as `submit`."""
        stamp = self._identifiers.stamp()
        return await self._writer.submit(
            Submission(
                scope=scope,
                command=command,
                # No request caused this, and events say so.
                request_id="",
                moment_ms=stamp.moment_ms,
                head=stamp.head,
                tail=stamp.tail,
            )
        )
