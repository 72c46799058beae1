"""Matches the rows of a settlement with the attempts that they are about.

A row is looked for by our reference. If it has none of ours, by what the processor calls the payment, and if
nothing here is called so, by amount and day. A row whose reference is ours is about that attempt or about
none here, whatever else may be alike.

    status          the row is about
    --------------  ----------------------------------------------------------------------------------------
    matched         an attempt that moved this amount, or it is a fee of the processor
    amount_differs  an attempt that moved another amount
    missing_here    no attempt here that moved money
    missing_there   an attempt that moved money, and whose time has come, is in no file
    duplicate       an attempt that another row has settled, or that was written off
    pending         an attempt whose outcome is not known; or one that a later file will have

A settlement is the last resort for an attempt that is in doubt: what the processor has paid out for it is an
approval. It is recorded as any other answer, so what does not fit the attempt leaves it to a person.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

from fastpay import limits
from fastpay.domain.error_links import ErrorLinks
from fastpay.domain.identifiers import Scope, digits, is_well_formed
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.outcomes import RecordOutcome
from fastpay.domain.processor_objects import Attempt, Result
from fastpay.domain.settlement_rows import RowType, start_of
from fastpay.engine.processors.settlement_ports import (
    Decided,
    RowsTaken,
    SettledFile,
    SettlementRows,
    Unmatched,
)
from fastpay.engine.timed_commands import TimedCommands
from fastpay.errors import Overloaded

# Operations by the type of row that settles them. An authorization that does not capture moves nothing.
_SETTLES: Mapping[RowType, frozenset[str]] = {
    "payment": frozenset(("authorize", "capture")),
    "refund": frozenset(("refund",)),
}
# A payment is settled as its authorization, whatever captured it.
_MISSED = frozenset(("authorize", "refund"))


class Matching:
    """One pass over the rows of a settlement."""

    def __init__(
        self,
        rows: SettlementRows,
        commands: TimedCommands,
        scope: Scope,
        file: SettledFile,
        revision: int,
        links: ErrorLinks,
        *,
        accepted: Sequence[int],
    ) -> None:
        self._rows = rows
        self._commands = commands
        self._scope = scope
        self._file = file
        self._revision = revision
        self._links = links
        self._accepted = accepted
        # What rows are about whose outcome is not known.
        self._in_doubt: set[str] = set()

    async def match_rows(self) -> None:
        """Decide on all rows of the file, a page at a time."""
        after = 0
        while page := await self._rows.page(self._scope, self._file.settlement, after):
            for tries in range(1, limits.settlement_tries_max + 1):
                decided = await self._decide(page)
                try:
                    await self._rows.write(self._scope, self._file.settlement, self._revision, decided)
                    break
                except RowsTaken as error:
                    if tries == limits.settlement_tries_max:
                        raise Overloaded("Other settlements are matched at the same time.") from error
            after = page[-1].position

    async def find_missing(self, first: dt.date, last: dt.date, *, after: int) -> None:
        """Add what was paid in the time of the file and is not in it, behind the position `after`.

        What may be older than its value date is awaited from a later file until that time is over.
        """
        lag = dt.timedelta(days=self._file.lag_days)
        day = dt.timedelta(days=1)
        below, is_due_below = start_of(last + day), start_of(last - lag + day)
        last_seen = start_of(first - lag)
        await self._rows.forget_missing(
            self._scope, self._file.settlement, self._revision, accepted=self._accepted
        )
        while page := await self._unsettled(last_seen, below):
            attempts = await self._load(page)
            decided = []
            for attempt in attempts.values():
                ours = await self._booked(attempt)
                is_other = attempt.operation not in _MISSED or attempt.id in self._in_doubt
                if is_other or (ours == 0 and attempt.hold is None):
                    continue
                after += 1
                is_due = digits(attempt.id) < is_due_below and attempt.hold is None
                kind: RowType = "refund" if attempt.operation == "refund" else "payment"
                decided.append(
                    Decided(after, "missing_there", ours, attempt.id, kind)
                    if is_due
                    else Decided(after, "pending", 0, attempt.id, kind)
                )
            await self._rows.add_missing(self._scope, self._file.settlement, self._revision, decided)
            last_seen = digits(page[-1])

    async def _taken(self, attempts: Sequence[str]) -> set[str]:
        return await self._rows.taken(self._scope, attempts, self._file.settlement, self._revision)

    async def _unsettled(self, after: str, below: str) -> Sequence[str]:
        file = self._file
        return await self._rows.unsettled(
            self._scope, file.processor, file.currency, after=after, below=below
        )

    async def _decide(self, page: Sequence[Unmatched]) -> list[Decided]:
        found = await self._find(page)
        attempts = await self._load(found.values())
        attempts = await self._end_open(page, found, attempts)
        found = {position: _settled_as(attempts, name) for position, name in found.items()}
        attempts |= await self._load(name for name in found.values() if name not in attempts)
        taken = await self._taken(list(attempts))
        decided = []
        for row in page:
            one = await self._decide_row(row, attempts.get(found.get(row.position, "")), taken)
            if one.status in {"matched", "amount_differs"} and one.attempt is not None:
                taken.add(one.attempt)
            elif one.status == "pending" and one.attempt is not None:
                self._in_doubt.add(one.attempt)
            decided.append(one)
        return decided

    async def _decide_row(self, row: Unmatched, attempt: Attempt | None, taken: set[str]) -> Decided:
        if row.type == "fee":
            return Decided(row.position, "matched")
        if attempt is None:
            return Decided(row.position, "missing_here")
        if attempt.id in taken or attempt.hold is not None:
            return Decided(
                row.position, "duplicate" if attempt.id in taken else "pending", attempt=attempt.id
            )
        ours = await self._booked(attempt)
        if ours == 0:
            return Decided(row.position, "missing_here", attempt=attempt.id)
        if ours != row.gross:
            return Decided(row.position, "amount_differs", ours, attempt.id)
        return Decided(row.position, "matched", ours, attempt.id)

    async def _find(self, page: Sequence[Unmatched]) -> dict[int, str]:
        """Return the attempt that each row is about, by the row's position."""
        found = {row.position: row.reference for row in page if row.reference and _is_ours(row.reference)}
        others = [row for row in page if row.position not in found and row.type in _SETTLES]
        ids = [row.processor_id for row in others if row.processor_id is not None]
        if ids:
            called = await self._rows.named(self._scope, self._file.processor, ids)
            loaded = await self._load([one for named in called.values() for one in named])
            for row in others:
                fitting = [one for one in called.get(row.processor_id or "", ()) if _fits(loaded, one, row)]
                if fitting:
                    found[row.position] = fitting[0]
        unnamed = [row for row in others if row.position not in found and row.reference is None]
        await self._find_by_amount(unnamed, found)
        return found

    async def _find_by_amount(self, page: Sequence[Unmatched], found: dict[int, str]) -> None:
        """Add the attempts that are known by amount and day alone: each one once, the oldest first."""
        lag = dt.timedelta(days=self._file.lag_days)
        for day in sorted({row.value_date for row in page}):
            wanted = [row for row in page if row.value_date == day]
            candidates = await self._rows.of_days(
                self._scope,
                self._file.processor,
                self._file.currency,
                (day - lag, day),
                sorted({abs(row.gross) for row in wanted}),
            )
            taken = await self._taken(candidates) | set(found.values())
            loaded = await self._load([one for one in candidates if one not in taken])
            for row in wanted:
                for attempt in loaded.values():
                    if attempt.id not in taken and _is_alike(attempt, row):
                        found[row.position] = attempt.id
                        taken.add(attempt.id)
                        break

    async def _load(self, identifiers: Iterable[str]) -> dict[str, Attempt]:
        """Return attempts of this processor and currency, the oldest first."""
        names = sorted(set(identifiers))
        loaded = await self._rows.find_objects(self._scope, names) if names else {}
        file = self._file
        return {
            name: found
            for name in names
            if isinstance(found := loaded.get(name), Attempt)
            and (found.processor, found.currency) == (file.processor, file.currency)
        }

    async def _end_open(
        self, page: Sequence[Unmatched], found: dict[int, str], attempts: dict[str, Attempt]
    ) -> dict[str, Attempt]:
        """Record what rows prove of attempts that have not ended, or ended in another way.

        A row loses what it was found to be about if that was done in another operation.
        """
        changed = []
        for row in page:
            attempt = attempts.get(found.get(row.position, ""))
            if attempt is None:
                continue
            if row.type not in _SETTLES or attempt.operation not in _SETTLES[row.type]:
                del found[row.position]
            elif _is_news(attempt):
                result = Result(
                    status="approved",
                    processor_id=row.processor_id,
                    amount=abs(row.gross),
                    currency=attempt.currency,
                    is_captured=True,
                    reason="it was settled",
                )
                command = RecordOutcome(id=attempt.id, result=result, links=self._links)
                await self._commands.carry_out(self._scope, command)
                changed.append(attempt.id)
        return attempts | await self._load(changed)

    async def _booked(self, attempt: Attempt) -> int:
        """Return what an attempt has moved here: below zero what went back."""
        if attempt.status != "approved":
            return 0
        if attempt.operation == "refund":
            return -attempt.amount
        if attempt.captures:
            return attempt.amount
        intents = await self._rows.find_objects(self._scope, [attempt.payment])
        intent = intents.get(attempt.payment)
        return intent.amount_received if isinstance(intent, PaymentIntent) else 0


def _is_ours(reference: str) -> bool:
    return is_well_formed(reference, Attempt.prefix)


def _settled_as(attempts: Mapping[str, Attempt], identifier: str) -> str:
    """Return the authorization of a capture, and any other attempt itself."""
    attempt = attempts.get(identifier)
    if attempt is None or attempt.operation != "capture":
        return identifier
    return attempt.authorization or identifier


def _is_news(attempt: Attempt) -> bool:
    """Tell whether that money has moved is more than is known of an attempt."""
    return attempt.hold is not None or attempt.status not in {"approved", "review", "compensated"}


def _is_alike(attempt: Attempt, row: Unmatched) -> bool:
    """Tell whether an attempt moved the amount of a row that one of both sides gives no identifier for."""
    is_unnamed = row.processor_id is None or attempt.processor_id is None
    is_refund = attempt.operation == "refund"
    return is_unnamed and abs(row.gross) == attempt.amount and is_refund == (row.type == "refund")


def _fits(attempts: Mapping[str, Attempt], identifier: str, row: Unmatched) -> bool:
    attempt = attempts.get(identifier)
    return attempt is not None and attempt.operation in _SETTLES[row.type]
