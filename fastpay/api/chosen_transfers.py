"""Pages of transfers of which some are left out: only the objects that they belong to tell which."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from fastpay import limits
from fastpay.domain.identifiers import digits
from fastpay.domain.ledger import Transfer
from fastpay.engine.ports import Page
from fastpay.errors import InvalidRequest

# A transfer and its moment in milliseconds, and perhaps more.
Row = TypeVar("Row", bound=tuple[Transfer, int] | tuple[Transfer, int, int])
Shown = tuple[Transfer, int]


async def read_chosen(
    page: Page,
    read: Callable[[Page], Awaitable[Sequence[Row]]],
    choose: Callable[[Sequence[Row]], Awaitable[list[Shown]]],
    *,
    rows_first: int,
    param: str,
) -> list[Shown]:
    """Return up to `page.limit` + 1 chosen transfers with their moments, newest first.

    `read` returns what is in a part of the page, newest first, one row more than its limit if there is more.
    The first part has `rows_first` rows. Raises: InvalidRequest about `param` if too many transfers must be
    examined.
    """
    part = msgspec.structs.replace(page, limit=rows_first)
    found: list[Shown] = []
    for _ in range(limits.examined_pages_max):
        rows = await read(part)
        chosen = await choose(rows)
        found = [*chosen, *found] if page.ascending else [*found, *chosen]
        if len(found) > page.limit or len(rows) <= part.limit:
            return found[-page.limit - 1 :] if page.ascending else found[: page.limit + 1]
        # The other rows are beyond the last one that was examined.
        if page.ascending:
            part = msgspec.structs.replace(part, limit=limits.examined_rows, above=digits(rows[0][0].id))
        else:
            part = msgspec.structs.replace(part, limit=limits.examined_rows, below=digits(rows[-1][0].id))
    raise InvalidRequest(
        "Too many balance transactions must be examined for this page. Narrow it by other filters.",
        param=param,
    )
