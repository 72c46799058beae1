"""Settles: has the rows of imported files matched, accepts what differs, and closes settlements."""

from fastpay.domain.error_links import NO_LINKS, ErrorLinks
from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Command
from fastpay.domain.settlements import (
    AcceptDifference,
    BeginMatching,
    CloseSettlement,
    RecordMatching,
    Settlement,
)
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ports import Writer
from fastpay.engine.processors.settlement_matching import Matching
from fastpay.engine.processors.settlement_ports import SettlementRows
from fastpay.engine.timed_commands import TimedCommands
from fastpay.errors import NotFound, UnexpectedState


class Settling:
    """Matches, corrects and closes settlements."""

    def __init__(
        self,
        rows: SettlementRows,
        writer: Writer,
        *,
        identifiers: IdentifierFactory,
        links: ErrorLinks = NO_LINKS,
    ) -> None:
        self.rows = rows
        self._commands = TimedCommands(writer, identifiers)
        self._links = links

    async def find(self, scope: Scope, identifier: str) -> Settlement | None:
        """Return a settlement, None if it was not matched yet."""
        found = (await self.rows.find_objects(scope, [identifier])).get(identifier)
        return found if isinstance(found, Settlement) else None

    async def match(self, scope: Scope, identifier: str) -> Settlement | None:
        """Match all rows of a settlement anew, and return it. Otherwise as `matching`."""
        recorded = await self.matching(scope, identifier)
        return None if recorded is None else await self._carry_out(scope, identifier, recorded)

    async def matching(self, scope: Scope, identifier: str) -> RecordMatching | None:
        """Match all rows anew, and return the command that writes what they come to.

        None if the file had no new rows. Raises: NotFound; UnexpectedState if the settlement is closed, or
        somebody else matches it meanwhile.
        """
        file = await self.rows.find_file(scope, identifier)
        if file is None:
            raise NotFound(f"No such settlement: '{identifier}'", param="id")
        extent = await self.rows.extent(scope, identifier)
        if extent is None:
            return None
        begun = await self._carry_out(
            scope,
            identifier,
            BeginMatching(
                id=identifier,
                processor=file.processor,
                currency=file.currency,
                file=file.digest,
                lag_days=file.lag_days,
            ),
        )
        accepted = [one.position for one in begun.acceptances]
        if begun.revision > 1:
            last = extent.position
            await self.rows.clear(scope, identifier, begun.revision, last=last, accepted=accepted)
        matching = Matching(
            self.rows, self._commands, scope, file, begun.revision, self._links, accepted=accepted
        )
        await matching.match_rows()
        position = max((extent.position, *accepted))
        await matching.find_missing(extent.first, extent.last, after=position)
        sums = await self.rows.sums(scope, identifier)
        return RecordMatching(id=identifier, revision=begun.revision, sums=sums)

    async def accept(
        self, scope: Scope, identifier: str, position: int, *, by: str, reason: str
    ) -> Settlement:
        """Accept the difference of a row.

        The row is marked first: if this ends in between, a later file that has the payment after all shows
        a duplicate to a person. Raises: NotFound, UnexpectedState.
        """
        command = await self.acceptance(scope, identifier, position, by=by, reason=reason)
        try:
            return await self._carry_out(scope, identifier, command)
        except UnexpectedState:
            await self.abandon(scope, identifier, position)
            raise

    async def acceptance(
        self, scope: Scope, identifier: str, position: int, *, by: str, reason: str
    ) -> AcceptDifference:
        """Mark a row, and return the command that accepts its difference. Raises: NotFound."""
        marked = await self.rows.mark(scope, identifier, position, accepted=True)
        if marked is None:
            raise NotFound(f"No such row that differs: {position}", param="row")
        return AcceptDifference(id=identifier, position=position, **marked._asdict(), by=by, reason=reason)

    async def abandon(self, scope: Scope, identifier: str, position: int) -> None:
        """Take the mark of a row away, unless its difference was accepted."""
        found = await self.find(scope, identifier)
        if found is None or all(one.position != position for one in found.acceptances):
            await self.rows.mark(scope, identifier, position, accepted=False)

    async def close(self, scope: Scope, identifier: str) -> Settlement:
        """Close a settlement at zero difference. Raises: NotFound, UnexpectedState."""
        return await self._carry_out(scope, identifier, CloseSettlement(id=identifier))

    async def _carry_out(self, scope: Scope, identifier: str, command: Command) -> Settlement:
        outcome = await self._commands.carry_out(scope, command)
        error = outcome.answer.error
        if error is not None:
            kind = NotFound if error.status == NotFound.status else UnexpectedState
            raise kind(error.message, code=error.code, param=error.param)
        changed = outcome.objects[identifier].object
        assert isinstance(changed, Settlement)
        return changed
