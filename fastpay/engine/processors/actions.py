"""What clients may do about a payment that waits for its cardholder: go on with it, or cancel it.

They may go on with a setup in the same way. To cancel one asks nobody, since no money is reserved.

Both ask the processor first. What it says is recorded by the commands that record every outcome, so it does
not matter whether a webhook, the janitor or another instance was faster.
"""

from fastpay.domain.error_links import NO_LINKS, ErrorLinks
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import PaymentIntent, StoredObject
from fastpay.domain.processor_objects import Attempt
from fastpay.domain.setup_objects import SetupAttempt, SetupIntent
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ports import Filter, Page, Writer
from fastpay.engine.processors import asking, ports
from fastpay.engine.processors.results import command_of
from fastpay.engine.processors.saving import keep
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

    async def look(self, scope: Scope, intent: str) -> bool:
        """Record what the cardholder has done by now, and tell whether the intent has waited for that.

        Raises: DatabaseUnavailable, Overloaded and the like.
        """
        attempt = await self._waiting(scope, intent)
        if attempt is None:
            return False
        processor = await self._processors.find(scope, attempt.processor)
        if processor is not None:
            outcome = await asking.inquire(processor, attempt)
            await keep(self._processors, scope, attempt.payment_method, attempt.processor, outcome)
            command = command_of(attempt.id, outcome, links=self._links)
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

    async def _waiting(self, scope: Scope, intent: str) -> Attempt | None:
        """Return the open attempt of an intent that waits for its cardholder, None if it does not."""
        found = await self._reader.get(scope, intent)
        if (
            found is None
            or not isinstance(found.object, PaymentIntent | SetupIntent)
            or found.object.status != "requires_action"
        ):
            return None
        if isinstance(found.object, SetupIntent):
            attempts = await self._of_setup(scope, found.object)
        else:
            wanted = Filter(kind=Attempt.prefix, values=(("payment_intent", intent),))
            attempts = [row.object for row in await self._reader.list(scope, wanted, _PAGE)]
        return next((one for one in attempts if isinstance(one, Attempt) and one.status == "open"), None)

    async def _of_setup(self, scope: Scope, intent: SetupIntent) -> list[StoredObject]:
        """Return the latest attempt of a setup at a processor, if there is one."""
        made = None if intent.latest_attempt is None else await self._reader.get(scope, intent.latest_attempt)
        if made is None or not isinstance(made.object, SetupAttempt) or made.object.order is None:
            return []
        found = await self._reader.get(scope, made.object.order)
        return [] if found is None else [found.object]
