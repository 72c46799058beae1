"""Endpoints that show a page of objects: lists and searches."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Raw, UnsetType

from fastpay import limits
from fastpay.api import answers, search
from fastpay.api.common_params import NoParams, refuse_together
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.envelopes import Item, render_list, render_search_result
from fastpay.api.expansion import expand
from fastpay.api.list_params import CreatedListParams, CreatedRange, ListParams, SearchParams
from fastpay.api.resource import Resource
from fastpay.api.routes import Contract, Policy
from fastpay.api.snapshots import Snapshots, begin_page
from fastpay.domain import kinds
from fastpay.domain.identifiers import HIGHEST, LOWEST, digits, lower_bound
from fastpay.domain.kinds import Kind
from fastpay.domain.objects import StoredObject
from fastpay.domain.plan import Versioned
from fastpay.engine.event_ports import EventPage
from fastpay.engine.ports import Filter, Page
from fastpay.errors import InvalidRequest

# Set in the ASGI scope by this server alone: a page is of the oldest objects that fit, not of the newest.
OLDEST_FIRST = "fastpay.oldest_first"
# A search accepts this among the paths to expand, and then counts.
_TOTAL_COUNT = "total_count"

_Params = TypeVar("_Params", bound=ListParams)
_Row = TypeVar("_Row")
_Bound = TypeVar("_Bound")


class Owner(NamedTuple):
    """The object that a list's path names: its kind, and the field of the listed objects that names it."""

    kind: Kind
    field: str


