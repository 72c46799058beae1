"""What settling needs from the database."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import StoredObject
from fastpay.domain.settlement_rows import RowStatus, RowType
from fastpay.domain.settlements import Settlement, Sums


class RowsTaken(Exception):
    """Another settlement has taken a payment of these rows meanwhile. They have to be matched again."""


class Unmatched(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What there is to match in a row of a file."""

    position: int
    type: RowType
    reference: str | None
    processor_id: str | None
    gross: int
    value_date: dt.date


class Decided(NamedTuple):
    """What became of a row: `ours` is what is booked here for it, and `attempt` what that is booked for."""

    position: int
    status: RowStatus
    ours: int = 0
    attempt: str | None = None
    type: RowType = "payment"


class ShownRow(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A row of a settlement as it is shown. One without a line is in no file."""

    position: int
    line: int | None
    type: RowType
    reference: str | None
    processor_id: str | None
    gross: int
    fee: int
    net: int
    value_date: dt.date | None
    status: RowStatus
    ours: int
    attempt: str | None
    accepted: bool


class Extent(NamedTuple):
    """The last position in a file, and its first and last value date."""

    position: int
    first: dt.date
    last: dt.date


class SettledFile(NamedTuple):
    """The file of a settlement."""

    settlement: str
    processor: str
    currency: str
    digest: str
    lag_days: int


class Marked(NamedTuple):
    """A row whose difference a person accepts, as it was matched for the `revision`th time."""

    status: RowStatus
    amount: int
    revision: int


class SettlementRows(Protocol):
    """The rows of settlements. All methods raise DatabaseUnavailable and Overloaded."""

    async def find_objects(self, scope: Scope, identifiers: Sequence[str]) -> Mapping[str, StoredObject]:
        """Return the objects that exist, by identifier."""

    async def newest(self, scope: Scope, limit: int) -> Sequence[Settlement]:
        """Return the newest settlements."""

    async def find_file(self, scope: Scope, settlement: str) -> SettledFile | None:
        """Return the file of a settlement, None if there is no such one."""

    async def extent(self, scope: Scope, settlement: str) -> Extent | None:
        """Return how far the rows of the file reach, None if it has none."""

    async def clear(
        self, scope: Scope, settlement: str, revision: int, *, last: int, accepted: Sequence[int]
    ) -> None:
        """Forget how the rows up to a position were matched, except accepted ones."""

    async def forget_missing(
        self, scope: Scope, settlement: str, revision: int, *, accepted: Sequence[int]
    ) -> None:
        """Remove what an earlier matching found to be missing in the file, except accepted rows."""

    async def page(self, scope: Scope, settlement: str, after: int) -> Sequence[Unmatched]:
        """Return the next rows to match, `settlement_page_rows` at most."""

    async def named(
        self, scope: Scope, processor: str, processor_ids: Sequence[str]
    ) -> Mapping[str, Sequence[str]]:
        """Return the attempts that the processor calls by these identifiers, the oldest first."""

    async def of_days(
        self,
        scope: Scope,
        processor: str,
        currency: str,
        days: tuple[dt.date, dt.date],
        amounts: Sequence[int],
    ) -> Sequence[str]:
        """Return approved attempts of these days, both included, that took one of these amounts."""

    async def taken(self, scope: Scope, attempts: Sequence[str], settlement: str, revision: int) -> set[str]:
        """Return those of the attempts that a row has settled, or that were written off.

        Rows of this settlement that were matched in an earlier revision do not count.
        """

    async def unsettled(
        self, scope: Scope, processor: str, currency: str, *, after: str, below: str
    ) -> Sequence[str]:
        """Return the next attempts that moved money, or may have, and that no row has settled.

        `after` and `below` are digits of identifiers.
        """

    async def write(self, scope: Scope, settlement: str, revision: int, rows: Sequence[Decided]) -> None:
        """Write what became of rows. Raises: RowsTaken."""

    async def add_missing(
        self, scope: Scope, settlement: str, revision: int, rows: Sequence[Decided]
    ) -> None:
        """Add payments that the file lacks."""

    async def sums(self, scope: Scope, settlement: str) -> Sums:
        """Return what all rows come to."""

    async def mark(self, scope: Scope, settlement: str, position: int, *, accepted: bool) -> Marked | None:
        """Mark a row as accepted, or not, and return it. None if there is no row that differs."""

    async def rows(
        self,
        scope: Scope,
        settlement: str,
        *,
        above: int,
        below: int,
        descending: bool,
        limit: int,
        status: str | None,
    ) -> Sequence[ShownRow]:
        """Return up to `limit` + 1 rows between two positions, in the order of the file."""
