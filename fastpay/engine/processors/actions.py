"""What clients may do about a payment that waits for its cardholder: go on with it, or cancel it.

Both ask the processor first. What it says is recorded by the commands that record every outcome, so it does
not matter whether a webhook, the janitor or another instance was faster.
"""

from fastpay.domain.error_links import NO_LINKS, ErrorLinks
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.processor_objects import Attempt
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ports import Filter, Page, Writer
from fastpay.engine.processors import asking, ports
from fastpay.engine.processors.results import command_of
from fastpay.engine.timed_commands import TimedCommands

# The open one is among the newest: a payment has few.
_PAGE = Page(limit=10)


class CardholderActions:
    """Asks processors about payments that wait for their cardholders."""

    def __init__(
        self,
        processors: ports.Processors,
        reader: ports.AttemptReader,
        writer: Writer,
        *,
        identifiers: IdentifierFactory,
        links: ErrorLinks = NO_LINKS,
    ) -> None:
        self._processors = processors
        self._reader = reader
        self._commands = TimedCommands(writer, identifiers)
        self._links = links

    async def look(self, scope: Scope, payment: str) -> bool:
        """Record what the cardholder has done by now, and tell whether the payment has waited for that.

        Raises: DatabaseUnavailable, Overloaded and the like.
        """
        attempt = await self._waiting(scope, payment)
        if attempt is None:
            return False
        processor = await self._processors.find(scope, attempt.processor)
        if processor is not None:
            command = command_of(attempt.id, await asking.inquire(processor, attempt), links=self._links)
            if command is not None:
                await self._commands.carry_out(scope, command)
        return True

    async def void(self, scope: Scope, payment: str) -> None:
        """End a payment that waits at its processor, or record what became of it. Raises: as `look`."""
        attempt = await self._waiting(scope, payment)
        processor = None if attempt is None else await self._processors.find(scope, attempt.processor)
        if attempt is None or processor is None:
            return
        ended = await asking.void(processor, attempt, links=self._links)
        if ended is None:
            await self.look(scope, payment)
        else:
            await self._commands.carry_out(scope, ended)

    async def _waiting(self, scope: Scope, payment: str) -> Attempt | None:
        """Return the open attempt of a payment that waits for its cardholder, None if it does not."""
        found = await self._reader.get(scope, payment)
        if (
            found is None
            or not isinstance(found.object, PaymentIntent)
            or found.object.status != "requires_action"
        ):
            return None
        wanted = Filter(kind=Attempt.prefix, values=(("payment_intent", payment),))
        attempts = [row.object for row in await self._reader.list(scope, wanted, _PAGE)]
        return next((one for one in attempts if isinstance(one, Attempt) and one.status == "open"), None)