class List(Generic[_Params]):
    """An endpoint that shows the objects of a resource, newest first.

    `filters` names the parameters that choose some of them, with the kind of identifier that each takes; None
    is any text. With an `owner`, only its objects are shown.
    """

    policy = Policy()

    def __init__(
        self,
        resource: Resource,
        params_type: type[_Params],
        *,
        filters: Mapping[str, Kind | None] | None = None,
        owner: Owner | None = None,
    ) -> None:
        self.resource = resource
        self.contract = Contract(params_type, resource, "list")
        self._params_type = params_type
        self._filters = filters or {}
        self._owner = owner

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that the list can be filtered by."""
        return (*self._filters, *([] if self._owner is None else [self._owner.field]))

    async def answer(self, call: Call) -> Reply:
        """Show a page. Raises: FastpayError."""
        params = decode_query(self._params_type, call.query)
        paths = answers.check_expansions(call, self.resource, params.expand, listed=True)
        call.ended("decode")
        values = self._values(params)
        if self._owner is not None:
            values.append(await self._owned(call, self._owner))
        wanted = Filter(kind=self.resource.kind.prefix, values=tuple(values))
        page = in_order_of(call, await page_of(params, self.resource.kind, partial(self._exists, call)))
        snapshots = await begin_page(call, paths)
        rows = await self._rows(call, params, wanted, page)
        call.ended("read")
        found, has_more = cut(rows, page)
        items = await shown(self.resource, found, paths, snapshots)
        return Reply(body=answers.encode(render_list(call.path, items, has_more)))

    async def _rows(self, call: Call, params: _Params, wanted: Filter, page: Page) -> Sequence[Versioned]:
        """Return the rows of a page, and one more if there is one."""
        return await call.services.reader.list(call.scope, wanted, page)

    async def _owned(self, call: Call, owner: Owner) -> tuple[str, str]:
        found = await require_owner(call, owner.kind)
        return owner.field, found.id

    def _values(self, params: _Params) -> list[tuple[str, str]]:
        given: list[tuple[str, str]] = []
        for name, kind in self._filters.items():
            value = getattr(params, name)
            if isinstance(value, UnsetType):
                continue
            if kind is not None and not kinds.could_be(kind, value):
                raise absent(kind, value, name)
            given.append((name, value))
        return given

    async def _exists(self, call: Call, identifier: str) -> bool:
        return await call.services.reader.get(call.scope, identifier) is not None


class Search:
    """An endpoint that shows the objects of a resource that a query finds, newest first."""

    policy = Policy(is_counted=False)

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self.contract = Contract(SearchParams, resource, "search_result")

    async def answer(self, call: Call) -> Reply:
        """Show a page. Raises: InvalidRequest, Overloaded."""
        params = decode_query(SearchParams, call.query)
        kind = self._resource.kind
        counts = _TOTAL_COUNT in params.expand
        wanted = [path for path in params.expand if path != _TOTAL_COUNT]
        paths = answers.check_expansions(call, self._resource, wanted, listed=True)
        below = HIGHEST
        token_key = call.credentials.fingerprint_key
        token_query = f"{kind.prefix} {params.query}"
        if not isinstance(params.page, UnsetType):
            below = search.parse_page_token(params.page, token_query, token_key)
        query = search.parse(params.query, kind)
        page = Page(limit=params.limit, below=below)
        call.ended("decode")
        snapshots = await begin_page(call, paths)
        found, has_more = cut(await call.services.reader.search(call.scope, query, page), page)
        call.ended("read")
        next_page = search.page_token(found[-1].object.id, token_query, token_key) if has_more else None
        items = await shown(self._resource, found, paths, snapshots)
        body = render_search_result(call.path, items, has_more, next_page)
        if counts:
            everything = Page(limit=limits.search_total_max - 1)
            body["total_count"] = len(await call.services.reader.search(call.scope, query, everything))
        return Reply(body=answers.encode(body))


async def rows_that(
    fits: Callable[[StoredObject], bool],
    page: Page,
    read: Callable[[Page], Awaitable[Sequence[Versioned]]],
    *,
    refusal: InvalidRequest,
) -> Sequence[Versioned]:
    """Return the rows of a page whose objects fit, where no index tells which ones do.

    `read` returns the rows of a page. Raises: `refusal` if too few of many fit.
    """
    found: list[Versioned] = []
    for _ in range(limits.filtered_pages_max):
        rows = await read(page)
        fitting = [row for row in rows if fits(row.object)]
        found = [*fitting, *found] if page.ascending else [*found, *fitting]
        if len(rows) <= page.limit or len(found) > page.limit:
            return found[-page.limit - 1 :] if page.ascending else found[: page.limit + 1]
        if page.ascending:
            page = msgspec.structs.replace(page, above=digits(rows[0].object.id))
        else:
            page = msgspec.structs.replace(page, below=digits(rows[-1].object.id))
    raise refusal


async def require_owner(call: Call, kind: Kind) -> StoredObject:
    """Return the object that the path names. Raises: NotFound, also for one that was deleted."""
    identifier = kinds.check(kind, call.arguments["id"])
    found = await call.services.reader.get(call.scope, identifier)
    if found is None or getattr(found.object, "deleted", False):
        raise kinds.absent(kind, identifier)
    return found.object


class RetrieveBelow:
    """An endpoint that shows an object below its owner. `argument` is what the path calls its identifier."""

    policy = Policy()

    def __init__(self, resource: Resource, owner: Owner, argument: str) -> None:
        self.contract = Contract(NoParams, resource)
        self._resource = resource
        self._owner = owner
        self._argument = argument

    async def answer(self, call: Call) -> Reply:
        """Show the object. Raises: NotFound for one of another owner."""
        resource = self._resource
        params = decode_query(NoParams, call.query)
        paths = answers.check_expansions(call, resource, params.expand)
        identifier = kinds.check(resource.kind, call.arguments[self._argument])
        owner = (await require_owner(call, self._owner.kind)).id
        found = await call.services.reader.get(call.scope, identifier)
        if found is None or getattr(found.object, self._owner.field, None) != owner:
            raise kinds.absent(resource.kind, identifier)
        snapshots = Snapshots(call, {identifier: found})
        return Reply(body=await answers.shown(call, resource, found.object, snapshots, paths=paths))


async def shown(
    resource: Resource, rows: Sequence[Versioned], paths: Sequence[str], snapshots: Snapshots
) -> Sequence[Item]:
    """Return objects as they are shown, expanded along paths."""
    livemode = snapshots.scope.livemode
    if not paths and all(resource.is_plain(row.object) for row in rows):
        return [Raw(resource.render_bytes(row.object, livemode)) for row in rows]
    items = [resource.render(row.object, livemode) for row in rows]
    await expand(items, paths, snapshots)
    return await answers.encode_apart(items, snapshots)


async def page_of(params: ListParams, kind: Kind, exists: Callable[[str], Awaitable[bool]]) -> Page:
    """Return the page that is wanted of a list of this kind. `exists` looks up the object of a cursor.

    Raises: InvalidRequest for a cursor that no object has.
    """

    async def cursor(identifier: str, param: str) -> str:
        if not kinds.could_be(kind, identifier) or not await exists(identifier):
            raise absent(kind, identifier, param)
        return digits(identifier)

    below, above = await cursors(params, cursor, lowest=LOWEST, highest=HIGHEST)
    ascending = above != LOWEST
    if isinstance(params, CreatedListParams) and not isinstance(params.created, UnsetType):
        earliest, latest = created_bounds(params.created)
        below, above = min(below, latest), max(above, earliest)
    return Page(limit=params.limit, below=below, above=above, ascending=ascending)


def in_order_of(call: Call, page: Page) -> Page:
    """Return a page without a cursor, of the oldest objects if that is what this server asks itself for."""
    return msgspec.structs.replace(page, ascending=True) if call.asgi.get(OLDEST_FIRST) else page


async def cursors(
    params: ListParams, find: Callable[[str, str], Awaitable[_Bound]], *, lowest: _Bound, highest: _Bound
) -> tuple[_Bound, _Bound]:
    """Return what the rows of a page are strictly below and strictly above.

    `find` returns the bound for the identifier in a parameter. Raises: InvalidRequest for both cursors.
    """
    after, before = params.starting_after, params.ending_before
    if not isinstance(after, UnsetType):
        if not isinstance(before, UnsetType):
            raise refuse_together("starting_after", "ending_before")
        return await find(after, "starting_after"), lowest
    if not isinstance(before, UnsetType):
        return highest, await find(before, "ending_before")
    return highest, lowest


def cut(rows: Sequence[_Row], page: Page | EventPage) -> tuple[Sequence[_Row], bool]:
    """Return the rows of a page without the extra one, and whether there was one.

    The extra row is the furthest from the cursor: the newest one on a page after a cursor in ascending order.
    """
    if len(rows) <= page.limit:
        return rows, False
    return (rows[-page.limit :] if page.ascending else rows[: page.limit]), True


def created_bounds(created: CreatedRange | int) -> tuple[str, str]:
    """Return the digits that the objects of a range of seconds are strictly between."""
    since_s, until_s = created_seconds(created)
    # No identifier equals a lower bound, so strictly above it means in its second or later.
    return (
        LOWEST if since_s is None else lower_bound(since_s),
        HIGHEST if until_s is None else lower_bound(until_s),
    )


def created_seconds(created: CreatedRange | int) -> tuple[int | None, int | None]:
    """Return the first second of a range and the first second after it. None is no bound."""
    if isinstance(created, int):
        return created, created + 1
    since = [_plus(created.gt, 1), _plus(created.gte, 0)]
    until = [_plus(created.lt, 0), _plus(created.lte, 1)]
    return (
        max((second for second in since if second is not None), default=None),
        min((second for second in until if second is not None), default=None),
    )


def _plus(second: int | UnsetType, more: int) -> int | None:
    return None if isinstance(second, UnsetType) else second + more


def absent(kind: Kind, identifier: str, param: str) -> InvalidRequest:
    """Return the error for a parameter that names an object that is missing."""
    missing = kinds.absent(kind, identifier)
    return InvalidRequest(missing.message, code=missing.code, param=param)
